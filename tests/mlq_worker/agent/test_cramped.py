"""A squeezed attempt leaves only for a machine that has room."""

from __future__ import annotations

from typing import Any

import pytest

from mlq.jobs.request import Request
from mlq_worker.agent.cramped import cramped_of, leaving
from mlq_worker.agent.history import History
from mlq_worker.agent.local_attempt import LocalAttempt


def local(job_id: str = "7", cores: int = 4, machine: str = "") -> LocalAttempt:
    return LocalAttempt(
        attempt=(job_id, 1),
        class_name="p0.c4.m100.g0.v0",
        request=Request(cores, 100, machine=machine),
        gpu_uuids=(),
        history=History(),
        prefetched=False,
        started_s=100.0,
        time_limit_s=None,
    )


def record(**changes: Any) -> dict[str, Any]:
    fields = {"cores_free": 8, "cores_total": 8, "mem_free_mib": 9000, "mem_total_mib": 9000}
    return {**fields, "offering": True, **changes}


def test_it_leaves_for_a_machine_that_has_room() -> None:
    machines = {"lab07": (0.0, record()), "lab08": (5.0, record())}
    found = leaving([local("7", 9), local("8", 4)], machines, "lab07", 45.0)
    assert found is not None
    assert found[0].attempt == ("8", 1)
    assert found[1] == "handed back: others use the cores of lab07, and lab08 has room"


@pytest.mark.parametrize(
    ("heard_s", "changes"),
    [
        (50.0, {}),
        (5.0, {"cores_free": 3}),
        (5.0, {"offering": False}),
        (5.0, {"note": "somebody is at the desk of lab08"}),
        (5.0, {"mem_free_mib": 99}),
    ],
)
def test_without_such_a_machine_it_stays(heard_s: float, changes: dict[str, Any]) -> None:
    machines = {"lab07": (0.0, record()), "lab08": (heard_s, record(**changes))}
    assert leaving([local()], machines, "lab07", 45.0) is None


def test_a_machine_that_it_must_not_use_is_none() -> None:
    assert leaving([local(machine="lab07")], {"lab08": (5.0, record())}, "lab07", 45.0) is None


def test_what_the_supervisor_says() -> None:
    assert cramped_of({"room": {"cramped": [["7", 1], ["1042_3", 2]]}}) == {("7", 1), ("1042_3", 2)}
    assert cramped_of({}) == frozenset()


@pytest.mark.parametrize("told", [None, 7, "x", [7], [["7"]], [["7", "x"]]])
def test_what_cannot_be_read_is_none(told: object) -> None:
    assert cramped_of({"room": {"cramped": told}}) == frozenset()
