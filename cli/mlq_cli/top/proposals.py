"""What the keys of the screen propose to do: each is a command of mlq, told before it runs. Pure.

The screen shows a proposal in a dialog and runs its commands if the user agrees. So whatever it
does could be typed, and what the command says is what the user reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from mlq.jobs.lifecycle import ENDED, HELD, WAITING, State
from mlq.jobs.view import JobView
from mlq.machines.said import listed
from mlq.settings.settings import Settings
from mlq.store.reads import SweepSeen
from mlq.units import format_duration
from mlq_cli.render.clean import clean
from mlq_cli.render.jobs import state_of
from mlq_cli.render.sweeps import progress_of
from mlq_cli.render.words import count


class Proposal(NamedTuple):
    """Something that the user may want done.

    Args:
        title: the question.
        says: what will happen, a paragraph each.
        commands: the words after `mlq` of each command; each runs only if the one before succeeded.
    """

    title: str
    says: tuple[str, ...]
    commands: tuple[tuple[str, ...], ...]


Proposed = Proposal | str
"""Or why there is nothing to propose."""


def _called(job: JobView) -> str:
    return clean(f"job {job.id} {job.name}").rstrip()


def _swept(sweep: SweepSeen) -> str:
    return clean(f"sweep {sweep.number} {sweep.name}")


def _members(number: int, does: str, do: str) -> str:
    """Return a sentence about members of a sweep: what one does, or several do."""
    return f"{count(number, 'member')} {does if number == 1 else do}."


def cancel(job: JobView, settings: Settings) -> Proposed:
    """Propose to cancel a job."""
    if job.state in ENDED:
        return f"{_called(job)} has ended: there is nothing to cancel"
    says = "It waits; it leaves the queue and will not start."
    if job.state == State.STARTED:
        grace_s = settings.stop_grace_s if job.grace_s is None else job.grace_s
        says = (
            f"It runs on {job.machine}. Its processes get SIGTERM, and {format_duration(grace_s)}"
            " later SIGKILL. Its log, output and checkpoints stay."
        )
    return Proposal(f"Cancel {_called(job)}?", (says,), (("cancel", job.id),))


def cancel_sweep(sweep: SweepSeen) -> Proposed:
    """Propose to cancel all members of a sweep that have not ended."""
    progress = progress_of(sweep)
    running, waiting = progress["running"], progress["queued"] + progress[HELD]
    if not running + waiting:
        return f"{_swept(sweep)} has ended: there is nothing to cancel"
    says = []
    if running:
        says.append(_members(running, "runs and is stopped", "run and are stopped"))
    if waiting:
        says.append(_members(waiting, "waits and leaves the queue", "wait and leave the queue"))
    return Proposal(
        f"Cancel what is left of {_swept(sweep)}?", tuple(says), (("cancel", str(sweep.number)),)
    )


def retry(job: JobView, _settings: Settings) -> Proposed:
    """Propose to run an ended job again."""
    if job.state not in ENDED:
        return f"{_called(job)} is {state_of(job)}: only a job that has ended can run again"
    goes_on = "It keeps its place in line and goes on from its checkpoint, if it has one."
    title = f"Run {_called(job)} again?"
    if job.state == State.FINISHED:
        says = (
            "It finished. A second run uses the same folders `output` and `checkpoint`, and may"
            " overwrite its results. Logs of earlier attempts stay."
        )
        return Proposal(title, (says,), (("retry", "--finished", "--yes", job.id),))
    why = f": {job.reason}" if job.reason else ""
    return Proposal(title, (f"It {_ended(job)}{why}", goes_on), (("retry", job.id),))


def _ended(job: JobView) -> str:
    return "failed" if job.state == State.FAILED else "was canceled"


def retry_sweep(sweep: SweepSeen) -> Proposed:
    """Propose to run the members of a sweep again that failed or were canceled."""
    progress = progress_of(sweep)
    failed, canceled = progress["failed"], progress["canceled"]
    if not failed + canceled:
        return f"no member of {_swept(sweep)} failed or was canceled"
    says = []
    if failed:
        says.append(_members(failed, "failed", "failed"))
    if canceled:
        says.append(_members(canceled, "was canceled", "were canceled"))
    says.append("They keep their places in line and go on from their checkpoints.")
    title = f"Run members of {_swept(sweep)} again?"
    return Proposal(title, tuple(says), (("retry", str(sweep.number)),))


def hold(job: JobView, _settings: Settings) -> Proposed:
    """Propose to hold a waiting job, or to release a held one."""
    if job.held:
        says = f"It is held: {job.held}. Released, it goes back to its place in line."
        return Proposal(f"Release {_called(job)}?", (says,), (("release", job.id),))
    if job.state not in WAITING:
        return f"{_called(job)} is {job.state}: only a job that waits can be held"
    says = "It stays in its place, and does not start until you release it."
    return Proposal(f"Hold {_called(job)}?", (says,), (("hold", job.id),))


def hold_sweep(sweep: SweepSeen) -> Proposed:
    """Propose to hold a sweep, or to release it."""
    progress = progress_of(sweep)
    number = str(sweep.number)
    if sweep.held or (progress[HELD] and not progress["queued"]):
        why = f"It is held: {sweep.held}. " if sweep.held else ""
        says = why + _members(progress[HELD], "may start again", "may start again")
        return Proposal(f"Release {_swept(sweep)}?", (says,), (("release", number),))
    if not progress["queued"]:
        return f"no member of {_swept(sweep)} waits"
    runs = " What runs goes on." if progress["running"] else ""
    stays = "waits and does not start until you release it"
    stay = "wait and do not start until you release them"
    says = _members(progress["queued"], stays, stay)
    return Proposal(f"Hold {_swept(sweep)}?", (says + runs,), (("hold", number),))


OF_A_JOB: dict[str, Callable[[JobView, Settings], Proposed]] = {
    "cancel": cancel,
    "retry": retry,
    "hold": hold,
}
OF_A_SWEEP: dict[str, Callable[[SweepSeen], Proposed]] = {
    "cancel": cancel_sweep,
    "retry": retry_sweep,
    "hold": hold_sweep,
}


def pause(paused: str) -> Proposed:
    """Propose to pause the queue, or to let it go on."""
    if paused:
        says = f"It is paused: {paused}. Machines take jobs again."
        return Proposal("Let the queue go on?", (says,), (("resume",),))
    says = "No machine takes another job until you resume it. What runs goes on."
    return Proposal("Pause the whole queue?", (says,), (("pause",),))


def drain(
    name: str, heard_s: float, record: Mapping[str, Any], settings: Settings, lease_s: float
) -> Proposed:
    """Propose to drain a machine, or to let a drained one take jobs again.

    Args:
        name: the machine.
        heard_s: for how long the queue has not heard it.
        record: what it last said.
        settings: of this installation: which machine this is, and how the others are called.
        lease_s: a machine that is silent for longer has no worker as far as the queue knows.
    """
    where = _where(name, settings)
    how = "by ssh" if where else "on this machine"
    if heard_s > lease_s:
        says = "The queue does not hear it."
        starts = f"Starts its worker {how}, with all its cores, memory and GPUs."
        title = f"Let {name} take jobs again?"
        return Proposal(title, (says, starts), (("worker", "start", *where),))
    held = len(listed(record, "attempts"))
    if str(record.get("note") or "").startswith("drain"):
        jobs = f"Its {count(held, 'job')} go on. " if held else ""
        says = f"It drains. {jobs}Stops its worker and starts it anew {how}, with all its cores,"
        commands = (("worker", "stop", *where), ("worker", "start", *where))
        return Proposal(f"Let {name} take jobs again?", (f"{says} memory and GPUs.",), commands)
    last = f"when its {count(held, 'job')} ended" if held else "at once, as no job runs there"
    says = f"Its worker takes no more jobs, and stops {last}. Done {how}."
    return Proposal(f"Drain {name}?", (says,), (("worker", "drain", *where),))


def _where(name: str, settings: Settings) -> Sequence[str]:
    """Return the options that name a machine; none for this one."""
    if name == settings.machine and not settings.is_remote:
        return ()
    known = {one.rpartition("@")[2].split(".")[0]: one for one in settings.machines}
    return ("--on", known.get(name.split(".", maxsplit=1)[0], name))
