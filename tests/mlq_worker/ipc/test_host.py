"""The real host, and that supervisor and launcher reach their machine through a host alone."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
from pathlib import Path

import pytest

import mlq_worker
from mlq_worker.ipc import processes
from mlq_worker.ipc.host import LinuxHost, moment

HOST = LinuxHost()
PAST_THE_HOST = {
    ("mlq_worker.ipc.clock", "boottime"),
    ("mlq_worker.ipc.clock", "utc_now"),
    ("mlq_worker.ipc.clock", "now"),
    ("mlq_worker.ipc", "clock"),
    ("mlq_worker.ipc", "log"),
    ("mlq_worker.ipc.host", "note"),
    ("mlq_worker.ipc.procfs", "look"),
    ("mlq_worker.ipc.procfs", "look_at"),
    ("mlq_worker.ipc.procfs", "mark_of"),
}


def imported(source: str) -> set[tuple[str, str]]:
    return {
        (node.module or "", alias.name)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


@pytest.mark.parametrize("room", ["supervisor", "launcher"])
def test_nothing_but_the_entry_reaches_the_machine_past_its_host(room: str) -> None:
    (package,) = mlq_worker.__path__
    found = sorted(Path(package, room).glob("*.py"))
    assert found
    for path in found:
        past = imported(path.read_text()) & PAST_THE_HOST
        assert path.name == "__main__.py" or not past, path


def test_it_sees_and_signals_a_process() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        seen = HOST.look_at(child.pid)
        assert seen is not None
        assert HOST.look()[child.pid].parent == os.getpid()
        processes.send(HOST, seen._replace(start=seen.start + 1), signal.SIGKILL)
        assert HOST.look_at(child.pid) is not None  # its number was another's
        processes.send(HOST, seen, signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
    assert HOST.look_at(child.pid) is None
    with pytest.raises(ProcessLookupError):
        HOST.kill(child.pid, signal.SIGKILL)
    assert not processes.send_to_group(HOST, child.pid, signal.SIGKILL)


def test_its_clocks_go_on(capfd: pytest.CaptureFixture[str]) -> None:
    first, second = moment(HOST), moment(HOST)
    assert first.at <= second.at
    assert first.utc <= second.utc
    HOST.note("seen")
    assert capfd.readouterr().err.endswith(" seen\n")
