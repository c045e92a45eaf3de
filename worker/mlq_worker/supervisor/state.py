"""What the supervisor holds, and what follows from each event: orders in, instructions out.

Pure: no clock, socket or process is touched here (the idea of dask.distributed's worker state
machine). The loop feeds events in, takes the `Instructions` and carries them out. Invariants: an
order starts at most once at a time, never while its fence is down; an attempt ends exactly once;
what has ended is held until the worker says that its end is committed.

An attempt is WAITING (see `waiting`), STARTING at the launcher, RUNNING, LEAVING (all its processes
are gone, its result is being written) and ENDED. ORPHANED: the launcher died, its processes are
being killed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from mlq_worker.ipc.clock import Moment
from mlq_worker.ipc.messages import (
    Key,
    Order,
    Outcome,
    Result,
    Started,
    key_of,
    unstarted_result,
)
from mlq_worker.ipc.processes import Target
from mlq_worker.liveness import fence
from mlq_worker.supervisor import termination
from mlq_worker.supervisor.admission import AHEAD, Admission
from mlq_worker.supervisor.attempt import Attempt, Instructions, Phase

_LIVE = frozenset({Phase.STARTING, Phase.RUNNING, Phase.ORPHANED})


class Attempts:
    """All attempts of this machine.

    Args:
        spans: the settings of liveness.
        machine: the machine's name, for results made here.
        boot_id: this boot's id, for results made here.
        ahead: how many orders of a lane the launcher is given beyond those that run.
    """

    def __init__(
        self, spans: fence.LivenessTimings, machine: str, boot_id: str, ahead: int = AHEAD
    ) -> None:
        self._spans = spans
        self._place = (machine, boot_id)
        self._held: dict[Key, Attempt] = {}
        self._live: dict[Key, Attempt] = {}
        self._waiting = Admission(spans, ahead)
        self._out = Instructions()
        self._beat_at = float("-inf")
        self.launcher_up = False

    def take(self) -> Instructions:
        """The instructions gathered since the last call."""
        out, self._out = self._out, Instructions()
        return out

    @property
    def held(self) -> list[Attempt]:
        """Everything not forgotten."""
        return list(self._held.values())

    @property
    def live(self) -> list[Attempt]:
        """Everything that may have processes."""
        return list(self._live.values())

    @property
    def paused(self) -> int:
        """How many are paused."""
        return sum(attempt.paused_at is not None for attempt in self._live.values())

    @property
    def empty(self) -> bool:
        """Whether nothing is held."""
        return not self._held

    @property
    def idle(self) -> bool:
        """Whether nothing waits, runs or is on its way to its end."""
        return all(attempt.phase is Phase.ENDED for attempt in self._held.values())

    # --- what the worker says -------------------------------------------------------------------

    def order(self, orders: Iterable[Order], at: float) -> None:
        """Takes orders; one that is already held changes nothing (the worker may repeat itself).

        Args:
            orders: what to start.
            at: a boot time not later than the order was given; counts as contact with Redis, which
                has just leased the attempt.
        """
        for order in orders:
            key = key_of(order)
            if key in self._held:
                continue
            # No beat has named it yet, so one after its claim does not speak for it: a worker that
            # was frozen with the claim in its hand orders what may be somebody else's by now.
            attempt = Attempt(order, fence.Contact(at, min(self._beat_at, at)))
            self._held[key] = attempt
            self._waiting.join(attempt)

    def stop(self, key: Key, outcome: Outcome, reason: str, now: Moment) -> None:
        """Ends an attempt early; the worker's latest word counts."""
        attempt = self._held.get(key)
        if attempt is not None:
            self._end(attempt, outcome, reason, now)

    def stop_all(self, outcome: Outcome, reason: str, now: Moment) -> None:
        """Ends everything."""
        for attempt in self.held:
            self._end(attempt, outcome, reason, now)

    def confirm(self, at: float, alive: Iterable[Key], lost: Iterable[Key], now: Moment) -> None:
        """A renewal sent at `at` found the attempts `alive` ours and the attempts `lost` not."""
        for key in alive:
            attempt = self._held.get(key)
            if attempt is not None:
                attempt.contact = fence.confirmed(attempt.contact, at)
        for key in lost:
            self.stop(key, "lost", "lost: the queue gave the attempt up", now)

    def forget(self, keys: Iterable[Key]) -> None:
        """Drops what has ended; what has not is kept (the worker is mistaken)."""
        for key in keys:
            attempt = self._held.get(key)
            if attempt is not None and attempt.phase is Phase.ENDED:
                del self._held[key]
                self._out.forget.append(key)

    # --- what the beat says ---------------------------------------------------------------------

    def beaten(self, began_at: float, ended_at: float) -> None:
        """A beat was written, from `began_at` to `ended_at`."""
        self._beat_at = began_at  # protects what is claimed from now on, too
        for attempt in self._held.values():
            attempt.contact = fence.beaten(attempt.contact, began_at, ended_at, self._spans)

    # --- what the launcher says -----------------------------------------------------------------

    def started(self, started: Iterable[Started]) -> None:
        """These run."""
        for item in started:
            attempt = self._live.get(key_of(item))
            if attempt is None or attempt.phase is not Phase.STARTING:
                continue
            attempt.phase, attempt.started = Phase.RUNNING, item
            limit_s = attempt.order["time_limit_s"]
            attempt.limit_at = None if limit_s is None else item["at"] + limit_s
            self._out.started.append(item)
            if attempt.ending is not None:
                self._out.terminate.append(attempt.target)

    def late(self, keys: Iterable[Key], now: Moment) -> None:
        """The launcher did not start these, since their time to start had passed."""
        for key in keys:
            attempt = self._live.pop(key, None)
            if attempt is None:
                continue
            attempt.phase = Phase.WAITING
            self._waiting.come_back(attempt)
            if attempt.ending is not None:
                self._end(attempt, *attempt.ending, now)

    def gone(self, results: Iterable[Result]) -> None:
        """No process of these is left; their results are being written."""
        for result in results:
            attempt = self._live.pop(key_of(result), None)
            if attempt is not None:
                self._waiting.leave(attempt)
                attempt.phase, attempt.result, attempt.paused_at = Phase.LEAVING, result, None

    def stored(
        self, keys: Iterable[Key], lines: Iterable[Sequence[Any]] = (), *, written: bool = True
    ) -> None:
        """The results of these are on NFS, or will not be soon; `lines` end the logs of some."""
        for job_id, number, line in lines:
            attempt = self._held.get((job_id, number))
            if attempt is not None and attempt.result:
                attempt.result["last_line"] = line
        for key in keys:
            attempt = self._held.get(key)
            if attempt is not None and attempt.phase is Phase.LEAVING and attempt.result:
                attempt.phase = Phase.ENDED
                if not written:
                    attempt.result["unwritten"] = True
                self._out.ended.append(attempt.result)

    def launcher_died(self) -> None:
        """What was started dies with the launcher; what was ending has ended."""
        self.launcher_up = False
        for attempt in self._held.values():
            if attempt.phase in _LIVE:
                attempt.phase, attempt.kill_at = Phase.ORPHANED, None
            elif attempt.phase is Phase.LEAVING and attempt.result:
                self._report(attempt, attempt.result)

    def cleared(self, now: Moment) -> None:
        """No process of what the dead launcher had started is left."""
        for attempt in self.live:
            if attempt.phase is Phase.ORPHANED:
                del self._live[attempt.key]
                self._waiting.leave(attempt)
                self._end_unstarted(attempt, "lost", "lost: the launcher died", now)

    # --- what its processes do ------------------------------------------------------------------

    def over(self, targets: Collection[Target], now: Moment) -> None:
        """Those that were told to end have ended, of each of these."""
        for attempt in self._of(targets):
            termination.over(attempt, now.at)

    def unheeded(self, targets: Collection[Target]) -> None:
        """None of these handled the signal that its user asked for."""
        for attempt in self._of(targets):
            attempt.unheeded = True

    def _of(self, targets: Collection[Target]) -> list[Attempt]:
        return [one for one in self._live.values() if one.target in targets] if targets else []

    # --- what time says -------------------------------------------------------------------------

    def fence(self, now: Moment) -> None:
        """Pauses what may not run any more; the first thing to do after any wait."""
        for attempt in self._live.values():
            if (
                attempt.paused_at is None
                and attempt.phase is Phase.RUNNING
                and not fence.may_run(attempt.contact, now.at, self._spans)
            ):
                attempt.paused_at = now.at
                self._out.pause.append(attempt.target)

    def tick(self, now: Moment) -> None:
        """Pauses, resumes, times out, kills and starts whatever is due."""
        self.fence(now)
        for attempt in self.live:
            if attempt.paused_at is not None and fence.may_run(
                attempt.contact, now.at, self._spans
            ):
                self._resume(attempt, now.at)
            termination.signal_ahead(attempt, now.at, self._out)
            if termination.is_over_limit(attempt, now.at):
                self._end(attempt, "timeout", termination.limit_reason(attempt), now)
            else:
                termination.go_on(attempt, now.at, self._out)
        if self.launcher_up:
            for attempt, until in self._waiting.admit(now.at):
                attempt.phase = Phase.STARTING
                self._live[attempt.key] = attempt
                self._out.spawn.append((attempt.order, until))

    def due_at(self) -> float:
        """The boot time of the next thing that `tick` has to do; infinity if there is none."""
        times = [float("inf")]
        for attempt in self._live.values():
            times.append(termination.due_at(attempt))
            if attempt.paused_at is None:
                times.append(fence.run_until(attempt.contact, self._spans))
        return min(times)

    # --- inside ---------------------------------------------------------------------------------

    def _resume(self, attempt: Attempt, at: float) -> None:
        paused_s = at - (attempt.paused_at or at)
        attempt.paused_at = None
        self._out.resume.append(attempt.target)
        if attempt.limit_at is not None:
            attempt.limit_at += paused_s  # a pause is not the job's time
        if attempt.ending is not None and attempt.kill_at is None:
            termination.tell(attempt, at, self._out)

    def _end(self, attempt: Attempt, outcome: Outcome, reason: str, now: Moment) -> None:
        if attempt.phase is Phase.WAITING:
            self._end_unstarted(attempt, outcome, reason, now)
        if attempt.phase in (Phase.STARTING, Phase.RUNNING):
            termination.begin(attempt, outcome, reason, now.at, self._out)

    def _end_unstarted(self, attempt: Attempt, outcome: Outcome, reason: str, now: Moment) -> None:
        result = unstarted_result(attempt.key, self._place, outcome, reason, now.utc)
        result["started_at"] = attempt.started and attempt.started["started_at"]
        self._report(attempt, result)

    def _report(self, attempt: Attempt, result: Result) -> None:
        attempt.phase, attempt.result, attempt.paused_at = Phase.ENDED, result, None
        self._out.record.append(result)
        self._out.ended.append(result)
