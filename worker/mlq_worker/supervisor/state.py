"""What the supervisor holds, and what follows from each event: events in, instructions out.

Pure: no clock, socket or process is touched here (the idea of dask.distributed's worker state
machine). The loop hands in one event at a time and carries out the `Instructions` that come back.
Invariants: an order starts at most once at a time, never while its fence is down; an attempt ends
exactly once; what has ended is held until the worker says that its end is committed.

`transitions` says which event may come in which phase, `reactions` what follows from it. An event
that is impossible is an error about one attempt: it changes nothing, and the log records what
happened to the attempt before. All other jobs run on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from mlq.jobs.attempt import AttemptId
from mlq_worker.ipc.launcher_messages import Spawn
from mlq_worker.ipc.procfs import Target
from mlq_worker.liveness import fence
from mlq_worker.supervisor import termination, transitions
from mlq_worker.supervisor.admission import AHEAD, Admission
from mlq_worker.supervisor.attempt import LIVE, HeldAttempt, Instructions, Phase
from mlq_worker.supervisor.events import (
    Beaten,
    Demanded,
    Event,
    FenceTicked,
    LauncherCleared,
    LauncherDied,
    LauncherStarted,
    LeaderEnded,
    OrderReceived,
    Renewed,
    SignalHeeded,
    SignalUnheeded,
    Ticked,
    TimeEvent,
    UntimedEvent,
)
from mlq_worker.supervisor.reactions import Reactions

_FREQUENT = Renewed | Beaten | Demanded
"""Events that are remembered only if something came of them."""


class Attempts:
    """All attempts of this machine; `handle` alone changes them.

    Args:
        timings: the settings of liveness.
        machine: the machine's name, for results made here.
        boot_id: this boot's id, for results made here.
        ahead: how many orders of a lane the launcher is given beyond those that run.
    """

    def __init__(
        self, timings: fence.LivenessTimings, machine: str, boot_id: str, ahead: int = AHEAD
    ) -> None:
        self._timings = timings
        self._reactions = Reactions(timings, (machine, boot_id))
        self._held: dict[AttemptId, HeldAttempt] = {}
        self._live: dict[AttemptId, HeldAttempt] = {}
        self._admission = Admission(timings, ahead)
        self._at = 0.0
        self._beat_at = float("-inf")
        self._has_launcher = False

    # --- what there is --------------------------------------------------------------------------

    @property
    def held(self) -> list[HeldAttempt]:
        """Everything not forgotten."""
        return list(self._held.values())

    @property
    def live(self) -> list[HeldAttempt]:
        """Everything that may have processes."""
        return list(self._live.values())

    @property
    def fenced(self) -> int:
        """How many are paused because neither channel answers."""
        return sum(attempt.is_fenced for attempt in self._live.values())

    def paused_targets(self) -> set[Target]:
        """Return those of them whose processes are paused."""
        return {one.target for one in self._live.values() if one.paused_at is not None}

    @property
    def empty(self) -> bool:
        """Whether nothing is held."""
        return not self._held

    @property
    def idle(self) -> bool:
        """Whether nothing waits, runs or is being ended."""
        return all(attempt.phase is Phase.ENDED for attempt in self._held.values())

    def due_at(self) -> float:
        """Return the boot time of the next thing for `Ticked` to do; infinity if there is none."""
        times = [float("inf")]
        for attempt in self._live.values():
            times.append(termination.due_at(attempt))
            if not attempt.is_fenced:
                times.append(fence.run_until(attempt.contact, self._timings))
        return min(times)

    # --- the one mutator ------------------------------------------------------------------------

    def handle(self, event: Event, out: Instructions | None = None) -> Instructions:
        """Handle an event; return what to do about it, added to `out` if given."""
        out = Instructions() if out is None else out
        if isinstance(event, TimeEvent):
            self._pass_time(event, out)
            return out
        match event:
            case LauncherStarted():
                self._has_launcher = True
            case LauncherDied():
                self._has_launcher = False
            case Beaten(began_at):
                self._beat_at = began_at  # protects what is claimed from now on, too
        for attempt in self._reached(event, out):
            if transitions.after(event, attempt.phase):
                phase = self._reactions.react(attempt, event, out)
                self._change(attempt, event, phase, out)
            else:
                out.errors.append(_impossible(event, attempt))
        return out

    def _pass_time(self, event: TimeEvent, out: Instructions) -> None:
        # It is possible for all that lives, and changes no phase but in `_admit`: not looked up for
        # each, since this comes several times for each short job.
        self._at = event.now.at
        react = self._reactions.fence if isinstance(event, FenceTicked) else self._reactions.tick
        for attempt in self.live:
            react(attempt, event.now, out)
        if isinstance(event, Ticked) and self._has_launcher:
            self._admit(event, out)

    def _reached(self, event: UntimedEvent, out: Instructions) -> Iterable[HeldAttempt]:
        """Return the attempts that an event concerns."""
        match event:
            case LeaderEnded(target) | SignalUnheeded(target) | SignalHeeded(target):
                # It may have ended meanwhile, which is no error.
                return [one for one in self._live.values() if one.target == target]
            case LauncherStarted():
                return []
            case Beaten() | LauncherDied() | LauncherCleared():
                return self.held
        held = self._held.get(event.attempt)
        if held is not None:
            return [held]
        if isinstance(event, OrderReceived):
            return [self._new(event)]
        if not transitions.after(event, Phase.UNHELD):
            out.errors.append(f"{_name(event)} cannot happen to {event.attempt}, which is not held")
        return []

    def _new(self, event: OrderReceived) -> HeldAttempt:
        # No beat has named it yet, so a beat after its claim does not protect it: a worker that was
        # frozen between claim and order may order what is another machine's by now.
        at = event.claimed_at
        contact = fence.Contact(at, min(self._beat_at, at))
        return HeldAttempt(event.order, contact, Phase.UNHELD)

    def _change(self, attempt: HeldAttempt, event: Event, phase: Phase, out: Instructions) -> None:
        """Bring an attempt into a phase if the table allows it; no other code sets a phase."""
        before = attempt.phase
        if phase not in transitions.after(event, before):
            out.errors.append(f"{_impossible(event, attempt)}, into {phase.name}")
            return
        attempt.phase = phase
        if before in LIVE and phase not in LIVE:
            del self._live[attempt.id]
            if phase is Phase.WAITING:
                self._admission.come_back(attempt)
            else:
                self._admission.leave(attempt)
        elif phase in LIVE:
            self._live[attempt.id] = attempt
        if before is Phase.UNHELD:
            self._held[attempt.id] = attempt
            self._admission.join(attempt)
        elif phase is Phase.UNHELD:
            del self._held[attempt.id]
        if before is not phase or not isinstance(event, _FREQUENT):
            attempt.remember(self._at, _name(event), before, phase)

    def _admit(self, event: Ticked, out: Instructions) -> None:
        for attempt, start_by, width in self._admission.admit(event.now.at):
            self._change(attempt, event, Phase.STARTING, out)
            out.spawn.append(Spawn(replace(attempt.order, width=width), start_by))


def _name(event: Event) -> str:
    return type(event).__name__


def _impossible(event: Event, attempt: HeldAttempt) -> str:
    return (
        f"{_name(event)} cannot happen to {attempt.id} in phase {attempt.phase.name} "
        f"(what happened to it before: {attempt.story()})"
    )
