"""How much of a machine is left for our jobs while others use it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mlq_worker.guest.room.room import (
    ROOM_S,
    Cramped,
    Job,
    Shortage,
    Squeeze,
    Victim,
    cores_left,
    our_part,
    shared_out,
)


def test_the_reserve_is_for_others_who_are_active() -> None:
    assert cores_left(8, 0.1, 1, is_active=False) == 8
    assert cores_left(8, 0.3, 1, is_active=True) == 7
    assert cores_left(8, 2.2, 1, is_active=True) == 5
    assert cores_left(8, 2.2, 1, is_active=False) == 6
    assert cores_left(8, 0.0, 1, is_active=True) == 7
    assert cores_left(1, 4.0, 1, is_active=True) == 0


def test_neighbours_give_way_in_proportion() -> None:
    assert our_part(8, 4, 0) == 8
    assert our_part(8, 4, 4) == 4
    assert our_part(5, 4, 4) == 2
    assert our_part(3, 6, 2) == 2
    assert our_part(0, 6, 2) == 0


def test_the_widest_give_first() -> None:
    assert shared_out({"a": 4, "b": 2, "c": 1}, 7) == {}
    assert shared_out({"a": 4, "b": 2, "c": 1}, 5) == {"a": 2}
    assert shared_out({"a": 4, "b": 4}, 7) == {"b": 3}
    assert shared_out({"a": 4, "b": 4}, 0) == {"a": 1, "b": 1}
    assert shared_out({}, 0) == {}


@given(st.dictionaries(st.integers(), st.integers(1, 9), max_size=6), st.integers(0, 60))
def test_a_share_is_just(asked: dict[int, int], most: int) -> None:
    squeezed = shared_out(asked, most)
    has = asked | squeezed
    assert sum(has.values()) <= max(most, len(asked))
    assert all(1 <= has[name] < asked[name] for name in squeezed)
    if squeezed:
        assert sum(has.values()) == max(most, len(asked))
        assert max(has.values()) <= min(squeezed.values()) + 1


def looks(squeeze: Squeeze[str], lefts: list[int], at: float = 0.0) -> list[dict[str, int]]:
    return [squeeze.see(at + n, left, {"a": 4, "b": 2}) for n, left in enumerate(lefts)]


def test_two_looks_in_a_row_squeeze_at_once() -> None:
    assert looks(Squeeze(), [8, 3, 8, 3, 3]) == [{}, {}, {}, {}, {"a": 2, "b": 1}]


def test_more_load_squeezes_further() -> None:
    assert looks(Squeeze(), [8, 5, 5, 2, 2])[-2:] == [{"a": 3}, {"a": 1, "b": 1}]


def test_a_minute_of_room_makes_them_wider() -> None:
    squeeze = Squeeze[str]()
    looks(squeeze, [8, 3, 3])
    found = looks(squeeze, [6] * 70, at=3.0)
    assert found[int(ROOM_S) - 5] == {"a": 2, "b": 1}
    assert found[-1] == {}


def test_a_minute_with_a_busy_second_does_not() -> None:
    squeeze = Squeeze[str]()
    looks(squeeze, [8, 3, 3])
    found = looks(squeeze, [*[6] * 40, 4, *[6] * 30], at=3.0)
    assert found[58] == {"a": 2, "b": 1}
    assert found[-1] == {"a": 2}


def test_below_half_for_so_long() -> None:
    cramped = Cramped[str]()
    asked = {"a": 4, "b": 2}
    assert cramped.see(0, asked, {"a": 2, "b": 1}) == {}
    assert cramped.see(1, asked, {"a": 1}) == {"a": 0}
    assert cramped.see(9, asked, {"a": 1}) == {"a": 8}
    assert cramped.see(10, asked, {"a": 2}) == {}
    assert cramped.see(11, asked, {"a": 1}) == {"a": 0}


OLD, SAVED = Job("old", 10.0), Job("saved", 500.0)


def test_who_loses_least_goes_after_two_looks() -> None:
    shortage = Shortage[str]()
    assert shortage.see(0, 1999, 2000, [OLD, SAVED]) is None
    assert shortage.see(1, 1999, 2000, [OLD, SAVED]) == Victim("saved", at_once=False)
    assert shortage.see(2, 1999, 2000, [OLD, SAVED._replace(is_ending=True)]) is None
    assert shortage.see(3, 1999, 2000, [OLD]) == Victim("old", at_once=False)
    assert shortage.see(4, 2000, 2000, [OLD]) is None
    assert shortage.see(5, 1999, 2000, [OLD]) is None


def test_who_has_more_than_it_was_promised_goes_first() -> None:
    shortage = Shortage[str]()
    shortage.see(0, 1999, 2000, [OLD, SAVED])
    jobs = [OLD._replace(has_more=True), SAVED]
    assert shortage.see(1, 1999, 2000, jobs) == Victim("old", at_once=False)


def test_below_half_at_once() -> None:
    assert Shortage[str]().see(0, 999, 2000, [OLD, SAVED]) == Victim("saved", at_once=True)
    ending = SAVED._replace(is_ending=True)
    assert Shortage[str]().see(0, 999, 2000, [SAVED, OLD._replace(is_ending=True)]) == Victim(
        "old", at_once=True
    )
    assert Shortage[str]().see(0, 999, 2000, [ending]) == Victim("saved", at_once=True)
    assert Shortage[str]().see(0, 999, 2000, []) is None


def test_the_memory_of_a_killed_job_takes_a_moment_to_be_free() -> None:
    shortage, ending = Shortage[str](), SAVED._replace(is_ending=True)
    shortage.see(0, 999, 2000, [OLD, SAVED])
    assert shortage.see(1, 999, 2000, [OLD, ending]) is None
    assert shortage.see(2, 999, 2000, [OLD]) == Victim("old", at_once=True)
    alone = Shortage[str]()
    alone.see(0, 999, 2000, [SAVED])
    assert alone.see(9, 999, 2000, [ending]) is None
    stuck = Shortage[str]()
    stuck.see(0, 999, 2000, [OLD, SAVED])
    assert stuck.see(5, 999, 2000, [OLD, ending]) == Victim("old", at_once=True)
