"""Starting jobs, reaping them and clearing up after them: what the launcher's main thread does.

Starting and reaping belong to one thread, since PR_SET_PDEATHSIG is about the thread that forked;
what may hang in NFS goes to a pool. Invariant: an attempt is reported as gone only when none of its
processes is left: its keeper has ended.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial
from typing import Any

from mlq.files.layout import Layout
from mlq.files.root import LastLook
from mlq_worker.ipc import processes
from mlq_worker.ipc.causes import Cause, Kind
from mlq_worker.ipc.channel import Channel
from mlq_worker.ipc.clock import boottime, utc_now
from mlq_worker.ipc.messages import Key, Termination, key_of, keys_of, unstarted_result
from mlq_worker.launcher.aftermath import Aftermath
from mlq_worker.launcher.attempt import SWEEP_S, Job
from mlq_worker.launcher.holder import Holder
from mlq_worker.launcher.io_threads import Pool
from mlq_worker.launcher.keepers import Gone, Keepers, Leader
from mlq_worker.launcher.lookup import Failure
from mlq_worker.launcher.outbox import Report
from mlq_worker.launcher.prefetch import Lanes
from mlq_worker.launcher.prepare import FOREIGN, Preparation, Ready
from mlq_worker.launcher.result_writer import ResultWriter
from mlq_worker.launcher.results import classify, spawn_fault, usage

_POOL_SIZE = 4
_SWEEP_MAX_S = 0.5
_TRACKER_S = 0.05  # Python's resource tracker clears up after a killed program, if it lives so long
_UNFORKED_REASON = "cannot start a process here: the kernel lets none be forked"


class Spawner:
    """Everything the launcher knows, and what it does about each message and each death.

    Args:
        channel: the connection to the supervisor.
        layout: where jobs have their folders.
        place: machine and boot id, for results.
        keepers: how jobs are executed.
        supervisor_id: of the supervisor, to be left beside each attempt.
    """

    def __init__(
        self,
        channel: Channel,
        layout: Layout,
        place: tuple[str, str],
        keepers: Keepers,
        supervisor_id: str = "",
    ) -> None:
        last_look, holder = LastLook(), Holder(*place, supervisor_id)
        self._preparation = Preparation(layout, holder, last_look=last_look)
        self._place = place
        self._aftermath = Aftermath(layout)
        self.keepers = keepers
        self._jobs: dict[Key, Job] = {}
        self._by_pid: dict[int, Job] = {}
        self._lanes: Lanes[Job] = Lanes()
        self._leaving: list[Job] = []
        self._report = Report(channel)
        self.pool = Pool(_POOL_SIZE)
        self._shelf = ResultWriter(layout, self.pool, self._report.tell, last_look)
        self.told_to_end = False

    # --- messages ---------------------------------------------------------------------------------

    def handle(self, message: dict[str, Any]) -> None:
        """Does what the supervisor says."""
        for order, start_by in message.get("spawn", ()):
            job = self._jobs[key_of(order)] = Job(order, start_by)
            if order["lane"] is not None:
                self._lanes.join(order["lane"], order["width"], job)
            self.pool.submit(partial(self._prepare, job))
        for doom in message.get("doom", ()):
            self._condemn(doom)
        for result in message.get("record", ()):
            self._shelf.put(result)
        for attempt in keys_of(message.get("forget", ())):
            self._shelf.forget(attempt)

    def _condemn(self, doom: Termination) -> None:
        job = self._jobs.get(key_of(doom))
        if job is None:
            return
        job.doom = doom
        self._aftermath.killed(key_of(doom), job.target)
        if job.started is None:  # whatever its preparation finds, it will not run
            self._end_unstarted(job, Failure(doom["outcome"], None, doom["reason"]))

    # --- starting ---------------------------------------------------------------------------------

    def _prepare(self, job: Job) -> Callable[[], None]:
        return partial(self._start, job, self._preparation.prepare(job.order))

    def _start(self, job: Job, prepared: Ready | Failure) -> None:
        if isinstance(prepared, Failure):
            job.foreign = prepared.outcome in FOREIGN
            if job.result is None:
                self._end_unstarted(job, prepared)
            return
        job.ready = prepared
        lane = job.order["lane"]
        if job.result is not None:
            self._close_log(job)
        elif lane is not None:
            self._advance(lane)
        else:
            self._spawn(job, prepared)

    def _advance(self, lane: str) -> None:
        """Starts what may start in a lane."""
        while (job := self._lanes.next(lane)) is not None:
            if job.ready is not None and job.result is None:
                self._spawn(job, job.ready)
            if job.started is None:
                self._lanes.leave(lane)

    def _close_log(self, job: Job) -> None:
        if job.ready is not None:
            os.close(job.ready.log)
            job.ready = None

    def _spawn(self, job: Job, ready: Ready) -> None:
        try:
            self._try_to_spawn(job, ready)
        finally:
            self._close_log(job)

    def _try_to_spawn(self, job: Job, ready: Ready) -> None:
        order = job.order
        if boottime() > job.start_by:
            del self._jobs[key_of(order)]
            self._preparation.expect(key_of(order))
            self._report.tell("late", key_of(order))
            return
        env, job.hidden = {**order["env"], **ready.secrets}, tuple(ready.secrets.values())
        try:
            pid = self.keepers.start(order["mark"], order["cwd"], ready.argv, env, ready.log)
        except (OSError, ValueError) as error:
            self._end_unstarted(job, spawn_fault(error))
            return
        seen = processes.look_at(pid)
        if seen is None:
            raise RuntimeError(f"process {pid} vanished before it was reaped")
        job.started = {
            "id": order["id"],
            "attempt": order["attempt"],
            "pid": pid,
            "pid_start": seen.start,
            "started_at": utc_now(),
            "at": boottime(),
        }
        self._by_pid[pid] = job
        self._aftermath.started(key_of(order), ready.shared_memory)
        self._report.tell("started", job.started)

    def _end_unstarted(self, job: Job, why: Failure) -> None:
        key = key_of(job.order)
        job.result = unstarted_result(key, self._place, why.outcome, why.reason, utc_now())
        job.result["exit_code"] = why.exit_code
        if why.cause is not None:
            job.result["cause"] = why.cause.as_json()
        if why.found is not None:
            job.result["found"] = why.found
        self._close_log(job)
        self._finish(job)

    # --- ending -----------------------------------------------------------------------------------

    def reap(self) -> None:
        """Takes note of the dead: leaders of jobs, and keepers, below which nothing is left."""
        leaders, gone = self.keepers.hear()
        for leader in leaders:
            job = self._by_pid.get(leader.keeper)
            if job is not None:
                self._leader_ended(job, leader)
        for keeper in gone:
            job = self._by_pid.pop(keeper.pid, None)
            if job is not None:
                self._keeper_ended(job, keeper)

    def _leader_ended(self, job: Job, leader: Leader) -> None:
        outcome, exit_code, number, reason = classify(leader.status)
        job.result = {
            "id": job.order["id"],
            "attempt": job.order["attempt"],
            "machine": self._place[0],
            "boot_id": self._place[1],
            "outcome": outcome,
            "exit_code": exit_code,
            "signal": number,
            "reason": reason,
            "started_at": job.started and job.started["started_at"],
            "ended_at": utc_now(),
            "cpu_s": 0.0,
            "max_rss_mib": 0,
        }
        # Its keeper ends at once if nothing is left, and a look at all processes is dear.
        job.sweep_at = boottime() + job.sweep_s
        if number is not None:
            job.sweep_at += _TRACKER_S
            self._aftermath.killed(key_of(job.order), job.target)
        self._leaving.append(job)

    def _keeper_ended(self, job: Job, keeper: Gone) -> None:
        job.keeper = keeper
        if job.result is None:
            # It was killed, and its leader with it; or the kernel let it fork no leader.
            self._leader_ended(job, Leader(keeper.pid, keeper.status))
        result = job.its_result
        if os.WIFEXITED(keeper.status) and keeper.status:
            result["outcome"], result["exit_code"] = "lost", None
            result["reason"], result["cause"] = _UNFORKED_REASON, Cause(Kind.MACHINE).as_json()
        result["cpu_s"], result["max_rss_mib"] = usage(keeper.usage)

    def clear(self) -> float:
        """Ends what ended jobs left behind and reports the jobs of which nothing is left.

        Returns:
            The boot time at which to call again; infinity if nothing is left.
        """
        if not self._leaving:
            return float("inf")
        now = boottime()
        strays = self.keepers.end_strays()
        remaining: list[Job] = []
        for job in self._leaving:
            if job.keeper is None or (strays and os.WIFSIGNALED(job.keeper.status)):
                self._sweep(job, now)
                remaining.append(job)
            elif (notes := self._aftermath.notes(key_of(job.order))) is None:
                job.sweep_at = now + SWEEP_S
                remaining.append(job)
            else:
                self._finish(job, notes)
        self._leaving = remaining
        return min((job.sweep_at for job in remaining), default=float("inf"))

    def _sweep(self, job: Job, now: float) -> None:
        """Kills what is left of a job, unless it still has a grace."""
        if now < job.sweep_at:
            return
        if (job.doom is None or now >= job.doom["kill_at"]) and processes.waits(job.target):
            processes.kill_all(partial(processes.members, [job.target]))
        job.sweep_at = now + job.sweep_s
        job.sweep_s = min(2 * job.sweep_s, _SWEEP_MAX_S)

    def _finish(self, job: Job, notes: list[str] | None = None) -> None:
        result = job.its_result
        if notes:
            result["notes"] = notes
        if job.doom is not None:
            result["outcome"], result["reason"] = job.doom["outcome"], job.doom["reason"]
        elif self.told_to_end and result["signal"] in (signal.SIGTERM, signal.SIGHUP):
            # A machine that shuts down signals everything: not the job's fault.
            result["outcome"], result["reason"] = "released", "released: the machine shuts down"
        self._jobs.pop(key_of(job.order), None)
        self._report.tell("gone", result)
        if job.foreign:  # in the place of its result lies what is not ours
            self._report.tell("stored", key_of(result))
        else:
            self._shelf.put(result, job.hidden)
        self._make_way(job)

    def _make_way(self, job: Job) -> None:
        lane = job.order["lane"]
        if lane is None:
            return
        if job.started is not None:
            self._lanes.leave(lane)
        self._advance(lane)

    # --- time -------------------------------------------------------------------------------------

    def tick(self) -> float:
        """Does what is due; returns the boot time at which to call again."""
        now = boottime()
        return min(self.clear(), self._shelf.tick(now), self.pool.tick(now), self._send(now))

    def _send(self, now: float) -> float:
        # While there are jobs to go on with, news can wait a moment for more.
        return self._report.send(now, at_once=not self._lanes.crowded)
