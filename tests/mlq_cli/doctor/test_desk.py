"""What `mlq doctor` says of the desk."""

from __future__ import annotations

import json
import os
import pwd
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from recorded_desk import RecordedDesk

from mlq_cli.doctor import desk as doctor
from mlq_cli.doctor import judge_machines
from mlq_cli.doctor.check import Level
from mlq_cli.doctor.desk import ChatterFacts, DeskFacts, chatter_of, examine, judge
from mlq_cli.doctor.look_machines import MachinesFacts
from mlq_worker.guest.desk import desk_reader
from mlq_worker.guest.desk.desk import Desk, DeskLook, Session

KEYS, MOUSE = "Dell KB216 Wired Keyboard (USB 1-3)", "Logitech USB Optical Mouse (USB 1-4)"
DESK = DeskFacts(
    exists=True,
    hidden=False,
    devices=(KEYS, MOUSE),
    has_seat=True,
    seated="",
    ours=False,
    in_use=False,
)
COUNTED = f"keys and motion are counted on {KEYS}, {MOUSE}"
UNKNOWN = "without systemd-logind it is unknown who sits there: your own hands count, too"
HIDDEN = "a keyboard or mouse has no counter here, so whoever is logged in counts as present"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, f"{COUNTED}; nobody is logged in there"),
        ({"seated": "ab12"}, f"{COUNTED}; ab12 is logged in there"),
        (
            {"seated": "ab12", "in_use": True},
            f"{COUNTED}; ab12 is logged in there; in use right now",
        ),
        ({"in_use": True}, f"{COUNTED}; nobody is logged in there; in use right now"),
        ({"seated": "me", "ours": True}, f"{COUNTED}; you sit there, which does not count"),
        (
            {"seated": "me", "ours": True, "in_use": True},
            f"{COUNTED}; you sit there, which does not count",
        ),
        ({"hidden": True, "seated": "ab12"}, f"{HIDDEN}; ab12 is logged in there"),
        (
            {"has_seat": False},
            f"{COUNTED}; {UNKNOWN}",
        ),
        ({"exists": False}, "there is none: no keyboard or mouse here"),
        (
            {"devices": tuple("abcdefg")},
            "keys and motion are counted on a, b, c, d and 3 others; nobody is logged in there",
        ),
    ],
)
def test_words(changes: dict[str, Any], says: str) -> None:
    (check,) = judge(replace(DESK, **changes))
    assert (check.topic, check.level, check.says, check.remedy) == ("desk", Level.OK, says, "")


def settings(guest: str) -> Any:
    return SimpleNamespace(guest=guest)


def test_your_own_machine() -> None:
    (check,) = examine(settings("mine"))
    assert check.says == "not watched: the machine is yours (guest = mine)"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RecordedDesk:
    """A recorded desktop that the doctor takes for this one."""
    machine = RecordedDesk(tmp_path, "desktop")
    monkeypatch.setattr(desk_reader, "DeskReader", machine.reader)
    return machine


def test_a_recorded_desktop(machine: RecordedDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.seat("2", 0)
    monkeypatch.setattr(doctor.time, "sleep", lambda _: machine.transfer("1-4"))
    monkeypatch.setattr(doctor.os, "getuid", lambda: 1000)
    (check,) = examine(settings("polite"))
    name = pwd.getpwuid(0).pw_name
    assert check.says.endswith(f"; {name} is logged in there; in use right now")
    assert KEYS in check.says


def test_who_has_no_name(machine: RecordedDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.seat("2", 4_000_000)
    monkeypatch.setattr(doctor, "_LOOK_S", 0)
    (check,) = examine(settings("night"))
    assert "; user 4000000 is logged in there" in check.says


def test_ourselves(machine: RecordedDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.seat("2", os.getuid())
    monkeypatch.setattr(doctor, "_LOOK_S", 0)
    (check,) = examine(settings("polite"))
    assert "; you sit there" in check.says


def test_chatter_that_a_supervisor_found() -> None:
    desk = Desk(1000)
    for second in range(700):
        look = DeskLook({MOUSE: second}, {}, active=Session(120, "greeter"))
        state = desk.look(look, float(second))
    facts = chatter_of("lab07", {"guest": {"desk": json.loads(json.dumps(state.as_json()))}})
    assert facts == ChatterFacts("lab07", (MOUSE,))
    (check,) = judge_machines.machines(MachinesFacts(chattering=(facts,)))
    assert (check.topic, check.level) == ("desk", Level.WARNING)
    says = f"lab07: counts without being touched, which is ignored: {MOUSE}"
    assert check.says == says
    assert check.remedy


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"guest": None},
        {"guest": {"desk": []}},
        {"guest": {"desk": {"chattering": "x"}}},
        {"guest": {"desk": {"chattering": []}}},
    ],
)
def test_no_chatter(record: dict[str, Any]) -> None:
    assert chatter_of("lab07", record) is None
