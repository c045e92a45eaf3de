"""The last line of a log in the reason of a failure: one line, bounded, without secrets."""

from __future__ import annotations

import errno
import json
import os

import pytest
from supervising import Bench

from mlq_worker.ipc.causes import Kind
from mlq_worker.ipc.values import LAST_LINE_CHARS
from mlq_worker.launcher.results import last_line, spawn_fault


@pytest.mark.parametrize(
    ("tail", "line"),
    [
        (b"", ""),
        (b"\n \n\t\n", ""),
        (
            b"Traceback:\n  at x\nRuntimeError: CUDA out of memory\n\n",
            "RuntimeError: CUDA out of memory",
        ),
        (b"epoch 1:  10%\repoch 1:  20%\r", "epoch 1: 20%"),
        (
            b"done\n\x1b[31mError\x1b[0m: \x1b]0;title\x07no\x08 such\x00 file\r\n",
            "Error: no such file",
        ),
        (b"\xff\xfe\xe6\xa8\xa1", "\ufffd\ufffd\u6a21"),
        (b"half a line", "half a line"),
        (b"x" * 4096, "x" * (LAST_LINE_CHARS - 1) + "…"),
    ],
)
def test_the_last_line_that_says_anything(tail: bytes, line: str) -> None:
    assert last_line(tail) == line


def test_secrets_are_not_in_it() -> None:
    hidden = ["hf_0123456789", "two\nlines here", "no"]
    assert (
        last_line(b"bad token hf_0123456789 in lines here, no", hidden)
        == "bad token *** in ***, no"
    )


def test_who_fails_tells_its_last_line_and_no_secret(bench: Bench) -> None:
    name = f"TOKEN-{'a' * 32}"
    folder = bench.layout.secrets_dir
    folder.mkdir(mode=0o700)
    (folder / name).write_text("hunter2")
    (folder / name).chmod(0o600)
    failing = bench.order("1", "sh", "-c", "echo begun; echo bad $TOKEN >&2; echo; exit 3")
    bench.start({**failing, "secrets": {"TOKEN": name}})
    bench.start(bench.order("2", "sh", "-c", "echo all is well"))
    result = bench.result("1")
    assert (result["reason"], result["last_line"]) == ("exit 3", "bad ***")
    assert result.pop("has_said"), "told to the worker only"
    assert json.loads(bench.layout.result_file("1", 1).read_bytes()) == result
    assert "last_line" not in bench.result("2")


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOMEM])
def test_a_machine_without_room_hands_its_job_back(number: int) -> None:
    why = spawn_fault(OSError(number, os.strerror(number)), "lab01")
    assert (why.outcome, why.cause.kind) == ("released", Kind.MACHINE)
    assert why.reason == f"handed back: lab01 starts no more processes: {os.strerror(number)}"


@pytest.mark.parametrize("error", [OSError(errno.ENOEXEC, "Exec format error"), ValueError("NUL")])
def test_a_command_that_cannot_be_started_fails(error: OSError | ValueError) -> None:
    assert (spawn_fault(error, "lab01").outcome, spawn_fault(error, "lab01").exit_code) == (
        "unstartable",
        126,
    )
