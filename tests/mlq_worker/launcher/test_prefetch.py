"""Lanes: width and order, whatever ends up not running."""

from __future__ import annotations

from dataclasses import dataclass

from mlq_worker.launcher.prefetch import Lanes


@dataclass
class Car:
    name: str
    settled: bool = True


def lane(*cars: Car, width: int = 1) -> Lanes[Car]:
    lanes: Lanes[Car] = Lanes()
    for car in cars:
        lanes.join("x", width, car)
    return lanes


def going(lanes: Lanes[Car], name: str = "x") -> str:
    """The names of all that may go now."""
    found = []
    while (car := lanes.next(name)) is not None:
        found.append(car.name)
    return "".join(found)


def test_a_lane_lets_its_width_go_and_the_next_when_one_leaves() -> None:
    lanes = lane(*map(Car, "abcd"), width=2)
    assert going(lanes) == "ab"
    lanes.leave("x")
    assert going(lanes) == "c"
    assert lanes.crowded
    lanes.leave("x")
    assert going(lanes) == "d"
    assert not lanes.crowded


def test_nobody_overtakes_who_is_not_prepared_yet() -> None:
    slow = Car("a", settled=False)
    lanes = lane(slow, Car("b"), width=2)
    assert going(lanes) == ""
    slow.settled = True
    assert going(lanes) == "ab"


def test_the_latest_width_counts() -> None:
    lanes = lane(*map(Car, "abc"))
    assert going(lanes) == "a"
    lanes.join("x", 3, Car("d"))
    assert going(lanes) == "bc"


def test_lanes_do_not_hold_each_other_up_and_end_when_they_are_empty() -> None:
    lanes = lane(Car("a"), Car("b"))
    lanes.join("y", 1, Car("c"))
    assert (going(lanes), going(lanes, "y")) == ("a", "c")
    lanes.leave("y")
    assert going(lanes, "y") == ""
    lanes.join("y", 1, Car("d"))
    assert going(lanes, "y") == "d"
