"""Which cores the jobs of a supervisor have as they come, are squeezed, and go."""

from __future__ import annotations

from dataclasses import replace

from attempt_events import order

from mlq.jobs.attempt import AttemptId
from mlq_worker.guest.cores.core_table import CoreTable
from mlq_worker.guest.cores.cores import Cores, Machine
from mlq_worker.guest.watch import GuestAttempt
from mlq_worker.ipc.procfs import Target
from mlq_worker.ipc.values import Order, Share

MACHINE = Machine(frozenset(range(8)))


def of(*numbers: int) -> Cores:
    return frozenset(numbers)


def named(name: str) -> AttemptId:
    return AttemptId(name, 1)


def an_order(name: str, cores: int, lane: str | None = None, width: int = 0) -> Order:
    made = order(name, attempt=named(name))
    return replace(made, share=Share(cores), lane=lane, width=width)


def running(name: str, cores: int) -> GuestAttempt:
    return GuestAttempt(named(name), Target(1, 1), Share(cores), 0.0, "")


def nowhere(_: GuestAttempt) -> Cores:
    return of()


def test_each_has_its_own_from_its_start() -> None:
    table = CoreTable()
    assert table.start(an_order("a", 2), MACHINE) == (of(0, 1),)
    assert table.start(an_order("b", 3), MACHINE) == (of(2, 3, 4),)
    found = table.look([running("a", 2), running("b", 3)], {}, MACHINE, nowhere)
    assert found == {named("a"): of(0, 1), named("b"): of(2, 3, 4)}
    assert table.cores_of(named("b")) == of(2, 3, 4)


def test_what_one_leaves_another_gets() -> None:
    table = CoreTable()
    table.start(an_order("a", 6), MACHINE)
    table.start(an_order("b", 2), MACHINE)
    table.keep({named("b")})
    assert table.start(an_order("c", 6), MACHINE) == (of(0, 1, 2, 3, 4, 5),)


def test_who_is_about_to_start_keeps_its_cores() -> None:
    table = CoreTable()
    table.start(an_order("starting", 4), MACHINE)
    found = table.look([running("early", 6)], {}, MACHINE, nowhere)
    assert found[named("early")] == of(4, 5, 6, 7, 0, 1)
    assert table.start(an_order("starting", 4), MACHINE) == (of(0, 1, 2, 3),)


def test_squeezed_and_wide_again() -> None:
    table = CoreTable()
    table.start(an_order("a", 6), MACHINE)
    one = [running("a", 6)]
    assert table.look(one, {named("a"): 2}, MACHINE, nowhere) == {named("a"): of(0, 1)}
    assert table.look(one, {}, MACHINE, nowhere) == {named("a"): of(0, 1, 2, 3, 4, 5)}


def test_a_lane_has_the_cores_of_all_that_run_in_it_at_once() -> None:
    table = CoreTable()
    parts = (of(0, 1), of(2, 3), of(4, 5))
    for name in "abcd":
        assert table.start(an_order(name, 2, "lane", 3), MACHINE) == parts
    assert table.start(an_order("e", 2), MACHINE) == (of(6, 7),)
    seen = {named("b"): of(4), named("d"): of(0, 1)}
    found = table.look([running("b", 2), running("d", 2)], {}, MACHINE, lambda one: seen[one.id])
    assert found == {named("b"): of(4, 5), named("d"): of(0, 1)}
    squeezed = {named("b"): 1}
    found = table.look([running("b", 2), running("d", 2)], squeezed, MACHINE, nowhere)
    assert found == {named("b"): of(4), named("d"): of(0, 1)}
    table.keep([])
    assert table.start(an_order("f", 8), MACHINE) == (MACHINE.usable,)


def test_a_wider_lane_takes_more() -> None:
    table = CoreTable()
    table.start(an_order("a", 1, "lane", 2), MACHINE)
    assert table.start(an_order("b", 1, "lane", 4), MACHINE) == (of(0), of(1), of(2), of(3))


def test_cores_that_went_offline_are_replaced_at_the_next_start() -> None:
    table = CoreTable()
    table.start(an_order("a", 1, "lane", 2), MACHINE)
    less = Machine(of(1, 2, 3))
    assert table.start(an_order("b", 1, "lane", 2), less) == (of(1), of(2))


def test_a_worker_that_does_not_say_the_share_leaves_it_unpinned() -> None:
    assert CoreTable().start(order("1"), MACHINE) == ()
