"""Jobs that ran out of memory: whose fault it was, and what they ask for next time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mlq.jobs.lifecycle import Event
from mlq.jobs.placement import GpuOffer, Offer
from mlq.jobs.request import Request
from mlq.jobs.spec import JobSpec
from mlq.store.operations import Growth, Move
from mlq_worker.agent.attempt_result import AttemptResult, parse_result
from mlq_worker.agent.growth import settled
from mlq_worker.agent.history import History, Patience
from mlq_worker.agent.learning import Cards, lesson
from mlq_worker.agent.outcomes import CROWDED_TRIES, ending
from mlq_worker.agent.starts import how_it_started, was_crowded

AT = "2026-11-23T22:15:01.123456Z"
PATIENCE = Patience(max_losses=5, retry_pause_s=5)
GIB = 1024


def failed(*, rss_mib: int = 0, vram_mib: int = 0, **shortage: Any) -> AttemptResult:
    raw = {
        "id": "7",
        "attempt": 2,
        "machine": "lab01",
        "outcome": "exited",
        "exit_code": 1,
        "reason": "exit 1",
        "last_line": "MemoryError",
        "started_at": AT,
        "ended_at": AT,
        "cpu_s": 1.0,
        "max_rss_mib": rss_mib,
        "used": {"samples": 1, "vram_mib": vram_mib},
        "shortage": {"of_gpu": False, **shortage},
    }
    return parse_result(raw)


def history(mem_mib: int = 6 * GIB, vram_mib: int = 0, **changes: Any) -> History:
    asked = Request(1, mem_mib, 1 if vram_mib else 0, vram_mib)
    return History(**{"request": asked, "oom_retries": 2, **changes})


def offer(machine: str, mem_mib: int, *cards_mib: int) -> Offer:
    gpus = tuple(GpuOffer(f"GPU-{n}", "TI", 0, size) for n, size in enumerate(cards_mib))
    return Offer(machine, 0, 0, gpus, 4, mem_mib)


def tried(move: Move, request: Request, *offers: Offer, agreed: int = 2) -> Move:
    """What becomes of a move that asks for more, on these machines."""
    assert move.growth is not None
    spec = JobSpec(
        id="7", argv=("x",), cwd="/", request=request, oom_retries=agreed, submitted_at=AT
    )
    return settled(move, move.growth, spec, offers, lambda new: new)  # type: ignore[arg-type, return-value]


def test_a_job_that_used_more_than_it_asked_for_asks_for_half_as_much_again() -> None:
    move = ending(failed(rss_mib=8090), history(ooms=0, retries=1), PATIENCE)
    assert (move.event, move.avoid, move.start) == (Event.RETRY, "", "")
    assert move.fields["mlq_ooms"] == 1
    assert "mlq_failures" not in move.fields
    made = tried(move, Request(1, 6 * GIB), offer("lab01", 64 * GIB))
    assert made.text.request == Request(1, 9 * GIB)  # type: ignore[union-attr]
    assert made.fields["mlq_reason"] == (
        "out of memory: it used 7.9 of the 6 GiB it had asked for; trying with 9 GiB (1 of 2)"
    )


def test_a_job_that_used_far_more_asks_for_what_it_used() -> None:
    move = ending(failed(rss_mib=20000), history(), PATIENCE)
    assert move.growth is not None
    assert move.growth.wanted_mib == 23000


def test_it_asks_for_more_only_so_often_and_only_if_its_user_agreed() -> None:
    for past in (history(ooms=2), history(oom_retries=0)):
        move = ending(failed(rss_mib=8090), past, PATIENCE)
        assert (move.event, move.growth) == (Event.FAIL, None)
        assert move.fields["mlq_reason"] == (
            "out of memory: it used 7.9 of the 6 GiB it had asked for"
        )
    again = ending(failed(rss_mib=8090), history(ooms=2, retries=1), PATIENCE)
    assert again.event is Event.RETRY
    assert str(again.fields["mlq_reason"]).endswith("; retry 1 of 1 in 5s")


def test_no_job_asks_for_more_than_the_largest_machine_has() -> None:
    move = ending(failed(rss_mib=8090), history(), PATIENCE)
    request = Request(1, 6 * GIB)
    most = tried(move, request, offer("lab01", 4 * GIB), offer("lab02", 8 * GIB))
    assert most.text.request.mem_mib == 8 * GIB  # type: ignore[union-attr]
    assert str(most.fields["mlq_reason"]).endswith("; trying with 8 GiB (1 of 2)")
    for offers in ([offer("lab01", 6 * GIB)], []):
        end = tried(move, request, *offers)
        assert (end.event, end.text) == (Event.FAIL, None)
        assert end.fields["mlq_reason"] == (
            "out of memory: it used 7.9 of the 6 GiB it had asked for; no machine has more"
        )
    other = Request(1, 6 * GIB, machine="gpu*")
    assert tried(move, other, offer("lab01", 64 * GIB)).event is Event.FAIL


def test_only_the_signed_text_tells_whether_the_user_agreed() -> None:
    move = ending(failed(rss_mib=8090), history(), PATIENCE)
    made = tried(move, Request(1, 6 * GIB), offer("lab01", 64 * GIB), agreed=0)
    assert (made.event, made.text) == (Event.FAIL, None)


def test_of_a_gpu_likewise() -> None:
    past = history(vram_mib=4000)
    move = ending(failed(of_gpu=True, used_mib=5000), past, PATIENCE)
    made = tried(move, past.request or Request(), offer("lab01", 64 * GIB, 11000, 8000))
    assert made.text.request.vram_mib == 6000  # type: ignore[union-attr]
    assert "out of GPU memory: it used 4.9 of the 3.9 GiB" in str(made.fields["mlq_reason"])
    most = tried(move, past.request or Request(), offer("lab01", 64 * GIB, 5000))
    assert most.text.request.vram_mib == 4500  # type: ignore[union-attr]


def test_who_had_a_whole_gpu_may_want_a_larger_one() -> None:
    asked = Request(1, 6 * GIB, 1)
    move = ending(
        failed(of_gpu=True, used_mib=11500, card_mib=11000),
        History(request=asked, oom_retries=2),
        PATIENCE,
    )
    assert tried(move, asked, offer("lab01", 64 * GIB, 11000)).event is Event.FAIL
    made = tried(move, asked, offer("lab01", 64 * GIB, 11000), offer("gpu01", 64 * GIB, 40000))
    assert made.text.request.vram_mib == 16500  # type: ignore[union-attr]
    assert "it used 11.2 of the 10.7 GiB of its GPU" in str(made.fields["mlq_reason"])


@pytest.mark.parametrize(
    "result",
    [
        failed(rss_mib=4000),
        failed(of_gpu=True, used_mib=5000),
        failed(of_gpu=True, vram_mib=5000),
    ],
)
def test_a_job_that_kept_its_promise_goes_elsewhere_and_that_does_not_count(
    result: AttemptResult,
) -> None:
    past = history(vram_mib=6000, oom_retries=0)
    move = ending(result, past, PATIENCE)
    assert (move.event, move.avoid, move.growth) == (Event.RETRY, "lab01", None)
    assert move.fields["mlq_crowded"] == 1
    assert "mlq_failures" not in move.fields
    assert str(move.fields["mlq_reason"]).endswith(
        "others took the rest; trying elsewhere (1 of 5)"
    )
    last = ending(result, history(vram_mib=6000, crowded=CROWDED_TRIES), PATIENCE)
    assert last.event is Event.FAIL


def test_who_the_kernel_killed_within_its_limit_is_handed_back() -> None:
    killed = failed(rss_mib=4000, killed=True, others_mib=58 * GIB + 100)
    move = ending(killed, history(retries=1), PATIENCE)
    assert (move.event, move.avoid, move.pause_s, move.start) == (Event.RELEASE, "lab01", 0, "")
    assert move.fields["mlq_reason"] == "handed back: lab01 ran out of memory; others used 58.1G"
    assert not {"mlq_failures", "mlq_ooms", "mlq_losses"} & move.fields.keys()
    unknown = ending(failed(rss_mib=4000, killed=True), history(), PATIENCE)
    assert unknown.fields["mlq_reason"] == "handed back: lab01 ran out of memory"


def test_who_the_kernel_killed_is_not_handed_back_for_ever_nor_run_against_its_user_s_will() -> (
    None
):
    killed = failed(rss_mib=4000, killed=True)
    for past in (history(crowded=CROWDED_TRIES), history(requeue=False)):
        move = ending(killed, past, PATIENCE)
        assert move.event is Event.FAIL
        assert str(move.fields["mlq_reason"]).startswith("out of memory, but it used 3.9 of the 6")
    greedy = ending(failed(rss_mib=8090, killed=True), history(oom_retries=0), PATIENCE)
    assert greedy.event is Event.FAIL


def overstepped(*, of_gpu: bool = False, used_mib: int = 8300) -> AttemptResult:
    what = "GPU memory" if of_gpu else "memory"
    raw = {
        "id": "7",
        "attempt": 2,
        "machine": "lab01",
        "outcome": "overstepped",
        "exit_code": None,
        "signal": 9,
        "reason": f"took 8.1G of the 8G of {what} it asked for",
        "started_at": AT,
        "ended_at": AT,
        "cpu_s": 1.0,
        "max_rss_mib": 100,
        "shortage": {"of_gpu": of_gpu, "used_mib": used_mib},
    }
    return parse_result(raw)


def test_who_took_more_than_its_limit_has_failed() -> None:
    move = ending(overstepped(), history(8 * GIB, oom_retries=0), PATIENCE)
    assert (move.event, move.growth) == (Event.FAIL, None)
    assert move.fields["mlq_reason"] == "took 8.1G of the 8G of memory it asked for"


def test_who_took_more_than_its_limit_is_tried_with_more_where_its_user_asked_for_that() -> None:
    move = ending(overstepped(), history(8 * GIB), PATIENCE)
    made = tried(move, Request(1, 8 * GIB), offer("lab01", 64 * GIB))
    assert made.text.request == Request(1, 12 * GIB)  # type: ignore[union-attr]
    assert made.fields["mlq_reason"] == (
        "took 8.1G of the 8G of memory it asked for; trying with 12 GiB (1 of 2)"
    )
    alone = tried(move, Request(1, 8 * GIB), offer("lab01", 8 * GIB))
    assert alone.event is Event.FAIL
    past = history(GIB, vram_mib=8 * GIB)
    move = ending(overstepped(of_gpu=True, used_mib=9000), past, PATIENCE)
    made = tried(move, past.request or Request(), offer("lab01", 64 * GIB, 24 * GIB))
    assert made.text.request.vram_mib == 12 * GIB  # type: ignore[union-attr]


def test_a_limit_overstepped_is_its_own_fault_and_says_nothing_of_the_machine() -> None:
    assert not was_crowded(overstepped(), Request(1, 8 * GIB))
    assert how_it_started(overstepped()) == ""


def test_what_its_user_stopped_is_not_tried_again() -> None:
    move = ending(failed(rss_mib=8090), history(stop="canceled"), PATIENCE)
    assert move.event is Event.FAIL


def test_a_lack_of_memory_tells_nothing_of_how_a_command_starts() -> None:
    assert how_it_started(failed(rss_mib=8090)) == ""


def test_a_machine_that_has_too_little_for_job_after_job_is_told_from_greedy_jobs() -> None:
    asked = Request(1, 6 * GIB)
    assert was_crowded(failed(rss_mib=100), asked)
    assert not was_crowded(failed(rss_mib=8090), asked)
    later = replace(failed(rss_mib=100), ended_at="2026-11-23T22:17:01.123456Z")
    assert not was_crowded(later, asked)


def test_a_finished_run_teaches_what_it_used() -> None:
    done = parse_result(
        {
            "id": "7",
            "attempt": 1,
            "machine": "lab01",
            "outcome": "exited",
            "exit_code": 0,
            "reason": "",
            "started_at": AT,
            "ended_at": AT,
            "cpu_s": 1.0,
            "max_rss_mib": 900,
            "used": {"samples": 3, "mem_mib": 1200, "vram_mib": 9000},
        }
    )
    assert lesson(done, "p", Cards()) == "p 1200 0 "
    assert lesson(done, "p", Cards(2, "TI", 11000)) == "p 1200 4500 TI"
    assert lesson(done, "p", Cards(1, "TI", 10000)) == "p 1200 0 TI"  # the whole card
    assert lesson(done, "", Cards()) == ""
    assert lesson(failed(rss_mib=5), "p", Cards()) == ""


def test_growth_that_was_never_settled_changes_nothing_else() -> None:
    move = ending(failed(rss_mib=8090), history(), PATIENCE)
    assert isinstance(move.growth, Growth)
    assert "text" not in move.as_args()
