from typing import Any

import pytest

from mlq.errors import QueueRefusedError
from mlq.pilots.decide import (
    SETTLES_S,
    USELESS_S,
    Listed,
    Seen,
    observe,
    refused,
    resumed,
    start,
    submitted,
    vanished,
)
from mlq.pilots.pool import ENDED_KEPT, Pilot, Pool, pool_id, read_pool

NOW_S = 1000.0


def pool(*pilots: Pilot, **fields: Any) -> Pool:
    return Pool("ab12", "slurm", "", ("-c", "2"), 3600.0, pilots=pilots)._replace(**fields)


def seen(listed: dict[str, Listed] | None = None, **fields: Any) -> Seen:
    return Seen(NOW_S, {} if listed is None else listed)._replace(**fields)


def pilot(name: str, state: Any = "waiting", job: str = "7", **fields: Any) -> Pilot:
    return Pilot(f"mlq-ab12-{name}", state, job, NOW_S - 10)._replace(**fields)


def listed(*names: str, running: bool = True) -> dict[str, Listed]:
    return {f"mlq-ab12-{name}": Listed(f"job-{name}", running) for name in names}


def test_a_pilot_is_started_while_jobs_wait_and_no_more_than_may_exist() -> None:
    empty = pool()
    assert start(empty, seen(waiting=0), "new") is None
    one = start(empty, seen(waiting=5), "new")
    assert one is not None
    assert one.pilots == (Pilot("new", "submitting", "", NOW_S),)
    assert start(one._replace(most=3), seen(waiting=5), "other") is None, "one waits already"
    works = pool(pilot("a", "running", is_seen=True), most=2)
    assert start(works, seen(waiting=1), "other") is not None
    assert start(works._replace(most=1), seen(waiting=1), "other") is None
    assert start(pool(pilot("a"), most=3, queued=2), seen(waiting=1), "new") is None, (
        "one is enough"
    )
    assert start(pool(pilot("a"), most=3, queued=2), seen(waiting=2), "new") is not None


@pytest.mark.parametrize(
    "fields", [{"is_stopped": True}, {"paused": "three failed"}, {"pilots": (pilot("a"),)}]
)
def test_none_is_started(fields: dict[str, Any]) -> None:
    assert start(pool(**fields), seen(waiting=5), "new") is None


def test_none_is_started_blindly() -> None:
    assert start(pool(), Seen(NOW_S, None, waiting=5), "new") is None


def test_once_starts_one_whatever_waits_but_no_more_than_may_exist() -> None:
    assert start(pool(paused="x"), Seen(NOW_S), "new", whatever_waits=True) is not None
    assert start(pool(pilot("a")), Seen(NOW_S), "new", whatever_waits=True) is None


def test_states_are_those_of_the_system() -> None:
    before = pool(pilot("a"), pilot("b", "running"), pilot("c", "submitting", ""))
    now = observe(before, seen(listed("a", "c", running=True)))
    assert [(one.state, one.job) for one in now.pilots] == [
        ("running", "job-a"),
        ("ended", "7"),
        ("running", "job-c"),
    ]
    assert now.failed == 1
    assert now.pilots[1].reason == "its worker never came"
    assert vanished(before, listed("a", "c")) == [before.pilots[1]]
    assert observe(before, Seen(NOW_S, None)) == before, "the system did not answer"


def test_a_submission_whose_answer_was_lost_is_found_by_its_name_or_given_up() -> None:
    lost = pool(pilot("a", "submitting", ""))
    assert observe(lost, seen()) == lost, "it may still arrive"
    (found,) = observe(lost, seen(listed("a", running=False))).pilots
    assert (found.state, found.job) == ("waiting", "job-a")
    late = seen()._replace(now_s=NOW_S + SETTLES_S)
    given_up = observe(lost, late)
    assert given_up.pilots[0].reason == "its submission never reached the system"
    assert start(given_up, late._replace(waiting=1), "new") is not None
    (back,) = observe(given_up, seen(listed("a"))).pilots
    assert back.state == "running", "it came after all, and counts again"


def test_a_worker_that_was_seen_makes_a_good_start() -> None:
    now = observe(
        pool(pilot("a", "running"), failed=2), seen(listed("a"), machines={"slurm-job-a"})
    )
    assert not now.pilots[0].is_seen, "its job's number was another one until now"
    now = observe(
        pool(pilot("a", "running", "9"), failed=2), seen(listed("a"), machines={"slurm-9"})
    )
    assert (now.pilots[0].is_seen, now.failed) == (True, 0)
    over = observe(now, seen())
    assert (over.pilots[0].state, over.pilots[0].reason, over.failed) == ("ended", "", 0)


def test_three_failed_starts_in_a_row_pause_the_pool() -> None:
    now = pool()
    for name in ("a", "b", "c"):
        assert not now.paused
        now = now._replace(pilots=(*now.pilots, pilot(name)))
        now = observe(now, seen(reasons={f"mlq-ab12-{name}": f"no {name}"}))
    assert now.paused == "3 starts in a row failed; the last: no c"
    assert (resumed(now).paused, resumed(now).failed) == ("", 0)
    refusals = pool()
    for name in "abc":
        refusals = refusals._replace(pilots=(*refusals.pilots, pilot(name, "submitting", "")))
        refusals = refused(refusals, f"mlq-ab12-{name}", "no such queue", NOW_S)
    assert refusals.paused.endswith("no such queue")


def test_after_a_pilot_that_found_no_job_the_next_comes_later() -> None:
    idle = pool(pilot("a", "running", is_seen=True))
    over = observe(idle, seen())
    assert over.failed == 0
    assert start(over, seen(waiting=3), "new") is None
    late = seen(waiting=3)._replace(now_s=NOW_S + USELESS_S)
    assert start(over, late, "new") is not None
    assert start(resumed(over), seen(waiting=3), "new") is not None
    worked = observe(idle, seen(listed("a"), machines={"slurm-7"}, busy={"slurm-7"}))
    assert worked.pilots[0].has_worked
    assert start(observe(worked, seen()), seen(waiting=3), "new") is not None


def test_what_a_restored_queue_forgot_is_found_again() -> None:
    now = observe(pool(), seen({**listed("a"), "mlq-ffff-b": Listed("8", True)}))
    assert [(one.name, one.job) for one in now.pilots] == [("mlq-ab12-a", "job-a")]
    assert start(now, seen(waiting=3), "new") is None


def test_the_answer_comes_after_another_manager_found_the_pilot() -> None:
    found = pool(pilot("a", "running", "5"))
    assert submitted(found, "mlq-ab12-a", "5", NOW_S) == found
    waits = submitted(pool(pilot("a", "submitting", "")), "mlq-ab12-a", "5", NOW_S)
    assert (waits.pilots[0].state, waits.pilots[0].job) == ("waiting", "5")


def test_old_pilots_are_dropped() -> None:
    many = pool(*(pilot(str(index), "ended") for index in range(ENDED_KEPT + 5)), pilot("x"))
    now = observe(many, seen(listed("x")))
    assert len(now.pilots) == ENDED_KEPT + 1
    assert now.pilots[0].name == "mlq-ab12-5"


def test_a_pool_is_written_and_read() -> None:
    one = pool(pilot("a", is_seen=True, reason="x"), via="login", paused="why", failed=2)
    assert read_pool(one.text()) == one
    for text in ("", "{}", "[]", one.text().replace("slurm", "lsf"), "null"):
        with pytest.raises(QueueRefusedError):
            read_pool(text)
    assert pool_id("slurm", "", (), 60.0) != pool_id("slurm", "a", (), 60.0)
