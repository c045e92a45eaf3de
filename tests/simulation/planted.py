"""Bugs to plant in the protocol: a proof that cannot fail proves nothing.

Each is what a reasonable person might have written. They exist here only, laid over the product
for the length of a seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import mlq.copies.collector
import mlq_worker.agent.decide
import mlq_worker.agent.nfs_reads
import mlq_worker.agent.reaper_role
import mlq_worker.rebuild.story
from mlq.files.strict_files import Refused, Unreadable
from mlq.store.operations import Operation
from mlq.store.sending import ScriptRunner
from mlq_worker.agent.absences import Absences
from mlq_worker.agent.attempt_result import AttemptResult
from mlq_worker.agent.machine_name import MachineName
from mlq_worker.agent.reaper import Evidence
from mlq_worker.agent.reaper_role import ReaperRole
from mlq_worker.agent.supervisor_session import SupervisorSession
from mlq_worker.ipc import processes
from mlq_worker.launcher.keepers import Gone
from mlq_worker.launcher.spawner import Spawner
from mlq_worker.liveness import fence
from mlq_worker.liveness.verdicts import BeatMonitor, BeatSnapshot, Leases
from mlq_worker.supervisor import guest
from mlq_worker.supervisor.attempt import Instructions
from mlq_worker.supervisor.events import Event, GivenUp, OrderReceived
from mlq_worker.supervisor.heartbeat import BeatGuard
from mlq_worker.supervisor.loop import Supervisor
from mlq_worker.supervisor.state import Attempts
from simulation import channel_faults, faults, machine_faults, placing_faults, server_faults
from simulation.faults import Kind
from simulation.nfs import Nfs
from simulation.sim_host import SimHost
from simulation.supervision import SimLauncher

_CACHED = "local earlier = cached_reply()\nif earlier then return earlier end\n"


@dataclass(frozen=True)
class Bug:
    """A planted bug.

    Args:
        within: in how many seeds, counted from 0, it is found; more than 60 are left to
            `make simulate PLANTED=1`.
        plant: lays it over the product's Python.
        at: the seed that found it last; it is tried first.
        operation: the Lua operation it changes, or "".
        text: what of that operation is replaced.
        by: by what.
        weather: kinds of fault that show it, which every seed then has many of. Otherwise each kind
            is in a fifth of the seeds, and those that it takes together in few.
    """

    within: int
    plant: Callable[[Any], None] = lambda patch: None
    at: int = 0
    operation: str = ""
    text: str = ""
    by: str = ""
    weather: tuple[Kind, ...] = ()

    def lay(self, patch: Any) -> None:
        """Lay the bug over the product, and its weather over the laboratory."""
        patch.setattr(faults, "WEATHER", self.weather)
        self.plant(patch)

    def alter(self, name: str, source: str) -> str:
        if name != self.operation:
            return source
        if source.count(self.text) != 1:
            raise ValueError(f"{name}.lua has changed: plant the bug anew")
        return source.replace(self.text, self.by)


def fence_longer_than_dead(patch: Any) -> None:
    real = fence.run_until
    patch.setattr(fence, "run_until", lambda contact, timings: real(contact, timings) + 300)


def reaper_ignores_nfs(patch: Any) -> None:
    patch.setattr(
        BeatMonitor,
        "verdicts",
        lambda self, look, expired, lapsed: {one.key: "silent" for one in expired},
    )


def unreadable_is_silent(patch: Any) -> None:
    real = mlq_worker.agent.reaper_role.read_beats

    def read(layout: Any, machines: Sequence[str], *edges: Any) -> BeatSnapshot:
        look = real(layout, machines, *edges)
        return BeatSnapshot(look.at_s, dict.fromkeys(machines)) if look.unreadable else look

    patch.setattr(mlq_worker.agent.reaper_role, "read_beats", read)
    patch.setattr(
        Evidence,
        "lacks_result",
        lambda self, key: not isinstance(self.results.get(key), AttemptResult),
    )


def new_boot_is_ignored(patch: Any) -> None:
    real = mlq_worker.agent.decide.orphan_moves

    def moves(orphans: Any, results: Any, past: Any, here: Any, now_s: float) -> Any:
        known = [one for one in orphans if one.boot_id == here.boot_id]
        return real(known, results, past, here, now_s)

    patch.setattr(mlq_worker.agent.decide, "orphan_moves", moves)
    patch.setattr(BeatMonitor, "_end", lambda self, attempt, beat: "")


def stopped_before_it_has_ended(patch: Any) -> None:
    real = SupervisorSession.stop

    def stop(self: SupervisorSession, attempts: Any, outcome: str, reason: str) -> None:
        attempts = list(attempts)
        real(self, attempts, outcome, reason)
        for job_id, number in attempts:
            machine = self._context.machine
            ended = AttemptResult(job_id, number, machine, outcome, None, reason, "", "", "")
            self.attempts.end(ended)

    patch.setattr(SupervisorSession, "stop", stop)


def resumed_without_confirmation(patch: Any) -> None:
    def beaten(contact: Any, began_at: float, _ended_at: float, _timings: Any) -> Any:
        return replace(contact, beat_at=max(contact.beat_at, began_at))

    patch.setattr(fence, "beaten", beaten)


def renewal_counts_from_its_reply(patch: Any) -> None:
    real = SupervisorSession.confirm

    def confirm(self: SupervisorSession, renewal: Any, _sent_s: float) -> None:
        real(self, renewal, self._context.clocks.boot_s())

    patch.setattr(SupervisorSession, "confirm", confirm)


def order_counts_from_its_arrival(patch: Any) -> None:
    real = Supervisor._happened

    def happened(self: Supervisor, event: Event) -> None:
        if isinstance(event, OrderReceived):
            event = replace(event, claimed_at=self._host.boottime())
        real(self, event)

    patch.setattr(Supervisor, "_happened", happened)


def lost_attempts_run_on(patch: Any) -> None:
    real = Attempts.handle

    def handle(self: Attempts, event: Event, out: Any = None) -> Instructions:
        return Instructions() if isinstance(event, GivenUp) else real(self, event, out)

    patch.setattr(Attempts, "handle", handle)


def gone_with_its_leader(patch: Any) -> None:
    real = Spawner._leader_ended

    def ended(self: Spawner, job: Any, leader: Any) -> None:
        real(self, job, leader)
        job.keeper = Gone(leader.keeper, 0, None)  # type: ignore[arg-type]

    patch.setattr(Spawner, "_leader_ended", ended)


def orphans_are_found_by_their_mark(patch: Any) -> None:
    def members(host: Any, targets: Any, table: Any = None) -> Any:
        table = host.look() if table is None else table
        marks = {host.mark_of(target.pid) for target in targets if target.pid in table}
        return {
            pid: one
            for pid, one in table.items()
            if host.mark_of(pid) in marks - {""} and one.session == pid
        }

    def sweep(self: Spawner, job: Any, now: float) -> None:
        real(self, job, now)
        if not members(self._host, [job.target]):
            job.keeper = Gone(job.target.pid or 0, 0, None)  # type: ignore[arg-type]

    real = Spawner._sweep
    patch.setattr(processes, "members", members)
    patch.setattr(Spawner, "_sweep", sweep)


def a_launcher_outlives_its_supervisor(patch: Any) -> None:
    """And kills, when it goes on, what bears the machine's marks."""

    def hung_up(self: SimLauncher) -> None:
        host, prefix = self.supervisor.host, self.supervisor.options.mark_prefix
        processes.kill_all(host, lambda: processes.marked(host, prefix, ()))
        self.end()

    patch.setattr(SimLauncher, "supervisor_died", lambda self: None)
    patch.setattr(SimLauncher, "hung_up", hung_up)


def servers_clock_is_believed(patch: Any) -> None:
    patch.setattr(
        Leases, "lapsed", lambda self, attempts, *_: {one.key for one in attempts if one.expired}
    )


def claims_count_before_they_are_on_disk(patch: Any) -> None:
    patch.setattr(ScriptRunner, "run_on_disk", ScriptRunner.run)


def one_bad_result_fails_the_batch(patch: Any) -> None:
    for module in (mlq_worker.agent.reaper_role, mlq_worker.agent.nfs_reads):

        def read(*asked: Any, real: Any = module.read_results) -> Any:
            found = real(*asked)
            if any(isinstance(one, Refused) for one in found.values()):
                return dict.fromkeys(found, Unreadable("one of them is bad"))
            return found

        patch.setattr(module, "read_results", read)


def a_name_is_held_by_nobody(patch: Any) -> None:
    patch.setattr(MachineName, "take", lambda self: None)
    real = Operation.command
    patch.setattr(
        Operation, "command", lambda self, sha1, queue_id="", _by=None: real(self, sha1, queue_id)
    )
    patch.setattr(BeatGuard, "check", lambda *_: None)


def missing_here_is_missing_everywhere(patch: Any) -> None:
    patch.setattr(
        Absences, "nowhere", lambda self, ended: ended.result.reason if ended.result else ""
    )


def restored_queue_forgets_what_runs(patch: Any) -> None:
    def leave_open(story: Any, _holder: Any) -> None:
        story.state, story.holder = "queued", None

    patch.setattr(mlq_worker.rebuild.story, "_leave_open", leave_open)


def unwritten_ends_are_not_copied(patch: Any) -> None:
    real = mlq.copies.collector._needs_copy
    unwritten = 1 + mlq.copies.collector._VERSION.index("mlq_unwritten")
    patch.setattr(
        mlq.copies.collector,
        "_needs_copy",
        lambda row: real([*row[:unwritten], "", *row[unwritten + 1 :]]),
    )


def the_queue_is_looked_at_once(patch: Any) -> None:
    real = Operation.command
    patch.setattr(
        Operation,
        "command",
        lambda self, sha1, _queue_id="", held_by=None: real(self, sha1, "", held_by),
    )


def a_beat_counts_on_any_folder(patch: Any) -> None:
    # Only the beats ask the host: the stand-in for the launcher's files asks by itself.
    patch.setattr(SimHost, "pinned", lambda self, layout: nullcontext(layout))


def the_root_is_not_asked_for_attempts(patch: Any) -> None:
    patch.setattr(Nfs, "last_attempt", lambda *_: None)


def ages_by_a_workers_clock(patch: Any) -> None:
    def forget(self: Any) -> None:
        seconds, _ = self._store.client.call("TIME")
        ahead_s = self._utc_s() - int(seconds)
        while self._store.forget(self._settings.keep_days * 86400 - ahead_s):
            pass

    patch.setattr(ReaperRole, "_forget_old_jobs", forget)


def others_are_looked_at_seldom(patch: Any) -> None:
    patch.setattr(guest, "LOOK_S", 10.0)


BUGS: dict[str, Bug] = {
    "ended jobs are as old as a worker's clock says": Bug(60, ages_by_a_workers_clock, at=6),
    "the queue's id is looked at only at the start": Bug(60, the_queue_is_looked_at_once, at=1),
    "a beat counts on any folder": Bug(400, a_beat_counts_on_any_folder),
    "a claim does not ask the root for attempts": Bug(
        60, the_root_is_not_asked_for_attempts, at=3, weather=(server_faults.redis_forgets,)
    ),
    "what the queue forgot is killed": Bug(
        60,
        at=21,
        operation="renew",
        text="return was_deleted(id) and 'lost' or 'unknown'",
        by="return 'lost'",
    ),
    "what the queue has at an earlier attempt is killed": Bug(
        60, at=15, operation="renew", text="\n  return 'adopted'\n", by="\n  return 'lost'\n"
    ),
    "a move checks no attempt": Bug(
        60, at=22, operation="move", text="  right = right and running == move.attempt\n"
    ),
    "the fence is longer than dead": Bug(60, fence_longer_than_dead, at=16),
    "the reaper ignores NFS": Bug(60, reaper_ignores_nfs, at=7),
    "a claim remembers no reply": Bug(60, at=0, operation="claim", text=_CACHED),
    "unreadable NFS is taken for silence": Bug(
        60,
        unreadable_is_silent,
        at=2,
        weather=(channel_faults.split,),
    ),
    "a new boot id is ignored": Bug(
        60, new_boot_is_ignored, at=2, weather=(machine_faults.reboot,)
    ),
    "a stopped job moves before its processes are gone": Bug(60, stopped_before_it_has_ended, at=9),
    "a beat resumes what Redis did not confirm": Bug(
        60,
        resumed_without_confirmation,
        at=4,
        weather=(
            channel_faults.cut_both,
            channel_faults.cut_tunnel,
        ),
    ),
    "a renewal counts from its reply": Bug(100, renewal_counts_from_its_reply),
    "an order counts from its arrival": Bug(200, order_counts_from_its_arrival),
    "an attempt given up by the queue runs on": Bug(
        60,
        lost_attempts_run_on,
        weather=(channel_faults.cut_both, machine_faults.freeze_machine),
    ),
    "an attempt is gone with its leader": Bug(60, gone_with_its_leader, at=2),
    "orphans are found by their mark": Bug(60, orphans_are_found_by_their_mark, at=2),
    "a launcher outlives its supervisor": Bug(300, a_launcher_outlives_its_supervisor),
    "the server's clock is believed": Bug(250, servers_clock_is_believed),
    "a name is held by nobody": Bug(60, a_name_is_held_by_nobody, at=8),
    "what is missing here is taken to be missing everywhere": Bug(
        10, missing_here_is_missing_everywhere, at=2, weather=(placing_faults.lose_folder,)
    ),
    "a claim counts before it is on disk": Bug(
        60, claims_count_before_they_are_on_disk, at=60, weather=(server_faults.redis_forgets,)
    ),
    "one bad result fails the whole batch": Bug(
        60, one_bad_result_fails_the_batch, at=11, weather=(machine_faults.power_cut,)
    ),
    "a restored queue forgets what runs": Bug(60, restored_queue_forgets_what_runs, at=7),
    "an end that could not be written is not copied": Bug(
        60, unwritten_ends_are_not_copied, at=7, weather=(channel_faults.nfs_errors,)
    ),
    "others are looked at every ten seconds": Bug(60, others_are_looked_at_seldom),
    "a verdict stands although the lease was renewed": Bug(
        350,
        operation="move",
        text=" and not is_renewed(move.id, move.attempt, move.lease)",
    ),
}
