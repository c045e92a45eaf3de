"""Whether this machine has a desk, how it is watched, who sits there, and what chatters.

A look of a second shows all but the last. Which devices count by themselves a supervisor finds out
in minutes; it is in the records that the machines keep in the queue.
"""

from __future__ import annotations

import os
import pwd
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlq.settings.settings import Settings
from mlq_cli.doctor.check import Check, ok, warning
from mlq_cli.render.words import count

_TOPIC = "desk"
_LOOK_S = 1.1
_MOST_NAMED = 4


@dataclass(frozen=True, slots=True)
class DeskFacts:
    """The desk.

    Args:
        exists: whether there is one.
        hidden: whether a keyboard or mouse may be in use without a counter moving.
        devices: the keyboards and mice whose counters are read.
        has_seat: whether it is known whose session is shown.
        seated: who is logged in there; "": nobody.
        ours: whether that is this user.
        in_use: whether a counter moved while the doctor looked.
    """

    exists: bool
    hidden: bool
    devices: tuple[str, ...]
    has_seat: bool
    seated: str
    ours: bool
    in_use: bool


@dataclass(frozen=True, slots=True)
class ChatterFacts:
    """A machine with devices that count without being touched, by name."""

    machine: str
    devices: tuple[str, ...]


def examine(settings: Settings) -> Iterable[Check]:
    """Look at the desk for a second, and judge; in the mode `mine` nobody looks."""
    if settings.guest == "mine":
        return [ok(_TOPIC, "not watched: the machine is yours (guest = mine)")]
    return judge(look())


def look() -> DeskFacts:
    """Look at the desk of this machine twice."""
    from mlq_worker.guest.desk.desk import Desk
    from mlq_worker.guest.desk.desk_reader import DeskReader
    from mlq_worker.ipc.clock import boottime

    reader, desk = DeskReader(), Desk(os.getuid())
    before = reader.look(boottime())
    desk.look(before, boottime())
    time.sleep(_LOOK_S)
    after = reader.look(boottime())
    state = desk.look(after, boottime())
    reader.close()
    return DeskFacts(
        exists=state.exists,
        hidden=after.hidden,
        devices=tuple(after.counters),
        has_seat=after.seat,
        seated="" if state.seated_uid is None else _login(state.seated_uid),
        ours=state.seated_uid == os.getuid(),
        in_use=_moved(before.counters, after.counters) or before.consoles != after.consoles,
    )


def _moved(before: Mapping[str, int], after: Mapping[str, int]) -> bool:
    return any(after.get(name, value) != value for name, value in before.items())


def _login(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def judge(facts: DeskFacts) -> Iterator[Check]:
    """Say how the desk is watched and who sits there; warn of what chatters."""
    if not facts.exists:
        yield ok(_TOPIC, "there is none: no keyboard or mouse here")
    else:
        yield ok(_TOPIC, f"{_watched(facts)}; {_who(facts)}")


def chatter_of(machine: str, record: Mapping[str, Any]) -> ChatterFacts | None:
    """Return what the record of a machine says of chattering devices; None if there are none."""
    guest = record.get("guest")
    desk = guest.get("desk") if isinstance(guest, dict) else None
    devices = desk.get("chattering") if isinstance(desk, dict) else None
    if not isinstance(devices, list) or not devices:
        return None
    return ChatterFacts(machine, tuple(str(one) for one in devices))


def judge_chatter(facts: ChatterFacts) -> Check:
    """Warn of devices that count without being touched."""
    return warning(
        _TOPIC,
        f"{facts.machine}: counts without being touched, which is ignored: "
        f"{_listed(facts.devices)}",
        "move or unplug it; a program that asks it for its battery (`every 30s`) does no harm",
    )


def _watched(facts: DeskFacts) -> str:
    if facts.hidden:
        return "a keyboard or mouse has no counter here, so whoever is logged in counts as present"
    return f"keys and motion are counted on {_listed(facts.devices)}"


def _listed(names: tuple[str, ...]) -> str:
    more = len(names) - _MOST_NAMED
    shown = ", ".join(names[:_MOST_NAMED])
    return f"{shown} and {count(more, 'other')}" if more > 0 else shown


def _who(facts: DeskFacts) -> str:
    if not facts.has_seat:
        who = "without systemd-logind it is unknown who sits there: your own hands count, too"
    elif facts.ours:
        who = "you sit there, which does not count"
    else:
        who = f"{facts.seated} is logged in there" if facts.seated else "nobody is logged in there"
    return f"{who}; in use right now" if facts.in_use and not facts.ours else who
