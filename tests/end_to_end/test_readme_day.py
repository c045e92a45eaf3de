"""The day in the README, typed word for word in a clone.

Whoever tries mlq copies these commands. So each of them is taken out of the page itself and run in
one shell, in the order of the page: it must succeed and must print what the page shows, apart from
what differs from machine to machine, and from the story of a power cut on one of two machines.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from ci import require
from leftovers import kill_all, processes_of
from sandbox import Sandbox, new_sandbox
from waiting import wait_for

ROOT = Path(__file__).parents[2]
SHELL = shutil.which("bash")
ALL_COMMANDS_S = 90

# What a machine without a power cut does not print, nor one that has enough free cores.
STORY = re.compile(r"went silent|attempt +2|resuming|cores? needed")
# What differs from run to run: processes, machines and what they have, times, paths.
VARYING = (
    r"(?:lab0\d +never)? +",  # a reason stands beside the machine, or below another one
    r"process \d+",
    r"\d+ cores?",
    r"\d+ jobs? before",
    r"\d+M;",
    r"[\d.]+G of memory",
    r"for [\dhms]+",
    r"lab0\d",
    r"\b\d+s\b",
    r"(?<!\S)/\S+",
)


class Typed(NamedTuple):
    """A command, and the lines that the page shows below it."""

    command: str
    shown: list[str]


class Outcome(NamedTuple):
    """How a command ended, and all that it printed."""

    code: int
    printed: str


def the_day() -> list[Typed]:
    """Return what is typed in the section "A day with it"."""
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    section = page.partition("\n## A day with it\n")[2].partition("\n## ")[0]
    typed: list[Typed] = []
    for block in re.findall(r"^```console\n(.*?)^```$", section, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                typed.append(Typed(line.removeprefix("$ "), []))
            elif line.strip() not in ("", "..."):
                typed[-1].shown.append(line)
    return typed


def like(shown: str) -> str:
    """Return a pattern for a line as the page shows it."""
    pattern, end = "", 0
    for found in re.finditer("|".join(f"({one})" for one in VARYING), shown):
        assert found.lastindex
        pattern += re.escape(shown[end : found.start()]) + VARYING[found.lastindex - 1]
        end = found.end()
    return pattern + re.escape(shown[end:])


@pytest.fixture
def clone() -> Iterator[Sandbox]:
    """A new user's installation, and a clone in it where `make venv` has run."""
    with new_sandbox() as sandbox:
        folder = sandbox.folder / "clone"
        shutil.copytree(ROOT / "examples", folder / "examples")
        (folder / ".venv").symlink_to(sys.prefix)
        for name in ("MLQ_ROOT", "MLQ_SNAPSHOT"):
            del sandbox.environ[name]  # as for everyone who has set nothing
        sandbox.environ |= {
            "MLQ_MACHINE": "lab01",
            "MLQ_GUEST": "mine",  # the tests beside this one are no reason to wait
            "MLQ_STOP_GRACE_S": "1",
            "TRAIN_PACE_S": "0.05",
        }
        try:
            yield sandbox
        finally:
            kill_all(sandbox.folder)


def follow(day: list[Typed], clone: Sandbox) -> list[Outcome]:
    """Type all commands into one shell; return how each ended."""
    folder = clone.folder / "typed"
    folder.mkdir()
    lines = []
    for number, typed in enumerate(day):
        # In braces, not parentheses: `cd` and `activate` are meant for the commands that follow.
        lines.append(f"{{ {typed.command}\n}} >{folder}/{number}.out 2>&1 </dev/null")
        lines.append(f"echo $? >{folder}/{number}.code")
    assert SHELL
    subprocess.run(
        [SHELL, "-c", "\n".join(lines)],
        env=clone.environ,
        cwd=clone.folder / "clone",
        timeout=ALL_COMMANDS_S,
        check=False,
    )
    return [
        Outcome(int((folder / f"{n}.code").read_text()), (folder / f"{n}.out").read_text())
        for n in range(len(day))
    ]


def differences(typed: Typed, outcome: Outcome) -> list[str]:
    """Return what of a command is not as the page has it."""
    found = [f"exit code {outcome.code}"] if outcome.code else []
    lines = outcome.printed.splitlines()
    found += [
        f"not printed: {shown}"
        for shown in typed.shown
        if not STORY.search(shown) and not any(re.fullmatch(like(shown), line) for line in lines)
    ]
    return [f"$ {typed.command}", *found, outcome.printed] if found else []


def test_the_day_can_be_followed_word_for_word(clone: Sandbox) -> None:
    require(SHELL, "bash")
    require((Path(sys.prefix) / "bin" / "activate").exists(), "a virtual environment")
    require(not Path("/dev/nvidiactl").exists(), "a machine without GPUs, as those of the page")
    day = the_day()
    typed = "\n".join(one.command for one in day)
    for part in (
        "enqueue",
        "ls",
        "explain",
        "logs -f",
        "show",
        "cancel",
        "wait",
        "results",
        "plot",
        "pull",
        "top",
    ):
        assert f"mlq {part}" in typed, part
    outcomes = follow(day, clone)
    wrong = [line for pair in zip(day, outcomes, strict=True) for line in differences(*pair)]
    assert not wrong, "\n".join(wrong)
    wait_for(lambda: not processes_of(clone.folder), what="everything of the day to end")


def test_a_page_that_is_wrong_is_seen_to_be() -> None:
    typed = Typed("mlq enqueue -- true", ["1", "worker for lab02 runs (process 7): lab02: 2 cores"])
    printed = "1\nworker for lab01 runs (process 12): lab01: 4 cores\n"
    assert differences(typed, Outcome(0, printed)) == []
    assert "exit code 2" in differences(typed, Outcome(2, printed))
    assert "not printed: 1" in differences(typed, Outcome(0, printed.replace("1\n", "2\n", 1)))
