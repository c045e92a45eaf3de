"""Which cores each job gets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mlq_worker.guest.cores.cores import (
    Cores,
    Machine,
    Wish,
    assign,
    best_slot,
    slots,
)

EIGHT = frozenset(range(8))
PAIRS = {core: frozenset((core % 4, core % 4 + 4)) for core in range(8)}
THREADED = Machine(EIGHT, PAIRS)


def of(*numbers: int) -> Cores:
    return frozenset(numbers)


def test_siblings_go_to_one_job() -> None:
    assert assign(THREADED, [Wish("a", 2), Wish("b", 4)]) == {"a": of(0, 4), "b": of(1, 5, 2, 6)}


def test_jobs_share_a_physical_core_only_if_none_is_free() -> None:
    found = assign(THREADED, [Wish(name, 1) for name in "abcdef"])
    assert [min(found[name]) for name in "abcd"] == [0, 1, 2, 3]
    assert found["e"] | found["f"] == of(4, 5)


def test_who_has_its_cores_keeps_them() -> None:
    found = assign(THREADED, [Wish("new", 2), Wish("old", 2, of(0, 4))])
    assert found == {"new": of(1, 5), "old": of(0, 4)}


def test_a_squeezed_job_keeps_whole_physical_cores() -> None:
    assert assign(THREADED, [Wish("a", 2, of(0, 1, 2, 6))]) == {"a": of(2, 6)}


def test_neighbours_cores_are_left_to_them() -> None:
    machine = THREADED._replace(taken=of(0, 4, 1))
    found = assign(machine, [Wish("a", 2, of(0, 4)), Wish("b", 2)])
    assert found == {"a": of(2, 6), "b": of(3, 7)}


def test_cores_that_others_keep_busy_come_last() -> None:
    machine = Machine(of(0, 1, 2), busy={0: 0.9, 1: 0.2})
    assert assign(machine, [Wish("a", 1), Wish("b", 1)]) == {"a": of(2), "b": of(1)}


def test_with_more_promised_than_there_are_the_least_used_are_shared() -> None:
    machine = Machine(of(0, 1, 2))
    first = assign(machine, [Wish("a", 2), Wish("b", 2), Wish("c", 1)])
    assert first == {"a": of(0, 1), "b": of(2, 0), "c": of(1)}
    again = [Wish("a", 2, first["a"]), Wish("b", 2, first["b"]), Wish("c", 1, first["c"])]
    assert assign(machine, again) == first


def test_cores_that_went_offline_are_replaced() -> None:
    machine = THREADED._replace(usable=of(0, 1, 2, 3))
    assert assign(machine, [Wish("a", 2, of(0, 4))]) == {"a": of(0, 1)}


def test_one_core_is_for_all() -> None:
    assert assign(Machine(of(3)), [Wish("a", 4), Wish("b", 1)]) == {"a": of(3), "b": of(3)}


def test_without_any_core_nothing_moves() -> None:
    assert assign(Machine(of()), [Wish("a", 4, of(1))]) == {"a": of(1)}


@given(
    st.lists(st.integers(1, 6), max_size=8),
    st.lists(st.integers(1, 6), max_size=8),
    st.sets(st.integers(0, 15), min_size=1),
    st.sets(st.integers(0, 15)),
)
def test_any_change(before: list[int], after: list[int], usable: set[int], taken: set[int]) -> None:
    siblings = {core: frozenset((core % 8, core % 8 + 8)) for core in range(16)}
    first = assign(
        Machine(frozenset(range(16)), siblings), [Wish(*one) for one in enumerate(before)]
    )
    machine = Machine(frozenset(usable), siblings, frozenset(taken))
    wishes = [Wish(name, count, first.get(name, frozenset())) for name, count in enumerate(after)]
    found = assign(machine, wishes)
    for wish in wishes:
        assert found[wish.name] <= machine.usable
        assert len(found[wish.name]) == min(wish.number, len(usable))
    if sum(after) <= len(usable - taken):
        given_out = [core for cores in found.values() for core in cores]
        assert len(given_out) == len(set(given_out))
        assert not taken & set(given_out)
    still = [Wish(wish.name, wish.number, found[wish.name]) for wish in wishes]
    if sum(after) <= len(usable - taken):
        assert assign(machine, still) == found


def test_a_lane_is_divided_among_its_jobs() -> None:
    assert slots(THREADED, of(0, 4, 1, 5), 2) == (of(0, 4), of(1, 5))
    assert slots(THREADED, of(0, 4), 3) == (of(0), of(4), of(0))
    assert slots(THREADED, of(), 3) == ()


def test_a_job_stays_in_its_part_of_the_lane() -> None:
    choice = (of(0, 4), of(1, 5))
    assert best_slot(choice, of(5), []) == of(1, 5)
    assert best_slot(choice, EIGHT, [of(0, 4)]) == of(1, 5)
    assert best_slot(choice, of(1), choice) == of(1, 5)
