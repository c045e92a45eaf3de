"""The reaper's role on a real server, with NFS that answers at once and a clock of its own."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import redis
from keyspace import problems
from store_fixtures import KEY, LAB01, NOW_S, Enqueue, claim

from mlq.api.queue import Queue
from mlq.files.layout import Layout, write_atomically
from mlq.files.paths import make_private_dirs
from mlq.jobs.lifecycle import Event
from mlq.settings.load import load
from mlq.settings.settings import Settings
from mlq.store.operations import Move, move_operation
from mlq.store.store import Store
from mlq_worker.agent.backoff import RefusedMoves
from mlq_worker.agent.history import Patience
from mlq_worker.agent.nfs import ROOT_FILES
from mlq_worker.agent.queue_effects import histories
from mlq_worker.agent.reaper import (
    ApplyVerdicts,
    Judged,
    TakeReaperRole,
    WatchBeats,
    reap,
    sightings,
    verdict_moves,
)
from mlq_worker.agent.reaper_role import ReaperRole


class AtOnce:
    """A background reader whose answers lie ready as soon as it was asked."""

    def __init__(self, _name: str, _wake: Callable[[], None]) -> None:
        self._answer: Any = None

    @property
    def answered(self) -> bool:
        return self._answer is not None

    def ask(self, question: Callable[[], Any]) -> bool:
        self._answer = question()
        return True

    def answer(self) -> Any:
        answer, self._answer = self._answer, None
        return answer


class Room:
    """Reapers on several machines that share a results root and a clock."""

    def __init__(self, store: Store, root: Path) -> None:
        environ = {"HOME": str(root), "XDG_RUNTIME_DIR": str(root)}
        self.settings: Settings = load(environ).settings._replace(root=root)
        self.store, self.layout, self.now_s = store, Layout(root), 0.0
        make_private_dirs(self.layout.workers_dir)

    def reaper(self, machine: str) -> Reaper:
        return Reaper(self, machine)

    def beat(self, counter: int) -> None:
        value = {"boot_id": LAB01.boot_id, "supervisor_id": LAB01.supervisor_id}
        beat = json.dumps({**value, "counter": counter, "attempts": [["1", 1]]})
        write_atomically(self.layout.beat_file("lab01"), beat.encode())

    def turn(self, *reapers: Reaper) -> None:
        self.now_s += self.settings.beat_s
        for reaper in reapers:
            reaper.beat()


class Reaper:
    """What a worker does as the reaper, once a beat."""

    def __init__(self, room: Room, machine: str) -> None:
        self._store, self._machine = room.store, machine
        self._settings = room.settings._replace(machine=machine)
        self._refused, self._utc_s = RefusedMoves(10), time.time
        context: Any = SimpleNamespace(
            settings=self._settings,
            layout=room.layout,
            new_reader=AtOnce,
            files=ROOT_FILES,
            key=KEY,
            clocks=SimpleNamespace(
                monotonic_s=lambda: room.now_s,
                boot_s=lambda: room.now_s,
                utc_s=self._unix_s,
            ),
        )
        self._role = ReaperRole(room.store, context, lambda: None, self._refused)

    def beat(self, utc_s: Callable[[], float] = time.time) -> None:
        """Ask who has the role, and act until there is no more to do."""
        self._utc_s = utc_s
        self._role.act(TakeReaperRole())
        for _ in range(10):
            facts = self._role.facts()
            actions = reap(facts, self._machine)
            if facts.judged is not None:
                actions.append(self._verdicts(facts.judged))
            if not actions:
                return
            for action in actions:
                if isinstance(action, WatchBeats):
                    self._role.watch(action)
                else:
                    self._role.act(action)
        raise AssertionError("the reaper finds no end")

    def _unix_s(self) -> float:
        return self._utc_s()

    def _verdicts(self, judged: Judged) -> ApplyVerdicts:
        past = histories(self._store, [one.id for one in judged.over])
        moves = verdict_moves(judged, past, Patience.of(self._settings), self._unix_s())
        return ApplyVerdicts(tuple(moves), sightings(judged))


def state_of(store: Store, job_id: str) -> str:
    return store.reads.rows(("status",), [job_id])[0][1]


def test_a_successor_knows_since_when_the_reaper_itself_is_silent(
    store: Store, enqueue: Enqueue, tmp_path: Path
) -> None:
    room = Room(store, tmp_path)
    (job,) = enqueue(1)
    store.renew("lab01", [], 45, 0.0)
    store.claim([("p0.c1.m2048.g0.v0", 1)], LAB01, 45, time.time())
    first, second = room.reaper("lab01"), room.reaper("lab02")
    room.beat(1)
    room.turn(first, second)
    for _ in range(3):  # lab01 is dead from here on; its role and its lease have not run out yet
        room.turn(second)
    store.client.call("DEL", "mlq:reaper")
    store.client.call("ZADD", "mlq:leases", 0, "1:1")
    for _ in range(5):
        room.turn(second)
    assert state_of(store, job) == "started"
    room.turn(second)
    assert state_of(store, job) == "queued"


def silent_machine(store: Store, enqueue: Enqueue, tmp_path: Path) -> tuple[Room, Reaper, str]:
    """A machine in touch with the queue, whose beat a reaper has not seen for two minutes."""
    room = Room(store, tmp_path)
    (job,) = enqueue(1)
    store.renew("lab01", [], 45, 0.0)
    store.claim([("p0.c1.m2048.g0.v0", 1)], LAB01, 45, time.time())
    reaper = room.reaper("lab02")
    room.beat(1)
    for _ in range(12):
        store.renew("lab01", [("1", 1, "")], 45, 0.0)
        room.turn(reaper)
    assert state_of(store, job) == "started"
    return room, reaper, job


def test_a_jump_of_the_servers_clock_ends_no_lease(
    store: Store, enqueue: Enqueue, tmp_path: Path
) -> None:
    room, reaper, job = silent_machine(store, enqueue, tmp_path)
    for _ in range(6):  # each time the clock jumps forward between a renewal and the reaper's look
        store.client.call("ZINCRBY", "mlq:leases", -600, "1:1")
        room.turn(reaper)
        assert state_of(store, job) == "started"
        store.renew("lab01", [("1", 1, "")], 45, 0.0)


def test_a_lease_ends_although_the_servers_clock_was_set_back(
    store: Store, enqueue: Enqueue, tmp_path: Path
) -> None:
    room, reaper, job = silent_machine(store, enqueue, tmp_path)
    store.client.call("ZINCRBY", "mlq:leases", 3600, "1:1")
    for _ in range(5):
        room.turn(reaper)
    assert state_of(store, job) == "started"
    room.turn(reaper)
    assert state_of(store, job) == "queued"


def test_what_the_reaper_sees_of_a_silent_machine_is_told(
    store: Store, enqueue: Enqueue, tmp_path: Path
) -> None:
    room = Room(store, tmp_path)
    (job,) = enqueue(1)
    queue = Queue(store, room.settings)
    store.renew("lab01", [], 45, 0.0)
    store.claim([("p0.c1.m2048.g0.v0", 1)], LAB01, 45, time.time())
    store.roles.record_machine("lab01", {"tunnel": True, "condition": ""}, {"state": "busy"})
    assert queue.conditions() == {}
    store.client.call("ZINCRBY", "mlq:machines", -200, "lab01")
    assert queue.conditions() == {"lab01": "not heard of for 3m20s"}
    store.client.call("ZADD", "mlq:leases", 0, "1:1")
    reaper = room.reaper("lab02")
    for counter in range(1, 10):
        room.beat(counter)
        room.turn(reaper)
    assert queue.conditions() == {"lab01": "tunnel down for 3m20s; alive by NFS"}
    for _ in range(7):
        room.turn(reaper)
    (seen,) = queue.with_conditions(queue.views([job]))
    assert seen.condition == "not heard of for 1m10s; its jobs are queued again at 1m30s"
    store.renew("lab01", [("1", 1, "")], 45, 0.0)
    assert queue.conditions() == {}


def test_who_has_not_the_role_judges_nobody(store: Store, enqueue: Enqueue, tmp_path: Path) -> None:
    room = Room(store, tmp_path)
    (job,) = enqueue(1)
    store.renew("lab01", [], 45, 0.0)
    store.claim([("p0.c1.m2048.g0.v0", 1)], LAB01, -1, time.time())
    room.turn(room.reaper("lab01"))
    second = room.reaper("lab02")
    for _ in range(20):
        store.roles.hold_role("reaper", "lab01", 30)  # its holder is there
        room.turn(second)
    assert state_of(store, job) == "started"


def test_the_reaper_tells_children_that_nobody_told(
    store: Store, enqueue: Enqueue, tmp_path: Path, admin: redis.Redis
) -> None:
    (parent,) = enqueue(1)
    children = enqueue(1200, after=[parent])
    (mine,) = store.claim([("p0.c1.m2048.g0.v0", 1)], LAB01, 45, time.time())
    # Whoever commits the end dies after the first slice.
    store.runner.run(move_operation([Move(parent, Event.SUCCEED, mine.attempt)], time.time()))
    states = [row[1] for row in store.reads.rows(("status",), children)]
    assert 0 < states.count("queued") < 1200
    assert problems(admin) == []
    Room(store, tmp_path).reaper("lab02").beat()
    waiting = admin.lrange("rq:queue:p0.c1.m2048.g0.v0", 0, -1)
    assert [raw.decode() for raw in waiting] == children
    assert admin.keys("mlq:untold*") == admin.keys("mlq:telling") == []


def test_beats_of_ended_allocations_go_and_others_stay(
    store: Store, enqueue: Enqueue, admin: redis.Redis, tmp_path: Path
) -> None:
    room = Room(store, tmp_path)
    enqueue(1)
    claim(store, LAB01._replace(machine="slurm-4"))
    admin.zadd("mlq:machines", {"slurm-4": NOW_S - 9000})  # long silent, and may still run a job
    room.store.roles.record_machine("slurm-5", {}, {"name": "slurm-5"}, 600)
    store.renew("slurm-5", [], 45, NOW_S)
    old = ("slurm-3.1", "condor-7", "slurm-4", "slurm-5", "lab02")
    for name in ("lab01", "pbs-6", *old):
        room.layout.beat_file(name).write_text("{}")
    now_s = room.layout.beat_file("lab01").stat().st_mtime
    for name in old:
        os.utime(room.layout.beat_file(name), (now_s - 601, now_s - 601))
    room.reaper("lab01").beat()
    left = {one.stem for one in room.layout.workers_dir.iterdir()}
    assert left == {"lab01", "pbs-6", "slurm-4", "slurm-5", "lab02"}


def test_a_reaper_whose_clock_is_ahead_forgets_nothing(
    store: Store, enqueue: Enqueue, tmp_path: Path
) -> None:
    room = Room(store, tmp_path)
    (job,) = enqueue(1)
    store.move([Move(job, Event.CANCEL)], time.time())
    room.reaper("lab01").beat(lambda: time.time() + 100 * 86400)
    assert state_of(store, job) == "canceled"
