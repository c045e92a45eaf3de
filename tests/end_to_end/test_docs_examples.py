"""The examples in the documentation, run as they stand there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from ci import require
from local_lab import PATIENT, Lab

ROOT = Path(__file__).parents[2]
SETTINGS = PATIENT


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found, f"{page} has no example in {language}"
    return found


def run(argv: list[str], environ: dict[str, str], cwd: Path) -> str:
    done = subprocess.run(
        argv, env=environ, cwd=cwd, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_page_about_python_is_one_program_that_runs(lab: Lab) -> None:
    lab.machine("lab01").start()
    program = lab.folder / "page.py"
    program.write_text("\n".join(blocks("docs/python.md", "python")))
    # As in an activated virtual environment: that is what jobs are to find first in their PATH.
    environ = {**lab.environ, "VIRTUAL_ENV": sys.prefix}
    printed = run([sys.executable, str(program)], environ, lab.folder).splitlines()
    assert printed[0].startswith("1 finished 0 ")
    assert printed[1] == "sweep 2 sweep: 4 members: 4 new; 4 enqueued"
    assert printed[2:6] == [
        f"2_{at} finished {rate} {seed}"
        for at, (rate, seed) in enumerate([("0.1", 0), ("0.1", 1), ("0.01", 0), ("0.01", 1)])
    ]
    assert printed[6] == "finished finished"
    assert printed[7].startswith("--vram needs --gpus")
    assert "5.0" in printed
    assert printed[-1].startswith("True p0.c1.m64")


def test_a_strict_type_checker_accepts_the_page_and_finds_a_misspelt_option(tmp_path: Path) -> None:
    require(find_spec("mypy"), "mypy")
    program = "\n".join(blocks("docs/python.md", "python"))
    assert 'cores=1, mem="64M"' in program
    found = []
    for name, text in ("page.py", program), ("misspelt.py", program.replace("cores=", "coers=")):
        (tmp_path / name).write_text(text)
        done = subprocess.run(
            [sys.executable, "-m", "mypy", "--strict", name],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        found.append((done.returncode, done.stdout))
    assert found[0][0] == 0, found
    assert found[1][0] == 1
    assert 'Unexpected keyword argument "coers"' in found[1][1]


@pytest.mark.parametrize(("page", "last"), [("README.md", 10), ("docs/jobs.md", 5)])
def test_checkpoints_written_as_described_are_resumed_from(
    page: str, last: int, tmp_path: Path
) -> None:
    (example,) = [block for block in blocks(page, "python") if "MLQ_CHECKPOINT_DIR" in block]
    (tmp_path / "state.json").write_text(json.dumps({"epoch": last - 2}))
    counted = example + "    print('epoch')\n"  # the last line is in the loop
    environ = {"MLQ_CHECKPOINT_DIR": str(tmp_path)}
    assert run([sys.executable, "-c", counted], environ, tmp_path).split() == ["epoch"] * 2
    assert json.loads((tmp_path / "state.json").read_text()) == {"epoch": last}
    assert [one.name for one in tmp_path.iterdir()] == ["state.json"]


def test_the_shell_script_counts_on_from_its_checkpoint(tmp_path: Path) -> None:
    (script,) = blocks("docs/jobs.md", "sh")
    sleep = tmp_path / "bin" / "sleep"
    sleep.parent.mkdir()
    sleep.write_text("#!/bin/sh\n")
    sleep.chmod(0o700)
    (tmp_path / "step").write_text("7\n")
    environ = {
        "PATH": f"{sleep.parent}:/usr/bin:/bin",
        "MLQ_CHECKPOINT_DIR": str(tmp_path),
        "MLQ_PROGRESS_FILE": str(tmp_path / "progress.jsonl"),
    }
    run(["/bin/sh", "-c", script], environ, tmp_path)
    lines = (tmp_path / "progress.jsonl").read_text().splitlines()
    assert [json.loads(line)["progress"] for line in lines] == [0.7, 0.8, 0.9]
    assert (tmp_path / "step").read_text() == "10\n"
