"""Runs all probes in parallel, each with its own deadline.

The doctor cannot end a probe that hangs on NFS. It leaves the probe in its thread, which does not
keep the process from ending, and the check says that the probe did not answer.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from mlq.errors import MlqError
from mlq.settings.load import Loaded
from mlq.settings.settings import Settings
from mlq_cli.doctor import (
    allocation,
    boards,
    desk,
    guests,
    identity,
    judge,
    judge_machines,
    limits,
    look,
    look_machines,
    look_queue,
    strangers,
)
from mlq_cli.doctor.check import Check, of_error, problem

_SHOW_S = 0.2


@dataclass(frozen=True, slots=True)
class Probe:
    """One thing to examine.

    Args:
        topic: the precondition that it examines.
        examine: looks and judges.
        deadline_s: the longest time that it can take.
        remedy: what the user can do if it takes longer.
    """

    topic: str
    examine: Callable[[], Iterable[Check]]
    deadline_s: float = 20.0
    remedy: str = ""


def probes(loaded: Loaded) -> list[Probe]:
    """Return all probes of this machine."""
    settings = loaded.settings
    hangs = "does the file server answer? `ls` of the folder tells"
    listed = [
        Probe("machine", lambda: judge.machine(look.machine(settings)), remedy=hangs),
        Probe("gpus", lambda: judge.gpus(look.gpus()), remedy="does `nvidia-smi` answer?"),
        Probe("desk", lambda: desk.examine(settings)),
        Probe("limits", lambda: limits.examine(settings)),
        Probe("mlq off", lambda: guests.examine(settings)),
        Probe("neighbours", lambda: boards.examine(settings)),
        Probe("files", lambda: map(judge.file, look.files(loaded)), remedy=hangs),
        Probe("times", lambda: [judge.times(settings)]),
        Probe("root", lambda: judge.root(look.root(settings)), remedy=hangs),
    ]
    if settings.is_remote:
        listed.append(Probe("ssh", lambda: [judge.ssh(look.ssh(settings))], 60.0))
    listed.append(Probe("queue", lambda: judge.queue(look_queue.queue(settings)), 90.0))
    listed.append(Probe("allocation", lambda: allocation.examine(settings), 90.0))
    listed.append(Probe("queue's root", lambda: identity.examine(settings), remedy=hangs))
    listed.append(Probe("machines", lambda: _machines(settings), 90.0, remedy=hangs))
    listed.append(Probe("fair use", lambda: guests.examine_extent(settings), 90.0))
    listed.append(Probe("moves", lambda: strangers.examine_moves(settings), 90.0))
    listed.append(Probe("folders", lambda: strangers.examine_folders(settings), remedy=hangs))
    return listed


def _machines(settings: Settings) -> Iterable[Check]:
    try:
        facts = look_machines.machines(settings)
    except MlqError:
        return ()  # the check of the queue reports the reason
    return judge_machines.machines(facts)


def examine(
    probes: Sequence[Probe], show: Callable[[dict[str, str]], None] = lambda _: None
) -> list[Check]:
    """Run the probes and return their checks, in the order of the probes.

    Args:
        probes: what to examine.
        show: called repeatedly with the probes that still run.
    """
    found: dict[int, list[Check]] = {}
    failures: list[BaseException] = []
    changed = threading.Condition()

    def work(at: int, probe: Probe) -> None:
        try:
            checks = _examined(probe)
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
            with changed:
                failures.append(error)
                changed.notify()
            return
        with changed:
            found[at] = checks
            changed.notify()

    for at, probe in enumerate(probes):
        threading.Thread(target=work, args=(at, probe), daemon=True).start()
    began_s = time.monotonic()
    with changed:
        while True:
            passed_s = time.monotonic() - began_s
            waited_for = [
                probe.topic
                for at, probe in enumerate(probes)
                if at not in found and passed_s < probe.deadline_s
            ]
            if failures:
                raise failures[0]
            if not waited_for:
                break
            show(dict.fromkeys(waited_for, f"{passed_s:.0f} s"))
            changed.wait(_SHOW_S)
        return [
            check
            for at, probe in enumerate(probes)
            for check in (found[at] if at in found else [_silent(probe)])
        ]


def _examined(probe: Probe) -> list[Check]:
    try:
        return list(probe.examine())
    except MlqError as error:
        return [of_error(probe.topic, error)]
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return [problem(probe.topic, f"{where}{error.strerror or error}", probe.remedy)]


def _silent(probe: Probe) -> Check:
    return problem(probe.topic, f"no answer after {probe.deadline_s:g} s", probe.remedy)
