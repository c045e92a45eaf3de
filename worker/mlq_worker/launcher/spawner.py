"""Starting jobs, reaping them and clearing up after them: what the launcher's main thread does.

Starting and reaping belong to one thread, since PR_SET_PDEATHSIG is about the thread that forked;
what may hang in NFS goes to a pool. Invariant: an attempt is reported as gone only when none of its
processes is left: its keeper has ended.
"""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from mlq.jobs.attempt import AttemptId
from mlq_worker.ipc import processes
from mlq_worker.ipc.causes import NO_CAUSE, Cause, Kind
from mlq_worker.ipc.channel import Channel
from mlq_worker.ipc.launcher_messages import Commands, Recorded
from mlq_worker.ipc.values import Result, Share, Started, Termination, unstarted_result
from mlq_worker.keeper.start import Scheduling
from mlq_worker.launcher.aftermath import Found
from mlq_worker.launcher.attempt import SWEEP_S, LaunchedAttempt
from mlq_worker.launcher.edges import Edges
from mlq_worker.launcher.keepers import Descriptors, Gone, Leader
from mlq_worker.launcher.kept_limit import overstepped, with_usage
from mlq_worker.launcher.lookup import Failure
from mlq_worker.launcher.outbox import Outbox
from mlq_worker.launcher.prefetch import Lanes
from mlq_worker.launcher.prepare import FOREIGN, Ready
from mlq_worker.launcher.result_writer import ResultWriter
from mlq_worker.launcher.results import classify, no_process, spawn_fault, usage
from mlq_worker.launcher.wishes import WishWatch

_ALLOCATION_ENDS = "handed back: its allocation was told to end"
_TOLD_LATE_S = 0.3
_SWEEP_MAX_S = 0.5
_TRACKER_S = 0.05  # what Python's resource tracker needs to clear up after a killed program
_UNFORKED = "the kernel lets none be forked"


class Spawner:
    """Everything the launcher knows, and what it does about each message and each death.

    Args:
        channel: the connection to the supervisor.
        place: machine and boot id, for results.
        edges: all that it touches.
    """

    def __init__(self, channel: Channel, place: tuple[str, str], edges: Edges) -> None:
        self._place, self._host, self._files = place, edges.host, edges.files
        self.keepers, self.pool, self._aftermath = edges.keepers, edges.pool, edges.aftermath
        self.copying, self.clearing = edges.copying, edges.clearing
        self._cgroups = edges.cgroups
        self._attempts: dict[AttemptId, LaunchedAttempt] = {}
        self._by_pid: dict[int, LaunchedAttempt] = {}
        self._lanes: Lanes[LaunchedAttempt] = Lanes()
        self._leaving: list[LaunchedAttempt] = []
        self._outbox = Outbox(channel, self._host.boottime)
        self._writer = ResultWriter(edges, self._outbox.recorded)
        self._wishes = WishWatch(edges.wishes, self._host.boottime, self._outbox.asked)
        self._ended: deque[tuple[float, LaunchedAttempt, Found]] = deque()
        self.stop_requested = self.is_told_late = self.is_guest = False

    # --- messages ---------------------------------------------------------------------------------

    def handle(self, commands: Commands) -> None:
        """Do what the supervisor says."""
        for order, start_by, cores in commands.spawn:
            attempt = LaunchedAttempt(order, start_by, cores)
            self._attempts[order.attempt] = attempt
            if order.lane is not None:
                self._lanes.join(order.lane, order.width, attempt)
            pool = self.pool if order.code is None else self.copying
            pool.submit(partial(self._prepare, attempt))
        for termination in commands.end:
            self._condemn(termination)
        for result in commands.record:
            self._writer.put(result)
        for attempt_id in commands.forget:
            self._writer.forget(attempt_id)
        for attempt_id in commands.tidy:
            self.clearing.submit(partial(self._tidy, attempt_id))

    def _tidy(self, attempt_id: AttemptId) -> Callable[[], None]:
        trouble = self._files.tidy(attempt_id)
        return partial(self._host.note, trouble) if trouble else _nothing

    def _condemn(self, termination: Termination) -> None:
        attempt = self._attempts.get(termination.attempt)
        if attempt is None:
            return
        attempt.termination = termination
        self._aftermath.killed(attempt.id, attempt.target)
        if attempt.started is None:  # whatever its preparation finds, it will not run
            self._end_unstarted(attempt, Failure(termination.outcome, None, termination.reason))

    # --- starting ---------------------------------------------------------------------------------

    def _prepare(self, attempt: LaunchedAttempt) -> Callable[[], None]:
        return partial(self._start, attempt, self._files.prepare(attempt.order))

    def _start(self, attempt: LaunchedAttempt, prepared: Ready | Failure) -> None:
        if isinstance(prepared, Failure):
            attempt.foreign = prepared.outcome in FOREIGN
            if attempt.result is None:
                self._end_unstarted(attempt, prepared)
            return
        attempt.ready = prepared
        lane = attempt.order.lane
        if attempt.result is not None:
            self._close_log(attempt)
        elif lane is not None:
            self._advance(lane)
        else:
            self._spawn(attempt, prepared)

    def _advance(self, lane: str) -> None:
        """Start what may start in a lane."""
        while (attempt := self._lanes.next(lane)) is not None:
            if attempt.ready is not None and attempt.result is None:
                self._spawn(attempt, attempt.ready)
            if attempt.started is None:
                self._lanes.leave(lane)

    def _close_log(self, attempt: LaunchedAttempt) -> None:
        if attempt.ready is not None:
            self._files.close(attempt.ready.logs)
            attempt.ready = None

    def _spawn(self, attempt: LaunchedAttempt, ready: Ready) -> None:
        try:
            self._try_to_spawn(attempt, ready)
        finally:
            self._close_log(attempt)

    def _try_to_spawn(self, attempt: LaunchedAttempt, ready: Ready) -> None:
        order = attempt.order
        if self._host.boottime() > attempt.start_by:
            del self._attempts[attempt.id]
            self._files.expect(attempt.id)
            self._outbox.late(attempt.id)
            return
        env = {**ready.variables, **order.env, **ready.secrets}
        env.update(self._wishes.variables(attempt.id))
        attempt.hidden = tuple(ready.secrets.values())
        cores = attempt.take_cores(self._by_pid.values())
        scheduling = Scheduling(cores, self.is_guest)
        cgroup = self._cgroups.make(order.attempt, order.share or Share())
        files = Descriptors(*ready.logs, cgroup)
        try:
            pid = self.keepers.start(order.mark, order.cwd, ready.argv, env, files, scheduling)
        except (OSError, ValueError) as error:
            self._cgroups.ended(order.attempt)
            self._end_unstarted(attempt, spawn_fault(error, self._place[0]))
            return
        finally:
            if cgroup is not None:
                os.close(cgroup)
        seen = self._host.look_at(pid)
        if seen is None:
            raise RuntimeError(f"process {pid} vanished before it was reaped")
        attempt.started = Started(
            attempt.id, pid, seen.start, self._host.utc_now(), self._host.boottime()
        )
        self._by_pid[pid] = attempt
        self._aftermath.started(attempt.id, ready.shared_memory, apart=attempt.is_apart)
        attempt.follow(ready.followed)
        self._outbox.started(attempt.started)

    def _end_unstarted(self, attempt: LaunchedAttempt, why: Failure) -> None:
        result = unstarted_result(
            attempt.id, self._place, (why.outcome, why.reason), self._host.utc_now()
        )
        attempt.result = replace(
            result, exit_code=why.exit_code, cause=why.cause or NO_CAUSE, found=why.found
        )
        self._close_log(attempt)
        self._finish(attempt)

    # --- ending -----------------------------------------------------------------------------------

    def reap(self) -> None:
        """Take note of the dead: leaders of jobs, and keepers, below which nothing is left."""
        leaders, gone = self.keepers.hear()
        for leader in leaders:
            attempt = self._by_pid.get(leader.keeper)
            if attempt is not None:
                self._leader_ended(attempt, leader)
        for keeper in gone:
            attempt = self._by_pid.pop(keeper.pid, None)
            if attempt is not None:
                self._keeper_ended(attempt, keeper)

    def _leader_ended(self, attempt: LaunchedAttempt, leader: Leader) -> None:
        outcome, exit_code, number, reason = classify(leader.status)
        attempt.result = Result(
            attempt.id,
            *self._place,
            outcome,
            exit_code,
            number,
            reason,
            started_at=attempt.started.started_at if attempt.started else None,
            ended_at=self._host.utc_now(),
            cpu_s=0.0,
            max_rss_mib=0,
        )
        if (exit_code or number is not None) and attempt.termination is None:
            has_gpu = bool(attempt.order.env.get("CUDA_VISIBLE_DEVICES"))
            self._aftermath.failed(attempt.result, has_gpu=has_gpu)
        if exit_code and attempt.failed_soon(self._host.boottime()):
            self._aftermath.failed_in_copy(attempt.id)
        # Its keeper ends at once if nothing is left, and a look at all processes is dear.
        attempt.sweep_at = self._host.boottime() + attempt.sweep_s
        if number is not None:
            attempt.sweep_at += _TRACKER_S
            self._aftermath.killed(attempt.id, attempt.target)
        self._leaving.append(attempt)

    def _keeper_ended(self, attempt: LaunchedAttempt, keeper: Gone) -> None:
        attempt.keeper = keeper
        if attempt.result is None:
            # It was killed, and its leader with it; or the kernel let it fork no leader.
            self._leader_ended(attempt, Leader(keeper.pid, keeper.status))
        result = attempt.its_result
        if os.WIFEXITED(keeper.status) and keeper.status:
            result = replace(
                result,
                outcome="released",
                exit_code=None,
                reason=no_process(result.machine, _UNFORKED),
                started_at=None,
                cause=Cause(Kind.MACHINE),
            )
        cpu_s, max_rss_mib = usage(keeper.usage)
        result = replace(result, cpu_s=cpu_s, max_rss_mib=max_rss_mib)
        well = result.exit_code == 0
        attempt.result = with_usage(result, self._cgroups.ended(attempt.id, well=well))

    def clear(self) -> float:
        """End what ended jobs left behind and report the jobs of which nothing is left.

        Returns:
            The boot time at which to call again; infinity if nothing is left.
        """
        if not self._leaving:
            return float("inf")
        now = self._host.boottime()
        orphans = self.keepers.end_orphans()
        remaining: list[LaunchedAttempt] = []
        for attempt in self._leaving:
            if attempt.keeper is None or (orphans and os.WIFSIGNALED(attempt.keeper.status)):
                self._sweep(attempt, now)
                remaining.append(attempt)
            elif (found := self._found(attempt, now)) is None:
                attempt.sweep_at = now + SWEEP_S
                remaining.append(attempt)
            else:
                self._finish_in_a_moment(attempt, found)
        self._leaving = remaining
        return min((attempt.sweep_at for attempt in remaining), default=float("inf"))

    def _found(self, attempt: LaunchedAttempt, now: float) -> Found | None:
        notes = attempt.notes_of_files(now)
        found = None if notes is None else self._aftermath.found(attempt.id)
        return None if found is None else found._replace(notes=found.notes + (notes or ()))

    def _sweep(self, attempt: LaunchedAttempt, now: float) -> None:
        """Kill what is left of a job, unless it still has a grace."""
        if now < attempt.sweep_at:
            return
        if (attempt.termination is None or now >= attempt.termination.kill_at) and processes.waits(
            self._host, attempt.target
        ):
            processes.kill_all(self._host, partial(processes.members, self._host, [attempt.target]))
        attempt.sweep_at = now + attempt.sweep_s
        attempt.sweep_s = min(2 * attempt.sweep_s, _SWEEP_MAX_S)

    def _finish_in_a_moment(self, attempt: LaunchedAttempt, found: Found) -> None:
        """Finish now, unless the job may have been told to end by others, just before this process.

        Slurm without cgroups tells each process of an allocation, one after the other. A job may
        save its state and exit with 0 within milliseconds, and yet it has not finished.
        """
        if self.is_told_late and attempt.termination is None and not self.stop_requested:
            self._ended.append((self._host.boottime() + _TOLD_LATE_S, attempt, found))
        else:
            self._finish(attempt, found)

    def _finish_ended(self, now: float) -> float:
        """Finish what has ended a moment ago; return when to call again."""
        while self._ended and (self.stop_requested or self._ended[0][0] <= now):
            _, attempt, found = self._ended.popleft()
            self._finish(attempt, found)
        return self._ended[0][0] if self._ended else float("inf")

    def _finish(self, attempt: LaunchedAttempt, found: Found | None = None) -> None:
        notes, shortage = found or Found()
        result = attempt.its_result
        result = replace(result, notes=notes, shortage=result.shortage or shortage)
        if attempt.termination is not None:
            end = attempt.termination
            result = replace(result, outcome=end.outcome, reason=end.reason, asked_s=end.asked_s)
            result = replace(result, shortage=end.shortage)
            if end.outcome == "overstepped":
                result = overstepped(result)
        elif self.stop_requested and self.is_told_late:
            result = replace(result, outcome="released", reason=_ALLOCATION_ENDS)
        elif self.stop_requested and result.signal in (signal.SIGTERM, signal.SIGHUP):
            # A machine that shuts down signals everything: not the job's fault.
            reason = "released: the machine shuts down"
            result = replace(result, outcome="released", reason=reason)
        attempt.result = result = self._wishes.ended(result, attempt.started)
        self._attempts.pop(attempt.id, None)
        self._outbox.gone(result)
        if attempt.foreign:  # in the place of its result lies what is not ours
            self._outbox.recorded(Recorded(attempt.id, is_written=True))
        else:
            self._writer.put(result, attempt.hidden)
        self._make_way(attempt)

    def _make_way(self, attempt: LaunchedAttempt) -> None:
        lane = attempt.order.lane
        if lane is None:
            return
        if attempt.started is not None:
            self._lanes.leave(lane)
        self._advance(lane)

    # --- time -------------------------------------------------------------------------------------

    def tick(self) -> float:
        """Do what is due; return the boot time at which to call again."""
        now = self._host.boottime()
        due = min(self.clear(), self._writer.tick(now))  # first: they give the threads work
        due = min(due, self._finish_ended(now))
        return min(
            due,
            self._wishes.tick(now, self._by_pid.values()),
            self.pool.tick(now),
            self.copying.tick(now),
            self.clearing.tick(now),
            self._send(now),
        )

    def _send(self, now: float) -> float:
        # While there are jobs to go on with, news can wait a moment for more.
        return self._outbox.send(now, at_once=not self._lanes.crowded)


def _nothing() -> None:
    """Do nothing."""
