"""What the boards of a queue say together, and what of it counts."""

from __future__ import annotations

import pytest

from mlq_worker.guest.boards.board import Board, BoardJob, BoardName, Process, Waits
from mlq_worker.guest.boards.boards import Posted
from mlq_worker.guest.boards.neighbours import (
    Neighbour,
    cores_of,
    neighbours_of,
    processes_of,
    promises_of,
    share_of,
)

P, KEEPER = Process(5, 50), Process(6, 60)
WAITS = Waits("w", 1, 100)


def posted(*jobs: BoardJob, following: bool = False, waits: Waits | None = None) -> Posted:
    return Posted(BoardName(1000, "q", is_next=following), Board(P, jobs, waits))


def both(running: tuple[BoardJob, ...], promised: tuple[BoardJob, ...]) -> tuple[BoardJob, ...]:
    boards = [posted(*promised, following=True, waits=WAITS), posted(*running)]
    (found,) = neighbours_of(boards)
    assert found.waits == WAITS
    return found.jobs


def test_a_job_on_both_boards_counts_once() -> None:
    runs = BoardJob("a", 2, 100, {"G": 8}, 3.0, (0, 1), KEEPER)
    told = BoardJob("a", 2, 100, {"G": 8}, 2.0, held_mib=70)
    assert both((runs,), (told,)) == (runs._replace(held_mib=70),)


def test_what_is_about_to_start_counts_already() -> None:
    runs, comes = BoardJob("a", 2, process=KEEPER), BoardJob("next", 1, 10, {"G": 8})
    assert both((runs,), (BoardJob("a", 2), comes)) == (runs, comes)


def test_of_a_lane_counts_what_it_may_run_at_once() -> None:
    one = BoardJob("lane", 1, 10, process=KEEPER)
    found = both((one, one), (BoardJob("lane", 4, 40),))
    assert sum(job.cores for job in found) == 4
    assert sum(job.mem_mib for job in found) == 40
    assert both((one,) * 4, (BoardJob("lane", 4, 40),)) == (one,) * 4


def test_a_queue_without_worker_waits_for_nothing() -> None:
    (found,) = neighbours_of([posted(BoardJob("a", 1))])
    assert found == Neighbour(1000, "q", (BoardJob("a", 1),))


def test_two_queues_of_a_user_are_two() -> None:
    other = Posted(BoardName(1000, "r"), Board(P))
    assert len(neighbours_of([posted(), other])) == 2


@pytest.mark.parametrize(
    ("since", "at", "is_firm"),
    [(0.0, 1799.0, True), (0.0, 1800.0, False), (9e9, 100.0, True), (0.0, 1e7, False)],
)
def test_firm_for_the_patience(since: float, at: float, is_firm: bool) -> None:
    one = Neighbour(1000, "q", (BoardJob("a", 1, 100, since=since),))
    (promise,) = promises_of([one], at, 1800)
    assert promise.is_firm is is_firm
    assert not promise.is_ours


def test_different_memory_on_different_gpus() -> None:
    one = Neighbour(1, "q", (BoardJob("a", 3, 9, {"G": 8, "H": 8, "I": 0}, process=KEEPER),))
    whole, part = promises_of([one], 0, 1800)
    assert (whole.gpu_uuids, whole.vram_mib, part.gpu_uuids, part.vram_mib) == (
        ("I",),
        0,
        ("G", "H"),
        8,
    )
    assert whole.cores + part.cores == 3
    assert whole.mem_mib + part.mem_mib == 9
    assert whole.leader_pids == part.leader_pids == (6,)


def test_for_the_room() -> None:
    one = Neighbour(1, "q", (BoardJob("a", 2, on=(0, 4), process=KEEPER), BoardJob("b", 1)))
    assert cores_of([one]) == {0, 4}
    assert processes_of([one]) == {6}


def test_share_of_a_machine() -> None:
    gpus = {"G": 10, "H": 10}
    assert share_of([BoardJob("a", 4)], 8, gpus) == 0.5
    assert share_of([BoardJob("a", 0, vram_mib={"G": 5})], 8, gpus) == 0.25
    assert share_of([BoardJob("a", 0, vram_mib={"G": 0, "H": 0})], 8, gpus) == 1.0
    assert share_of([BoardJob("a", 0, vram_mib={"X": 0})], 8, gpus) == 0.0
    assert share_of([BoardJob("a", 1)], 0, {}) == 1.0
