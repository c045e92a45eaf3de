"""What follows from jobs that start badly here: a command held, a machine set aside, or nothing."""

from __future__ import annotations

from mlq_worker.agent.conduct import (
    TRIALS,
    Conduct,
    EndProbation,
    HoldCommand,
    SeenStarts,
    SetAside,
    TakeBack,
    judge,
)
from mlq_worker.agent.probation import Probation
from mlq_worker.agent.starts import OwnStart, Seen, Start

HERE, THERE = "lab01", "lab02"
BAD_ROW = tuple(OwnStart(str(number), "s1", f"reason {number}") for number in range(3))


def seen(*machines: str, well_there: bool = True, after_bad_start: bool = True) -> SeenStarts:
    """The command started badly on these machines, the newest first; others may go well."""
    starts = tuple(Start(machine, False, str(n)) for n, machine in enumerate(machines))
    last = {HERE: False, THERE: well_there}
    return SeenStarts(Seen({"s1": starts}, last, (HERE, THERE)), after_bad_start)


def test_nothing_follows_before_the_queue_was_asked() -> None:
    assert judge(Conduct(bad_starts=BAD_ROW), None, HERE) == []


def test_a_command_that_fails_on_two_machines_is_held() -> None:
    (hold,) = judge(Conduct(bad_starts=BAD_ROW), seen(HERE, THERE, HERE), HERE)
    assert isinstance(hold, HoldCommand)
    assert hold.reason == (
        "held: 3 jobs of this command in a row failed within 20s, on lab01 and lab02: reason 2"
    )


def test_a_machine_where_alone_jobs_fail_is_set_aside() -> None:
    aside, back = judge(Conduct(bad_starts=BAD_ROW), seen(HERE, HERE, HERE), HERE)
    assert isinstance(aside, SetAside)
    assert back == TakeBack(("0", "1", "2"))
    assert aside.reason.endswith("(last: reason 2)")
    nowhere_well = seen(HERE, HERE, HERE, well_there=False)
    assert judge(Conduct(bad_starts=BAD_ROW), nowhere_well, HERE) == []


def test_many_jobs_at_once_are_no_reason_to_hold_what_may_go_well_elsewhere() -> None:
    many = tuple(OwnStart(str(number), "s1", "exit 3") for number in range(8))
    starts = seen(*[HERE] * 8)
    aside, _ = judge(Conduct(bad_starts=many), starts, HERE)
    assert isinstance(aside, SetAside)
    # It has tried others since, and no machine has started one well.
    tried = Conduct(Probation("bad", tries=TRIALS), many)
    (hold,) = judge(tried, starts, HERE)
    assert isinstance(hold, HoldCommand)
    runs = SeenStarts(starts.seen._replace(running={"s1": (THERE,)}), after_bad_start=True)
    aside, _ = judge(tried, runs, HERE)
    assert isinstance(aside, SetAside)


def test_a_probation_ends_when_its_reason_is_gone_and_is_not_lengthened_meanwhile() -> None:
    conduct = Conduct(Probation("bad"), BAD_ROW)
    asked = {"after_bad_start": False}
    assert judge(conduct, seen(HERE, HERE, HERE, **asked), HERE) == []
    gone = seen(HERE, HERE, HERE, well_there=False, **asked)
    assert judge(conduct, gone, HERE) == [EndProbation()]
