"""A quota of the CPU is obeyed wherever it stands; trees as they were found on machines."""

from __future__ import annotations

from pathlib import Path

from mlq_worker.allocation.quota import quota_cores


def _tree(folder: Path, lines: str, files: dict[str, str]) -> tuple[Path, Path]:
    proc, cgroups = folder / "proc", folder / "cgroup"
    (proc / "self").mkdir(parents=True)
    (proc / "self/cgroup").write_text(lines)
    for name, text in files.items():
        path = cgroups / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return proc, cgroups


def test_version_2_and_a_quota_further_up(tmp_path: Path) -> None:
    step = "system.slice/slurmstepd.scope/job_5/step_batch/user/task_0"
    files = {
        f"{step}/cpu.max": "max 100000\n",
        "system.slice/slurmstepd.scope/job_5/cpu.max": "350000 100000\n",
    }
    assert quota_cores(*_tree(tmp_path, f"0::/{step}\n", files)) == 3


def test_version_1(tmp_path: Path) -> None:
    lines = "5:cpu,cpuacct:/slurm/uid_7/job_5\n4:memory:/slurm/uid_7/job_5\n0::/\n"
    files = {
        "cpu,cpuacct/slurm/uid_7/job_5/cpu.cfs_quota_us": "200000\n",
        "cpu,cpuacct/slurm/uid_7/job_5/cpu.cfs_period_us": "100000\n",
        "cpu,cpuacct/slurm/uid_7/cpu.cfs_quota_us": "-1\n",
        "cpu,cpuacct/slurm/uid_7/cpu.cfs_period_us": "100000\n",
    }
    assert quota_cores(*_tree(tmp_path, lines, files)) == 2


def test_less_than_a_core_is_one(tmp_path: Path) -> None:
    assert quota_cores(*_tree(tmp_path, "0::/a\n", {"a/cpu.max": "50000 100000\n"})) == 1


def test_none(tmp_path: Path) -> None:
    files = {"a/cpu.max": "max 100000\n", "cpu.max": "odd\n"}
    assert quota_cores(*_tree(tmp_path, "0::/a\n", files)) is None
    assert quota_cores(tmp_path / "gone", tmp_path / "gone") is None
