"""What is true in the simulated world, and the invariants that must hold of it.

The simulation knows every process and every command that the server has done, so it can tell what
no part of the system under test can know for itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from mlq.jobs.lifecycle import ENDED
from simulation.engine import Engine, Violation
from simulation.poisoned_results import REASON

if TYPE_CHECKING:
    from mlq.store.wire import UnixClient
    from simulation.data_loss import DataLoss
    from simulation.machine import Machine, SimProcess

Key = tuple[str, int]
_SETTLED_ON_NFS_S = 60.0
_OF_WORKERS = frozenset(
    ("renew", "claim", "held", "expired", "hold_role", "raise_numbers", "reserve_machine", "peek")
)


class Truth:
    """The ledger of the simulation.

    Args:
        engine: simulated time.
        result_written_at: when an attempt's result reached NFS with a good end; infinity if never.
    """

    def __init__(self, engine: Engine, result_written_at: Callable[[Key], float]) -> None:
        self._engine = engine
        self._result_written_at = result_written_at
        self.poisoned: set[Key] = set()
        self.wire: UnixClient | None = None
        self.server_clock_s: Callable[[], float] = lambda: engine.now
        self.check_failure: Callable[[str, str], None] = lambda what, reason: None
        self.processes: dict[str, list[tuple[Machine, SimProcess]]] = {}
        self.exit_codes: dict[Key, set[int]] = {}
        self.acknowledged: set[str] = set()
        self.lapses = 0  # how often the server forgot what it had said
        self.forgotten: set[str] = set()
        """Jobs of which a restored backup knows nothing; they run on."""
        self.is_elsewhere: Callable[[], bool] = lambda: False
        """Whether the server has other data than these are about."""
        self.claims: set[Key] = set()
        self.started: set[Key] = set()
        self.asked: set[Key] = set()
        """Attempts that asked to be queued again before they exited."""
        self.requeued: set[str] = set()
        """Jobs that their user wanted to be queued again."""
        self.replies: dict[str, tuple[float, Any]] = {}
        self.ends: dict[str, tuple[str, int]] = {}
        self.ended_at: dict[str, float] = {}
        self.loss: DataLoss | None = None
        self._flushed: tuple[set[Key], dict[str, tuple[float, Any]], dict[str, tuple[str, int]]]
        self.counts = {"attempts": 0, "commits": 0, "stale": 0, "resent": 0, "losses": 0}

    def remember(self) -> None:
        """The server's disk has all that it did so far, and perhaps nothing of what follows."""
        self.check_ledger()
        self._flushed = (set(self.claims), dict(self.replies), dict(self.ends))

    def forget(self) -> None:
        """The server is as it was when `remember` was called: what it said since counts no more."""
        self.claims, self.replies, self.ends = self._flushed
        self.lapses += 1
        assert self.wire is not None
        for job_id in sorted(self.acknowledged):
            if not self.wire.call("EXISTS", f"rq:job:{job_id}"):
                self.acknowledged.remove(job_id)
                self._engine.note(f"job {job_id} is forgotten", "queue")

    def copy(self) -> object:
        """What counts now, for `go_back`."""
        return set(self.claims), dict(self.replies), dict(self.ends)

    def go_back(self, copy: Any) -> None:
        """The server is as it was when `copy` was called; what it said since counts no more."""
        self.claims, self.replies, self.ends = (kind.copy() for kind in copy)
        assert self.wire is not None
        for job_id in sorted(self.acknowledged):
            if not self.wire.call("EXISTS", f"rq:job:{job_id}"):
                self.acknowledged.remove(job_id)
                self.forgotten.add(job_id)
                self._engine.note(f"job {job_id} is forgotten", "queue")

    # --- processes ------------------------------------------------------------------------------

    def spawned(self, machine: Machine, key: Key) -> None:
        if key in self.started:
            raise Violation(f"attempt {key} is started again: on {machine.name}")
        self.started.add(key)
        self.counts["attempts"] += 1
        self._engine.note(f"job {key[0]} attempt {key[1]} starts", machine.name)

    def exited(self, machine: Machine, key: Key, code: int) -> None:
        self.exit_codes.setdefault(key, set()).add(code)
        self._engine.note(f"job {key[0]} attempt {key[1]} exits with {code}", machine.name)

    def running(self, job_id: str) -> set[tuple[str, int]]:
        """The machines and attempts that execute instructions of a job at this instant."""
        return {
            (machine.name, process.job[1])
            for machine, process in self.processes.get(job_id, ())
            if machine.is_running(process)
        }

    def check_overlap(self, job_id: str) -> None:
        running = self.running(job_id)
        if len(running) > 1:
            where = ", ".join(f"attempt {number} on {name}" for name, number in sorted(running))
            raise Violation(f"job {job_id} runs twice at the same instant: {where}")

    # --- commands -------------------------------------------------------------------------------

    def watch(self, name: str, command: Sequence[Any], execute: Callable[[], Any]) -> Any:
        """Let the server execute a command, and compare before and after."""
        if self.is_elsewhere():
            reply = execute()  # raises, since it is another queue
            if name in _OF_WORKERS:
                raise Violation(f"{name} was done in another queue's data")
            return reply
        request_id, args = str(command[3]), command[4]
        if name == "move":
            reply = self._watch_moves(json.loads(str(args)), request_id, execute)
        else:
            reply = execute()
            if name == "renew" and self.loss is not None:
                self.loss.called_lost(json.loads(reply)["lost"] or ())
            if name == "claim" and request_id not in self.replies:
                by = json.loads(str(args))["machine"]
                self._claimed(json.loads(reply)["claims"] or (), by)
            elif name == "renew":
                self._renewed(json.loads(reply))
        if request_id:
            self._check_resent(name, request_id, reply)
        return reply

    def _check_resent(self, name: str, request_id: str, reply: Any) -> None:
        # The server remembers a reply for 600 s by its own clock, which may have jumped.
        now = self.server_clock_s()
        at, first = self.replies.setdefault(request_id, (now, reply))
        if 0 < abs(now - at) < 500:
            self.counts["resent"] += 1
            if first != reply:
                raise Violation(f"{name} was sent again and did something else: {first} {reply}")

    def _claimed(self, claims: Sequence[dict[str, Any]], by: str) -> None:
        for claim in claims:
            key = (claim["id"], claim["attempt"])
            if key in self.claims:
                raise Violation(f"attempt {key} was given out twice")
            self.claims.add(key)
            self._engine.note(f"job {key[0]} attempt {key[1]} is claimed by {by}", "queue")

    def _renewed(self, reply: dict[str, Any]) -> None:
        for job_id, number in reply["adopted"]:
            self.claims.add((job_id, number))
            self.ends.pop(job_id, None)
            self._engine.note(f"job {job_id} attempt {number} is taken back", "queue")
        lost = list(reply["lost"])
        for (job_id, number), now in zip(lost, self._hashes([one[0] for one in lost]), strict=True):
            at = int(now.get("mlq_attempt", 0))
            if not now or (at < number and now["status"] != "canceled"):
                raise Violation(
                    f"attempt {number} of job {job_id} is given up only because it was forgotten"
                )

    def _hashes(self, ids: Sequence[str]) -> list[dict[str, str]]:
        assert self.wire is not None
        rows = self.wire.call_many([("HGETALL", f"rq:job:{one}") for one in ids])
        return [
            {row[i].decode(): row[i + 1].decode() for i in range(0, len(row), 2)} for row in rows
        ]

    def _watch_moves(
        self, args: dict[str, Any], request_id: str, execute: Callable[[], Any]
    ) -> Any:
        moves = args["moves"]
        ids = [move["id"] for move in moves]
        before = self._hashes(ids)
        reply = execute()
        again = request_id in self.replies
        for move, was, now in zip(moves, before, self._hashes(ids), strict=True):
            if was == now:
                self.counts["stale"] += 1
                continue
            if again:
                raise Violation(f"a move of job {move['id']} was made twice")
            self._check_move(move, was, now)
        return reply

    def _check_move(self, move: dict[str, Any], was: dict[str, str], now: dict[str, str]) -> None:
        job_id, number = move["id"], int(was.get("mlq_attempt", 0))
        state, to = was.get("status", ""), now["status"]
        what = f"job {job_id} attempt {number}: {state} -> {to}"
        self._engine.note(f"{what} {now.get('mlq_reason', '')}", "queue")
        self.counts["commits"] += 1
        self.counts["losses"] += bool(move["lost_on"])
        if move["attempt"] and move["attempt"] != number:
            raise Violation(f"{what}: by attempt {move['attempt']}, which is stale")
        if state in ENDED:
            if move["attempt"] or to in ENDED:
                raise Violation(f"{what}: a committed end was replaced")
            self.ends.pop(job_id, None)
        spoilt = now.get("mlq_reason", "").startswith(REASON) and "mlq_reason" in move["fields"]
        if spoilt and (job_id, number) not in self.poisoned:
            raise Violation(f"{what}: but nobody touched its result")
        if state == "started":
            lost = bool(move["lost_on"]) or (job_id, number) in self.poisoned
            self._check_left(what, (job_id, number), lost=lost)
        written_at = self._result_written_at((job_id, number))
        if (
            state == "started"
            and to in ("queued", "scheduled", "deferred")
            and (written_at < self._engine.now - _SETTLED_ON_NFS_S)
            and job_id not in self.requeued
        ):
            raise Violation(f"{what}: but it had finished and its result lay on NFS")
        if to == "failed" and now.get("mlq_reason", "").startswith("killed by SIGKILL"):
            raise Violation(f"{what}: but nobody outside killed it")
        if (job_id, number) in self.asked and move["to"] in ("finished", "scheduled"):
            raise Violation(f"{what}: but it had asked to be queued again")
        if to == "finished" and 0 not in self.exit_codes.get((job_id, number), ()):
            raise Violation(f"{what}: but it never ended well")
        if self.loss is not None:
            self.loss.moved((job_id, number))
        if to == "failed":
            self.check_failure(what, now.get("mlq_reason", ""))
        if to in ENDED:
            self.ends[job_id] = (to, number)
            self.ended_at[job_id] = self._engine.now

    def _check_left(self, what: str, key: Key, *, lost: bool) -> None:
        """A job leaves `started` only when its attempt runs no more."""
        if key[0] in self.forgotten:
            return  # what runs is of the job that had this number before
        alive = [
            (machine, process)
            for machine, process in self.processes.get(key[0], ())
            if process.job == key
            and machine.on
            and process.alive
            and (not lost or machine.is_running(process))
        ]
        if alive:
            where = ", ".join(f"{process.pid} on {machine.name}" for machine, process in alive)
            raise Violation(f"{what}: but processes of it still live: {where}")

    # --- the whole ------------------------------------------------------------------------------

    def check_ledger(self) -> None:
        """What was acknowledged is there, and what was committed still stands."""
        ids = sorted(self.acknowledged | self.ends.keys())
        lost = self.loss is not None and self.loss.lost
        if not ids or self.wire is None or lost or self.is_elsewhere():
            return
        rows = self.wire.call_many(
            [("HMGET", f"rq:job:{one}", "status", "mlq_attempt") for one in ids]
        )
        for job_id, (status, attempt) in zip(ids, rows, strict=True):
            if status is None:
                raise Violation(f"job {job_id} was acknowledged and has disappeared")
            end = self.ends.get(job_id)
            if end is not None and end != (status.decode(), int(attempt or 0)):
                raise Violation(f"the committed end {end} of job {job_id} became {status.decode()}")
