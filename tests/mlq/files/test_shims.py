"""The folder of Slurm's commands, and how mlq tells them from Slurm's own."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from mlq.files.shims import SLURM, data_folder, make_shims, real_program


def test_it_is_made_once_mended_and_safe_against_two_at_once(tmp_path: Path) -> None:
    made: list[str] = []
    both = [
        threading.Thread(target=lambda: made.append(make_shims(f"{tmp_path}/data")))
        for _ in range(8)
    ]
    for one in both:
        one.start()
    for one in both:
        one.join()
    (folder,) = {Path(one) for one in made}
    assert {one.name for one in folder.iterdir()} == {*SLURM, ".mlq-shims"}
    before = (folder / "sbatch").stat().st_ino
    (folder / "srun").write_text("old")
    assert make_shims(f"{tmp_path}/data") == str(folder)
    assert (folder / "srun").read_text().startswith("#!/bin/sh\n")
    assert (folder / "sbatch").stat().st_ino == before
    assert folder.stat().st_mode & 0o777 == 0o700


def test_each_starts_mlqs_own_python_whatever_the_users_variables_say(tmp_path: Path) -> None:
    folder = make_shims(f"{tmp_path}/d ' ata")
    (tmp_path / "mlq_cli.py").write_text("raise SystemExit('the wrong one')\n")
    env = {"PYTHONPATH": str(tmp_path), "PYTHONHOME": "/gone", "HOME": str(tmp_path)}
    done = subprocess.run(
        [f"{folder}/srun", "--version"],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout[:6], done.stderr) == ("slurm ", "")


def test_one_whose_mlq_was_moved_says_so(tmp_path: Path) -> None:
    moved = tmp_path / "moved mlq" / "python"
    folder = make_shims(str(tmp_path), str(moved))
    assert folder != make_shims(str(tmp_path), sys.executable)
    done = subprocess.run([f"{folder}/sbatch"], capture_output=True, text=True, check=False)
    assert done.returncode == 127
    assert done.stderr.startswith("sbatch: error: mlq was moved")


def test_mlq_takes_none_of_them_for_slurms_own(tmp_path: Path) -> None:
    shims, own, links, folder = make_shims(str(tmp_path / "d")), *(tmp_path / one for one in "olf")
    for one in (own, links, folder / "sbatch"):
        one.mkdir(parents=True)
    (links / "sbatch").symlink_to(f"{shims}/sbatch")
    path = f"{shims}:{links}:{folder}:/gone"
    assert real_program("sbatch", path) == ""
    (own / "sbatch").write_text("#!/bin/sh\n")
    assert real_program("sbatch", f"{path}:{own}") == ""  # nobody may execute it
    (own / "sbatch").chmod(0o755)
    assert real_program("sbatch", f"{path}:{own}") == f"{own}/sbatch"


def test_where_it_lies() -> None:
    assert data_folder({"HOME": "/h"}) == "/h/.local/share/mlq"
    assert data_folder({"HOME": "/h", "XDG_DATA_HOME": "/d"}) == "/d/mlq"
    assert data_folder({"XDG_DATA_HOME": "d"}) == ""
