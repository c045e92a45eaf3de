"""Folders in which runs are numbered."""

from pathlib import Path

from git_projects import write

from mlq.code.run_folders import with_runs


def test_runs_are_live_and_their_folder_is_the_jobs_own(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "lightning_logs/version_0/x.ckpt": "",
            "exp/outputs/2026-11-27/10-00-00/x": "",
            "exp/outputs/2026-11-28/x": "",
            "exp/outputs/note.txt": "",
            "data/lightning": "",
        },
    )
    assert with_runs(str(tmp_path), ["data", "lightning_logs", "exp/outputs", "gone/multirun"]) == (
        "data",
        "exp/outputs/2026-11-27/10-00-00",
        "exp/outputs/2026-11-28",
        "exp/outputs/note.txt",
        "gone/multirun",
        "lightning_logs/version_0",
    )


def test_a_folder_without_runs_is_a_folder_like_any_other(tmp_path: Path) -> None:
    write(tmp_path, {"outputs/a.png": "", "big/version_0": ""})
    (tmp_path / "lightning_logs").symlink_to("big")
    assert with_runs(str(tmp_path), ["outputs"]) == ("outputs",)
    assert with_runs(str(tmp_path), ["lightning_logs"]) == ("lightning_logs",)


def test_of_very_many_the_latest_are_live(tmp_path: Path) -> None:
    write(tmp_path, {f"lightning_logs/version_{number}": "" for number in range(300)})
    found = with_runs(str(tmp_path), ["lightning_logs"])
    assert len(found) == 200
    assert "lightning_logs/version_299" in found
    assert "lightning_logs/version_99" not in found
