"""Whether anybody here can switch mlq off, whether somebody has, and how many machines it uses."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mlq.errors import MlqError
from mlq.settings.settings import Settings
from mlq_cli.doctor.check import Check, ok, warning
from mlq_cli.doctor.look_queue import reached
from mlq_cli.fair_use import reminder
from mlq_cli.switching import Switch, local_time, standing
from mlq_worker.guest.off_file import NAMES

_MOUNTS = Path("/proc/self/mountinfo")
_ROOT = 0
_EVERYBODYS = stat.S_ISVTX | stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class SharedFacts:
    """The folder where the users of this machine meet.

    Args:
        folder: which.
        part_of: the folder that is mounted there for us alone; "": none.
        elsewhere: a supervisor of ours that sees another folder there, its process id; 0: none.
        is_everybodys: whether anybody may write there, and nobody removes what is another's.
        switches: what switches mlq off now.
    """

    folder: str
    part_of: str = ""
    elsewhere: int = 0
    is_everybodys: bool = True
    switches: tuple[Switch, ...] = ()


def examine(settings: Settings) -> Iterator[Check]:
    """Look at the folder where users meet, and judge."""
    return judge(look(settings.shared_dir), is_own=settings.guest == "mine")


def look(folder: Path, mounts: Path = _MOUNTS, proc: Path = Path("/proc")) -> SharedFacts:
    """Look at the folder, and at what our supervisors see there."""
    try:
        mode = folder.stat().st_mode
    except OSError:
        return SharedFacts(str(folder), is_everybodys=False)
    return SharedFacts(
        str(folder),
        part_of=mounted_part(_text(mounts), str(folder.resolve())),
        elsewhere=_elsewhere(folder, proc),
        is_everybodys=mode & _EVERYBODYS == _EVERYBODYS,
        switches=tuple(standing(folder)),
    )


def mounted_part(mounts: str, folder: str) -> str:
    """Return which folder of a file system is mounted in the place of another; "" if none is.

    So do systemd (PrivateTmp) and pam_namespace give a /tmp of one's own: they mount a folder, not
    a whole file system. A subvolume of btrfs looks the same, and is everybody's.

    Args:
        mounts: the content of /proc/self/mountinfo; see proc_pid_mountinfo(5).
        folder: the place.
    """
    part = ""
    for line in mounts.splitlines():
        mount, _, system = line.partition(" - ")
        fields = mount.split()
        if len(fields) > 4 and fields[4] == folder:
            part = "" if fields[3] == "/" or system.startswith("btrfs ") else fields[3]
    return part


def _elsewhere(folder: Path, proc: Path) -> int:
    """Return a supervisor of ours to which the folder is another one."""
    for comm in proc.glob("[0-9]*/comm"):
        with suppress(OSError):  # it has ended, or is another user's
            if comm.read_text().strip() != "mlq-guest" or comm.stat().st_uid != os.getuid():
                continue
            if not folder.samefile(f"{comm.parent}/root{folder}"):
                return int(comm.parent.name)
    return 0


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def judge(facts: SharedFacts, *, is_own: bool = False) -> Iterator[Check]:
    """Say whether others can switch mlq off, and who has.

    Args:
        facts: what was seen.
        is_own: whether the machine is the user's own (`guest = "mine"`).
    """
    file = f"{facts.folder}/{NAMES[0]}"
    holding = [one for one in facts.switches if not is_own or one.uid in (_ROOT, os.getuid())]
    trouble = None if is_own else _trouble(facts)
    if trouble:
        yield warning("mlq off", *trouble)
    elif not holding:
        who = "only you and root (guest = mine)" if is_own else "anybody here"
        yield ok("mlq off", f"{who} can stop your jobs: touch {file}")
    for switch in holding:
        why = f": {switch.why}" if switch.why else ""
        own = switch.uid == os.getuid()
        yield warning(
            "mlq off",
            f"off by {switch.by} until {local_time(switch.until)}{why}",
            "`mlq on` ends that" if own else f"no job runs here; only {switch.by} can end that",
        )


def _trouble(facts: SharedFacts) -> tuple[str, str] | None:
    """Return why others cannot switch mlq off, and what to do."""
    folder, file = facts.folder, f"{facts.folder}/{NAMES[0]}"
    if not facts.is_everybodys:
        says = f"not everybody can write into {folder}, so nobody else can stop your jobs"
        remedy = f"the users of a machine meet in {folder}: it should have mode 1777"
        return says, remedy
    if facts.part_of:
        own = f"{folder} is a folder of your own here (mounted from {facts.part_of})"
        says = f"{own}: {file} of others is not seen, nor yours by them"
        remedy = "start mlq where everybody's is seen: not below PrivateTmp= or pam_namespace"
        return says, remedy
    if facts.elsewhere:
        seen = f"the supervisor (process {facts.elsewhere}) sees another {folder}"
        says = f"{seen} than this terminal, perhaps one of its own"
        remedy = "start the worker in a login like this one, or take PrivateTmp= from its unit"
        return says, remedy
    return None


def examine_extent(settings: Settings) -> Iterator[Check]:
    """Remind users of many machines to ask."""
    from mlq.store.store import Store

    count = len(set(settings.machines))
    with suppress(MlqError):  # the check of the queue reports the reason
        _, wire = reached(settings)
        count = max(count, len(Store(wire).reads.machines()))
    if said := reminder(count):
        yield ok("fair use", said)
