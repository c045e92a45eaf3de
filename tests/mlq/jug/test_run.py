"""Which jobs are workers of one jug run."""

import json
from collections.abc import Mapping, Sequence

import pytest

from mlq.jug.run import WORKER, run_of, workers_of


def call(run: object, name: str = WORKER) -> str:
    return json.dumps([name, None, [], {"run": run}])


JOBS = {str(n): call("a" if n < 5 else "b") for n in range(2, 300)} | {
    "150": call("c"),
    "x": call("b"),
}


def calls(ids: Sequence[str]) -> Mapping[str, str]:
    return {one: JOBS[one] for one in ids if one in JOBS}


@pytest.mark.parametrize(
    "text",
    ["", "[", call("a", "os.system"), call(3), json.dumps([WORKER, None, [], []]), f'["{WORKER}"]'],
)
def test_anything_else_belongs_to_no_run(text: str) -> None:
    assert run_of(text) == ""


def test_a_run_is_what_lies_beside_a_worker() -> None:
    assert workers_of("3", calls) == ("2", "3", "4")
    assert workers_of("149", calls) == tuple(str(n) for n in range(5, 150))
    assert workers_of("150", calls) == ("150",)
    assert workers_of("299", calls) == tuple(str(n) for n in range(151, 300))
    assert workers_of("300", calls) == workers_of("x", calls) == ()
