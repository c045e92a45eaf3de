"""The Tab key in the real shells, as somebody sits before them who has set up nothing else."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from ci import require
from sandbox import MLQ, Sandbox
from typed_shell import typed_shell

pytestmark = pytest.mark.slow

INTERACTIVE = {
    "bash": ["bash", "--noprofile", "--norc", "-i"],
    "zsh": ["zsh", "--no-rcs", "--interactive"],
}

HOME, END = "\x01", "\x05"

# What is typed, and what it becomes. The last one is an argument of the job's own command.
LINES = [
    ("mlq ca", "mlq cancel"),
    ("mlq worker stop --dr", "mlq worker stop --drain"),
    ("mlq cancel base", "mlq cancel baseline"),
    ("mlq enqueue --after 1,base", "mlq enqueue --after 1,baseline"),
    ("mlq enqueue -- python tr", "mlq enqueue -- python train.py"),
]


@pytest.fixture
def lived_in(installation: Sandbox) -> Sandbox:
    """A job, a file, and `mlq` where the shells find it."""
    installation.submit(name="baseline")
    (installation.folder / "train.py").touch()
    installation.environ["PATH"] = f"{MLQ.parent}:{installation.environ['PATH']}"
    return installation


def code_file(installation: Sandbox, shell: str) -> Path:
    file = installation.folder / f"completion.{shell}"
    file.write_text(installation.ok("completion", shell))
    return file


def typing(installation: Sandbox, shell: str) -> Callable[[str, str], str]:
    """Return who types a line and the Tab key in that shell, and waits for what it becomes."""
    file = code_file(installation, shell)

    def complete(line: str, becomes: str) -> str:
        argv, environ = INTERACTIVE[shell], installation.environ
        with typed_shell(argv, environ, installation.folder) as screen:
            # What is typed is shown too, so it does not spell out what is waited for.
            screen.type(f"source {file}; echo re''ady\n")
            assert "not found" not in screen.until_shown("ready\r?\n")
            # How a shell redraws a line is its own affair, so the line is printed.
            screen.type(f'{line}\t{HOME}echo "[{END}]"\n')
            return screen.until_shown(rf"[\r\n]\[{re.escape(becomes)} ?\]")

    return complete


@pytest.mark.parametrize("shell", INTERACTIVE)
def test_the_tab_key_completes_what_is_typed(lived_in: Sandbox, shell: str) -> None:
    require(shutil.which(shell), shell)
    complete = typing(lived_in, shell)
    for line, becomes in LINES:
        assert complete(line, becomes)


def test_fish_offers_the_same_with_explanations(lived_in: Sandbox) -> None:
    require(shutil.which("fish"), "fish")
    file = code_file(lived_in, "fish")

    def offered(line: str) -> list[str]:
        done = subprocess.run(
            ["fish", "--no-config", "-c", f"source {file}; complete --do-complete '{line}'"],
            env=lived_in.environ,
            cwd=lived_in.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert done.stderr == ""
        return done.stdout.splitlines()

    for line, becomes in LINES:
        (only,) = offered(line)
        assert only.split("\t")[0] == becomes.split()[-1]
    assert "cancel\tcancel jobs; those that run are stopped" in offered("mlq ")
