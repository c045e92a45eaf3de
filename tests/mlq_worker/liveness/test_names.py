"""When a worker may have its machine's name, and a supervisor may write that machine's beat."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from mlq.store.machine_names import NameHolder, WorkerIdentity
from mlq_worker.liveness.names import BeatLook, NameWatch
from mlq_worker.liveness.verdicts import Beat
from mlq_worker.supervisor.heartbeat import BeatGuard, ForeignBeatError

LEASE_S, DEAD_S, GAP_S = 45.0, 90.0, 30.0
ME = WorkerIdentity("m1", "mine", "here", "boot2", "alpha", 7, 70, "pid:[1]")
THEIRS = WorkerIdentity("m1", "theirs", "there", "boot9", "beta", 8, 80, "pid:[9]")
BEAT = Beat("boot9", "s9", 1, frozenset(), host_id="there", host="beta")


def held_by(who: WorkerIdentity, renewed: str = "1.0") -> NameHolder:
    return NameHolder(who, 0.0, renewed, 0.0)


class Waiting:
    """A worker that looks each ten seconds."""

    def __init__(self, *, alive: bool = False) -> None:
        self._watch = NameWatch(ME, LEASE_S, DEAD_S, GAP_S)
        self._alive = alive
        self.now_s = 1000.0

    def may_take(
        self, holder: NameHolder | None, beat: Beat | None = None, unreadable: str = ""
    ) -> bool:
        look = BeatLook(self.now_s, beat, unreadable)
        return self._watch.may_take(holder, look, self.now_s, self.now_s, lambda _: self._alive)

    def until_free(self, holder: NameHolder | None, beat: Beat | None, step_s: float = 10) -> float:
        """Return after how long of nothing but silence the name is free."""
        began_s = self.now_s
        while not self.may_take(holder, beat):
            self.now_s += step_s
            assert self.now_s < began_s + 1000
        return self.now_s - began_s


def test_a_new_name_is_free_at_once() -> None:
    assert Waiting().may_take(None)


def test_what_is_not_known_of_the_beat_is_no_silence() -> None:
    assert not Waiting().may_take(None, unreadable="no answer")


def test_a_beat_of_another_host_counts_although_the_queue_knows_of_nobody() -> None:
    assert Waiting().until_free(None, BEAT) == DEAD_S
    assert Waiting().may_take(None, replace(BEAT, host_id="here"))


def test_one_that_left_is_not_waited_for() -> None:
    assert Waiting().may_take(held_by(THEIRS._replace(worker="")), BEAT)


@pytest.mark.parametrize("alive", [True, False])
def test_on_one_host_the_process_decides(alive: bool) -> None:
    before = ME._replace(worker="before", pid=6)
    assert Waiting(alive=alive).may_take(held_by(before)) is not alive


def test_a_boot_ends_every_worker_of_the_host() -> None:
    assert Waiting(alive=True).may_take(held_by(ME._replace(worker="before", boot_id="boot1")))


def test_a_container_of_this_host_is_another_one() -> None:
    other = held_by(ME._replace(worker="before", pid_ns="pid:[2]"))
    assert Waiting().until_free(other, None) == DEAD_S


def test_another_host_has_to_be_dead_by_both_channels() -> None:
    assert Waiting().until_free(held_by(THEIRS), BEAT) == DEAD_S
    waiting = Waiting()
    for number in range(20):
        assert not waiting.may_take(held_by(THEIRS), replace(BEAT, counter=number))
        waiting.now_s += 10
    for number in range(20):
        assert not waiting.may_take(held_by(THEIRS, renewed=str(number)), BEAT)
        waiting.now_s += 10


def test_looks_far_apart_prove_nothing() -> None:
    waiting = Waiting()
    for _ in range(10):
        assert not waiting.may_take(held_by(THEIRS), BEAT)
        waiting.now_s += GAP_S + 1


def content(beat: Beat) -> bytes:
    return json.dumps(
        {"supervisor_id": beat.supervisor_id, "counter": beat.counter, "host_id": beat.host_id}
    ).encode()


def test_a_beat_of_another_host_is_not_overwritten_until_it_is_dead() -> None:
    guard = BeatGuard("mine", "here", "", DEAD_S, GAP_S)
    for at in range(0, int(DEAD_S), 10):
        with pytest.raises(ForeignBeatError):
            guard.check(content(BEAT), at)
    guard.check(content(BEAT), DEAD_S)
    with pytest.raises(ForeignBeatError):
        guard.check(content(replace(BEAT, counter=2)), DEAD_S + 10)


@pytest.mark.parametrize(
    "lies_there",
    [
        None,
        b"no beat",
        b"[]",
        content(replace(BEAT, supervisor_id="mine")),
        content(replace(BEAT, host_id="here")),
        content(replace(BEAT, host_id="")),
        content(BEAT),
    ],
)
def test_what_is_ours_or_nobodys_may_be_replaced(lies_there: bytes | None) -> None:
    BeatGuard("mine", "here", "s9:1", DEAD_S, GAP_S).check(lies_there, 5.0)
