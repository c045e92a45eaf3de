"""The watch of the desk: who looks, at what, and what is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from recorded_desk import RecordedDesk

from mlq.jobs.attempt import AttemptId
from mlq_worker.guest.asker import Asker
from mlq_worker.guest.desk.desk import DeskLook
from mlq_worker.guest.desk.desk_watch import DeskEdges, DeskWatch, available_mib
from mlq_worker.guest.desk.displays import Displays
from mlq_worker.guest.rules import GuestRules
from mlq_worker.guest.saved import Listing, Saved
from mlq_worker.guest.watch import GuestAttempt, Pause, Seen
from mlq_worker.guest.watches import guest_of
from mlq_worker.ipc.clock import Moment, now
from mlq_worker.ipc.options import Options
from mlq_worker.ipc.procfs import Target
from mlq_worker.ipc.values import Share
from mlq_worker.liveness.fence import LivenessTimings

JOB = GuestAttempt(AttemptId("7", 1), Target(11, 1), Share(gpu_uuids=("GPU-a",)), 0.0, "/c")
RULES = GuestRules()


class Folders(Asker[str, Listing]):
    """Listings that are answered at once."""

    def __init__(self) -> None:
        super().__init__(lambda _: {})
        self.content: Listing = {}

    def ask(self, question: str) -> None:
        self._answers[question] = dict(self.content)


class Cards(Asker[tuple[str, str], Displays]):
    """GPUs that are found at once."""

    def __init__(self) -> None:
        super().__init__(lambda _: Displays())
        self.asked = 0

    def ask(self, question: tuple[str, str]) -> None:
        self.asked += 1
        self._answers[question] = Displays(dark=frozenset({"GPU-a"}))


class Room:
    """A machine with one keyboard."""

    def __init__(self) -> None:
        self.keys, self.looks, self.second, self.free_mib = 0, 0, 0, 50_000
        self.folders, self.cards = Folders(), Cards()
        edges = DeskEdges(self._look, Saved(self.folders), lambda: self.free_mib, self.cards, 8)
        self.watch = DeskWatch("lab07", 1000, edges)

    def _look(self, _at: float) -> DeskLook:
        self.looks += 1
        return DeskLook({"keyboard": self.keys}, {})

    def wait(self, seconds: int, rules: GuestRules = RULES, *, typing: bool = False) -> Seen:
        seen = Seen()
        for _ in range(seconds):
            self.second += 1
            self.keys += typing
            seen = self.watch.look([JOB], rules, Moment(float(self.second), ""))
        return seen


@pytest.fixture
def room() -> Room:
    made = Room()
    made.wait(10)
    return made


def test_an_hour_of_stillness_pauses_nothing(room: Room) -> None:
    for _ in range(3600):
        assert room.wait(1).demands == {}
    assert room.wait(1).facts == {
        "desk": {
            "exists": True,
            "seated_uid": None,
            "somebody": False,
            "chattering": [],
            "how": "counters",
        }
    }


def test_a_key_pauses_in_the_same_look(room: Room) -> None:
    assert [one.reason for one in room.wait(1, typing=True).demands[JOB.id].pauses] == ["desk"]
    assert room.wait(299).demands
    assert not room.wait(1).demands


@pytest.mark.parametrize(
    ("saves", "free_mib", "seconds"),
    [(True, 50_000, 120), (False, 50_000, 2880), (False, 2000, 120)],
)
def test_what_is_saved_and_needed_decides_how_long(
    room: Room, saves: bool, free_mib: int, seconds: int
) -> None:
    room.free_mib = free_mib
    room.folders.content = {"/c/model": (1, 1)} if saves else {}
    room.wait(120)
    room.wait(1, typing=True)
    seen = Seen()
    for _ in range(seconds):
        assert all(one.end is None for one in seen.demands.values())
        seen = room.wait(1, typing=room.second % 200 == 0)
    assert seen.demands[JOB.id].end is not None


@pytest.mark.parametrize("rules", [RULES._replace(guest="mine"), RULES._replace(is_granted=True)])
def test_where_nobody_else_counts_nobody_looks(room: Room, rules: GuestRules) -> None:
    looks = room.looks
    assert room.wait(5, rules, typing=True) == Seen()
    assert room.looks == looks


def test_half_looks_at_the_displays_once_a_minute(room: Room) -> None:
    half = RULES._replace(desk_action="half")
    room.wait(180, half)
    assert room.cards.asked == 3
    seen = room.wait(1, half, typing=True)
    assert seen.demands == {}  # it drives no display, and one core is no more than half
    assert seen.closed == "desk in use"


def test_the_memory_of_this_machine(tmp_path: Path) -> None:
    assert 0 < available_mib() < 2**39
    assert available_mib(str(tmp_path)) == 2**40


def test_the_watches_of_this_machine_see_a_switch(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    timings = LivenessTimings(10, 45, 60, 90)
    made = Options(tmp_path, "lab07", tmp_path, "mlq:q:lab07:", timings, shared_dir=shared)
    (shared / "mlq-off").touch()
    seen = guest_of(made, lambda: ()).look([JOB], RULES, now())
    assert seen.closed.startswith("off by ") or "desk" in seen.closed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("machine", "used"),
    [
        ("desktop", "1-3"),
        ("receiver", "3-2.1"),
        ("surface", "1-1"),
        ("laptop", 1),
        ("thinkpad", 1),
        ("qemu", 1),
    ],
)
def test_an_hour_at_a_desk_as_the_kernel_shows_it(
    tmp_path: Path, machine: str, used: str | int
) -> None:
    desk = RecordedDesk(tmp_path, machine)
    edges = DeskEdges(desk.reader().look, Saved(Folders()), lambda: 50_000, Cards(), 8)
    watch = DeskWatch("lab07", 1000, edges)
    for second in range(3600):
        seen = watch.look([JOB], RULES, Moment(float(second), ""))
        assert (seen.demands, seen.closed) == ({}, "")
    if isinstance(used, str):
        desk.transfer(used)  # USB
    else:
        desk.interrupt(used)  # PS/2
    seen = watch.look([JOB], RULES, Moment(3600.0, ""))
    assert seen.demands[JOB.id].pauses == (Pause("desk", "somebody is at the desk"),)
