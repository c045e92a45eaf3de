"""What the queue holds of a job, as a row of results."""

import pytest

from mlq.api.results import FIELDS, _member

ROW = {
    "status": "finished",
    "mlq_attempt": "2",
    "started_at": "2026-11-23T22:15:01.000000Z",
    "ended_at": "2026-11-23T22:16:01.500000Z",
    "mlq_member": '{"key":"k","name":"lr","params":{"lr":"0.1"}}',
    "mlq_metrics": '{"acc":[0.5,3.0,0.25,1.0,0.75,2.0]}',
    "mlq_used": '{"samples": 3, "gpu_model": "NVIDIA A100"}',
    "mlq_spec": '0123456789abcdef ["true"]',
}


def row(**changes: str) -> list[str]:
    return ["1_0", *((ROW | changes).get(name, "") for name in FIELDS)]


def test_a_finished_member() -> None:
    found = _member(row(), {"0123456789abcdef": "pack"}, 0.0)
    assert (found.state, found.attempt, found.params) == ("finished", 2, {"lr": "0.1"})
    assert found.time_s == pytest.approx(60.5)
    assert found.metrics["acc"].max == 0.75
    assert (found.gpu, found.code) == ("NVIDIA A100", "pack")


def test_a_running_one_has_run_until_now_and_a_held_one_is_held() -> None:
    running = _member(row(status="started"), {}, 1795472161.0)  # a minute later
    assert running.time_s == pytest.approx(60.0)
    assert _member(row(status="started"), {}, 0.0).time_s == 0.0  # clocks differ
    assert _member(row(status="deferred", mlq_held="why"), {}, 0.0).state == "held"
    assert _member(row(started_at="", ended_at=""), {}, 0.0).time_s is None


@pytest.mark.parametrize(
    "rubbish", ["x", "[]", "{", "null", "\x1b[31m", '{"params":[1]}', "[" * 5000]
)
def test_rubbish_in_the_queue_counts_as_missing(rubbish: str) -> None:
    names = [name for name in FIELDS if name not in ("status", "mlq_held", "mlq_name")]
    found = _member(row(**dict.fromkeys(names, rubbish)), {}, 0.0)
    assert (found.params, found.metrics, found.gpu, found.code) == ({}, {}, "", "")
    assert (found.time_s, found.attempt) == (None, 0)
