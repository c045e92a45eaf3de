"""Starting a supervisor in a scope of its own, and without one where systemd does not help."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from supervising import Bench

from mlq_worker.agent import supervisor_client
from mlq_worker.agent.supervisor_client import _give_up_scope

InScope = Callable[[list[str]], list[str]]


def started(folder: Path, monkeypatch: pytest.MonkeyPatch, in_scope: InScope) -> set[str]:
    """Start a supervisor where a scope is of use; return its variables."""
    monkeypatch.setattr(supervisor_client, "why_not", lambda _machine: "")
    monkeypatch.setattr(supervisor_client, "in_scope", in_scope)
    bench = Bench(folder)
    try:
        return set(Path(f"/proc/{bench.pid}/environ").read_text().split("\0"))
    finally:
        bench.end()


def test_it_starts_in_a_scope(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    found = started(tmp_path, monkeypatch, lambda command: ["env", "SCOPED=1", *command])
    assert {"SCOPED=1", "XDG_RUNTIME_DIR=/run/user/7"} <= found


def test_it_starts_without_one_if_systemd_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "SCOPED=1" not in started(tmp_path, monkeypatch, lambda _: ["false"])


def test_a_systemd_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    sleep = shutil.which("sleep")
    assert sleep is not None
    hangs = tmp_path / "systemd-run"
    hangs.symlink_to(sleep)
    with subprocess.Popen([hangs, "1000"]) as waiting, subprocess.Popen(["sleep", "1000"]) as other:
        _give_up_scope(waiting)
        _give_up_scope(other)
        assert waiting.returncode == -9
        assert other.poll() is None
        other.kill()
