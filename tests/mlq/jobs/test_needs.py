"""The words of what a job needs, and which commands are the same."""

from __future__ import annotations

from typing import Any

import pytest

from mlq.jobs.needs import needs_of, script_of, word_of
from mlq.jobs.request import Request
from mlq.jobs.spec import FunctionCall, JobSpec


def spec(*argv: str, **changes: Any) -> JobSpec:
    known = {"id": "7", "argv": argv, "cwd": "/work", "request": Request(), "submitted_at": ""}
    return JobSpec(**{**known, **changes})


@pytest.mark.parametrize(
    ("command", "script"),
    [
        (("python", "train.py", "--lr", "0.1"), ("python", "train.py")),
        (("python", "-u", "train.py", "data.csv"), ("python", "-u", "train.py")),
        (("python", "-m", "lab.train", "--lr", "1"), ("python", "-m", "lab.train")),
        (("python", "-c", "print(1)", "x"), ("python", "-c", "print(1)")),
        (("torchrun", "--nproc", "2", "train.py", "7"), ("torchrun", "--nproc", "2", "train.py")),
        (("./train", "--lr", "0.1"), ("./train",)),
        (("make", "a"), ("make", "a")),
        (
            ("/bin/sh", "-c", "cd x && python train.py 7"),
            ("/bin/sh", "-c", "cd", "x", "&&", "python", "train.py"),
        ),
        (("/bin/sh", "-c", "cat 'x"), ("/bin/sh", "-c", "cat 'x")),
        ((), ()),
    ],
)
def test_a_command_without_its_parameters(
    command: tuple[str, ...], script: tuple[str, ...]
) -> None:
    assert script_of(command) == script


def test_jobs_that_differ_in_their_parameters_alone_are_of_one_command() -> None:
    one, two = (needs_of(spec("python", "train.py", rate)) for rate in ("0.1", "0.2"))
    assert one == two
    assert word_of(one, "s") != word_of(needs_of(spec("python", "test.py", "0.1")), "s")
    assert word_of(one, "s") != word_of(needs_of(spec("python", "train.py", cwd="/other")), "s")


def test_a_command_is_looked_for_where_the_job_looks() -> None:
    plain = word_of(needs_of(spec("tool")), "c")
    assert plain == word_of(needs_of(spec("tool", cwd="/other")), "c")
    assert plain != word_of(needs_of(spec("tool", env={"PATH": "/opt/bin"})), "c")
    assert plain != word_of(needs_of(spec("tool", python_env="/env")), "c")
    here, there = (needs_of(spec("./tool", cwd=cwd)) for cwd in ("/work", "/other"))
    assert word_of(here, "c") != word_of(there, "c")


def test_what_is_not_needed_has_no_word() -> None:
    assert word_of(needs_of(spec("true")), "e") == ""
    assert word_of(needs_of(spec("true", python_env="/env")), "e") != ""
    call = needs_of(spec(function=FunctionCall(name="lab.train", args=(1,))))
    assert [word[0] for word in call.split()] == ["f", "s"]
    assert call == needs_of(spec(function=FunctionCall(name="lab.train", args=(2,))))
