"""Attempts that ask to be queued again, and how often each process is signalled meanwhile."""

from __future__ import annotations

import json
import signal
import sys
from typing import Any

import pytest
from supervising import Bench

from mlq_worker.ipc.values import REQUEUED

pytestmark = pytest.mark.slow

# Counts its signals, each with the time since its start. Its first argument is its name, the second
# the signals that it records, and the third after how many signals it leaves, 0: never.
COUNT = """
import json, os, signal, sys, time
name, numbers, leave = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
began, told = time.monotonic(), []
def save():
    with open(f"{os.environ['HERE']}/{name}.new", "w") as file:
        json.dump(told, file)
    os.replace(f"{os.environ['HERE']}/{name}.new", f"{os.environ['HERE']}/{name}")
def heard(number, _frame):
    told.append([number, time.monotonic() - began])
    save()
for number in numbers:
    signal.signal(number, heard)
if "ask" in sys.argv:
    open(os.environ["MLQ_REQUEUE_FILE"], "w").close()
save()
while not leave or len(told) < leave:
    signal.sigtimedwait((), 0.1)
"""
USR1, TERM = int(signal.SIGUSR1), int(signal.SIGTERM)
BOTH = json.dumps([USR1, TERM])


def counting(bench: Bench, name: str, numbers: str = BOTH, leave: int = 0, *more: str) -> list[str]:
    """The command of a program that counts."""
    program = bench.root.parent / "count.py"
    program.write_text(COUNT)
    return [sys.executable, str(program), name, numbers, str(leave), *more]


def told(bench: Bench, name: str) -> list[int]:
    """The signals that a program got."""
    return [number for number, _ in json.loads(bench.file(name))]


def usr1(ahead_s: float | None = None, *, first_only: bool = False) -> dict[str, Any]:
    """A signal of an order."""
    return {"number": USR1, "ahead_s": ahead_s, "first_only": first_only}


def test_a_running_attempt_that_asks_is_stopped_without_a_worker(bench: Bench) -> None:
    bench.start(bench.order("1", *counting(bench, "a", BOTH, 1, "ask")))
    bench.file("a")
    bench.link.close()  # the supervisor needs none
    bench.connect()
    result = bench.result("1") if "1" in bench.results else _held_result(bench)
    assert (result["outcome"], result["reason"]) == ("released", REQUEUED)
    assert 0 <= result["asked_s"] < 10
    assert json.loads(bench.layout.result_file("1", 1).read_bytes()) == result
    assert told(bench, "a") == [TERM]


def _held_result(bench: Bench) -> dict[str, Any]:
    def ended() -> dict[str, Any] | None:
        (held,) = bench.connect().hello["attempts"]
        return held["result"]

    found: dict[str, Any] = bench.until(ended, "its end")
    return found


@pytest.mark.parametrize("code", [0, 3])
def test_the_exit_code_no_longer_matters(bench: Bench, code: int) -> None:
    bench.start(bench.order("1", "sh", "-c", f': >"$MLQ_REQUEUE_FILE"; exit {code}'))
    result = bench.result("1")
    assert (result["outcome"], result["reason"]) == ("released", REQUEUED)
    assert result["exit_code"] == code
    assert json.loads(bench.layout.result_file("1", 1).read_bytes()) == result


def test_a_canceled_attempt_stays_canceled(bench: Bench) -> None:
    script = "trap ': >\"$MLQ_REQUEUE_FILE\"; exit 0' TERM; : >ready; while :; do sleep 0.01; done"
    bench.start(bench.order("1", "sh", "-c", script))
    bench.running("1")
    bench.until((bench.root.parent / "ready").exists, "its trap")
    bench.stop("1", "canceled")
    result = bench.result("1")
    assert result["outcome"] == "canceled"
    assert "asked_s" not in result
    assert list(bench.runtime.glob("requeue*")) == []


def test_what_asks_while_it_is_stopped_for_its_time_limit_is_queued_again(bench: Bench) -> None:
    script = "trap ': >\"$MLQ_REQUEUE_FILE\"; exit 1' TERM; while :; do sleep 0.01; done"
    bench.start(bench.order("1", "sh", "-c", script, time_limit_s=0.5))
    assert bench.result("1")["outcome"] == "released"


def test_a_signal_of_its_own_then_sigterm_then_sigkill_each_once(bench: Bench) -> None:
    """A stubborn program, and one below a script; the second grace begins after the first."""
    command = counting(bench, "a")
    bench.start(bench.order("1", *command, signal=usr1(), stop_grace_s=0.4))
    bench.start(
        bench.order(
            "2",
            "sh",
            "-c",
            '"$0" "$@"; true',
            *counting(bench, "b"),
            signal=usr1(),
            stop_grace_s=0.4,
        )
    )
    for name in ("a", "b"):
        bench.file(name)
    for job in ("1", "2"):
        bench.stop(job, "released", "handed back")
    for job, name in (("1", "a"), ("2", "b")):
        assert bench.result(job)["outcome"] == "released"
        (first, first_s), (second, second_s) = json.loads(bench.file(name))
        assert (first, second) == (USR1, TERM)
        assert 0.35 < second_s - first_s < 5
    assert bench.alive() == set()


@pytest.mark.parametrize(
    ("first_only", "script", "others"),
    [
        (False, [], [USR1, TERM]),
        (True, [USR1, TERM], [TERM]),
    ],
)
def test_without_b_all_but_the_script_and_with_b_the_script_alone(
    bench: Bench, first_only: bool, script: list[int], others: list[int]
) -> None:
    """The script traps both; SIGTERM is for all of them."""
    trap = "trap 'echo usr1 >>said' USR1; trap 'echo term >>said' TERM; "
    two = [" ".join(f"'{word}'" for word in counting(bench, name)) for name in ("a", "b")]
    text = f"{trap} : >said; {two[0]} & {two[1]} & wait; wait; wait"
    order = bench.order(
        "1", "bash", "-c", text, signal=usr1(first_only=first_only), stop_grace_s=0.4
    )
    bench.start(order)
    for name in ("a", "b"):
        bench.file(name)
    bench.stop("1", "released", "handed back")
    bench.result("1")
    said = (bench.root.parent / "said").read_text().split()
    assert said == [{USR1: "usr1", TERM: "term"}[one] for one in (script or [TERM])]
    for name in ("a", "b"):
        got = told(bench, name)
        assert got.count(USR1) == others.count(USR1)
        assert got.count(TERM) == 1


def test_the_ranks_of_srun_get_it_once_and_nobody_beside_them(bench: Bench) -> None:
    """A stand-in for `srun`, which passes signals on to two ranks; a program runs beside it."""
    ranks = [" ".join(f"'{word}'" for word in counting(bench, f"rank{one}")) for one in (0, 1)]
    srun = bench.root.parent / "srun"
    srun.write_text(
        "#!/bin/bash\n"
        + "".join(f"{one} & pids+=($!)\n" for one in ranks)
        + "trap 'kill -USR1 ${pids[@]}' USR1; trap 'kill ${pids[@]}' TERM\n"
        + ": >up; wait; wait; wait; wait\n"
    )
    srun.chmod(0o700)
    beside = " ".join(f"'{word}'" for word in counting(bench, "beside"))
    bench.start(
        bench.order("1", "bash", "-c", f"{beside} & ./srun; true", signal=usr1(), stop_grace_s=0.4)
    )
    for name in ("rank0", "rank1", "beside"):
        bench.file(name)
    bench.until((bench.root.parent / "up").exists, "its traps")
    bench.stop("1", "released", "handed back")
    bench.result("1")
    assert [told(bench, f"rank{one}") for one in (0, 1)] == [[USR1, TERM]] * 2
    assert told(bench, "beside").count(USR1) == 0


def test_a_signal_ahead_of_the_limit_waits_for_a_handler_and_is_sent_once(bench: Bench) -> None:
    """It is earlier than the limit, so it is due at once; the program is not ready yet."""
    late = counting(bench, "a")
    text = "sleep 0.5; exec " + " ".join(f"'{word}'" for word in late)
    bench.start(
        bench.order("1", "sh", "-c", text, signal=usr1(90), time_limit_s=2.5, stop_grace_s=0.4)
    )
    result = bench.result("1")
    assert (result["outcome"], result["reason"]) == ("timeout", "timeout after 2.5s")
    assert told(bench, "a") == [USR1, TERM]


def test_a_program_that_ignores_sigterm_saves_at_its_own_signal(bench: Bench) -> None:
    """As submitit's and Lightning's do."""
    code = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "def save(*_):\n"
        "    open(os.environ['HERE'] + '/saved', 'w').write('yes')\n"
        "    open(os.environ['MLQ_REQUEUE_FILE'], 'w').close()\n"
        "    sys.exit(1)\n"
        "signal.signal(signal.SIGUSR1, save)\n"
        "open(os.environ['HERE'] + '/ready', 'w').write('yes')\n"
        "while True: signal.sigtimedwait((), 0.1)\n"
    )
    bench.python("1", code, signal=usr1(), stop_grace_s=60)
    bench.file("ready")
    bench.stop("1", "released", "handed back: the worker was stopped")
    result = bench.result("1")
    assert (result["outcome"], result["reason"]) == (
        "released",
        "handed back: the worker was stopped",
    )
    assert "asked_s" not in result  # it was told to end, and did not ask by itself
    assert bench.file("saved") == "yes"


ONLY_TERM = json.dumps([TERM])


@pytest.mark.parametrize(
    ("numbers", "more", "asked", "outcome", "got"),
    [
        (ONLY_TERM, [], usr1(), "released", [TERM]),  # nobody handles SIGUSR1: SIGTERM at once
        (BOTH, [], {**usr1(), "number": TERM}, "released", [TERM]),
        (BOTH, [], usr1(), "canceled", [TERM]),
        (BOTH, [], None, "released", [TERM]),
        (BOTH, ["ask"], usr1(), "", [USR1, TERM]),  # it asks by itself, and goes on
        (BOTH, [], usr1(1000), "released", [USR1, TERM]),  # it had the first ahead of its limit
    ],
    ids=["no handler", "sigterm", "cancel", "none", "requeue", "ahead, then stop"],
)
def test_each_way_to_stop_a_stubborn_program(
    bench: Bench,
    numbers: str,
    more: list[str],
    asked: dict[str, Any] | None,
    outcome: str,
    got: list[int],
) -> None:
    """Each signal comes once, and at the end SIGKILL."""
    command = counting(bench, "a", numbers, 0, *more)
    limit_s = None if asked is None or asked["ahead_s"] is None else 900
    signals = {} if asked is None else {"signal": asked}
    order = bench.order("1", *command, stop_grace_s=0.4, time_limit_s=limit_s, **signals)
    bench.start(order)
    bench.file("a")
    if limit_s is not None:
        bench.until(lambda: told(bench, "a"), "the signal ahead of its limit")
    if outcome:
        bench.stop("1", outcome, outcome)
    assert bench.result("1")["outcome"] == (outcome or "released")
    assert told(bench, "a") == got
