"""Jobs pause and are handed back while mlq is switched off, whatever the clocks do."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlq.jobs.attempt import AttemptId
from mlq.units import utc_iso
from mlq_worker.guest.off import HAND_BACK_S, OffWatch
from mlq_worker.guest.off_file import DEFAULT_S, LONGEST_S
from mlq_worker.guest.rules import GuestRules
from mlq_worker.guest.watch import GuestAttempt, Pause, Seen
from mlq_worker.ipc.clock import Moment
from mlq_worker.ipc.procfs import Target
from mlq_worker.ipc.values import Share

JOB = GuestAttempt(AttemptId("7", 1), Target(11, 1), Share(), 0.0, "/c")
RULES = GuestRules()
NOON = datetime(2026, 11, 28, 12, 0).timestamp()
HOUR = 3600.0


class Machine:
    """A folder with a switch, its user's watch, and two clocks."""

    def __init__(self, folder: Path, own_uid: int = 1000) -> None:
        self.path = folder / "mlq-off"
        self.boot_s, self.wall_s = 500.0, NOON
        self.watch = OffWatch("lab07", own_uid, lambda uid: f"u{uid}", str(folder))

    def touch(self, text: str = "", *, ahead_s: float = 0, uid: int | None = None) -> None:
        self.path.write_text(text)
        if uid is not None:
            os.chown(self.path, uid, -1)
        os.utime(self.path, (self.wall_s + ahead_s,) * 2)

    def wait(self, seconds: float, *, jump_s: float = 0) -> None:
        self.boot_s += seconds
        self.wall_s += seconds + jump_s

    def look(self, rules: GuestRules = RULES, job: GuestAttempt = JOB) -> Seen:
        return self.watch.look([job], rules, Moment(self.boot_s, utc_iso(self.wall_s)))

    @property
    def is_off(self) -> bool:
        return bool(self.look().closed)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_jobs_pause_at_once_and_are_handed_back_after_a_minute(machine: Machine) -> None:
    assert machine.look() == Seen()
    machine.touch("10h\nneed the GPU\x1b[2J")
    seen = machine.look()
    words = f"off by u{os.getuid()} until 22:00"
    assert seen.demands[JOB.id].pauses == (Pause("off", words),)
    assert seen.demands[JOB.id].end is None
    assert seen.closed == f"{words}: need the GPU[2J"
    assert seen.notes == (seen.closed,)
    machine.wait(HAND_BACK_S - 1)
    assert machine.look().demands[JOB.id].end is None
    machine.wait(1)
    end = machine.look().demands[JOB.id].end
    assert end is not None
    assert end.reason == f"handed back: u{os.getuid()} has switched mlq off on lab07"
    assert not machine.look(job=JOB._replace(is_ending=True)).demands


def test_it_lasts_until_it_is_removed_or_its_time_is_over(machine: Machine) -> None:
    machine.touch()
    machine.wait(DEFAULT_S - 1)
    assert machine.is_off
    machine.wait(1)
    assert not machine.is_off
    machine.touch("1h")
    assert machine.is_off
    machine.path.unlink()
    assert not machine.is_off


def test_one_that_is_lapsed_when_it_is_first_seen_holds_nothing(machine: Machine) -> None:
    machine.touch("2h", ahead_s=-2 * HOUR)
    assert not machine.is_off


def test_one_of_the_future_counts_as_now_and_only_once(machine: Machine) -> None:
    machine.touch("2h", ahead_s=72 * HOUR)
    assert machine.is_off
    machine.wait(2 * HOUR)
    assert not machine.is_off
    machine.wait(71 * HOUR)
    assert not machine.is_off


def test_it_is_read_again_when_it_changes(machine: Machine) -> None:
    machine.touch()
    assert machine.look().closed.endswith("until 00:00")
    machine.touch("1h")  # as a shell does it: created first, written then
    assert machine.look().closed.endswith("until 13:00")


def test_of_several_the_longest_is_told(machine: Machine) -> None:
    machine.touch("1h")
    machine.path = machine.path.with_name("mlq-off.2")
    machine.touch("3h")
    assert machine.look().closed.endswith("until 15:00")
    machine.path.unlink()
    assert machine.look().closed.endswith("until 13:00")


@pytest.mark.parametrize("rules", [RULES._replace(guest="mine"), RULES._replace(is_granted=True)])
@pytest.mark.parametrize(("uid", "holds"), [(0, True), (1000, True), (1001, False)])
def test_where_only_the_owner_and_root_may(
    machine: Machine, rules: GuestRules, uid: int, holds: bool
) -> None:
    if os.geteuid() and uid != os.geteuid():
        pytest.skip("needs root, to be other users")
    machine.touch(uid=uid)
    assert bool(machine.look(rules).closed) == holds
    assert machine.is_off


def test_the_words_stand_still_while_the_clocks_drift(machine: Machine) -> None:
    machine.wait(29.9)
    machine.touch("1h")
    said = {machine.look().closed}
    for _ in range(300):
        machine.wait(1, jump_s=0.02 if len(said) % 2 else -0.02)
        said.add(machine.look().closed)
    assert len(said) == 1


jumps = st.lists(st.tuples(st.floats(0.5, 2 * HOUR), st.floats(-9 * HOUR, 9 * HOUR)), max_size=30)


@given(jumps, st.floats(60, LONGEST_S))
def test_no_jump_of_the_clock_shortens_it(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[float, float]], lasts_s: float
) -> None:
    machine = Machine(tmp_path_factory.mktemp("off"))
    lasts_s = round(lasts_s)
    machine.touch(f"{lasts_s}s")
    assert machine.is_off
    waited_s = back_s = 0.0
    for seconds, jump_s in steps:
        machine.wait(seconds, jump_s=jump_s)
        waited_s += seconds
        back_s += max(0.0, -jump_s)
        is_off = machine.is_off
        if waited_s < lasts_s - 1:
            assert is_off
        if waited_s > lasts_s + back_s + 1:
            assert not is_off
