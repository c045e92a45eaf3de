"""The driver of a search as a job (`--detach`), called by the Python of the worker that runs it.

So it is that machine's mlq that drives, and needs nothing of the user's environment: the order
holds the members' code and variables. If the machine is lost, the job runs again elsewhere, and
goes on.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from mlq import report
from mlq.api.queue import Queue
from mlq.jobs.spec import FunctionCall
from mlq.search.decide import Standing, progress_line
from mlq.search.listed import ListedSpace
from mlq.search.order import Order
from mlq.search.study import check_optuna
from mlq.submit.submission import Submission

MEM = "256M"


def job_of(order: Order, space: ListedSpace, *, machine: str = "", priority: int = 0) -> Submission:
    """Return the job that drives a search.

    Args:
        order: the search.
        space: what its parameters may be.
        machine: a glob on the names of the machines that may drive it.
        priority: larger first.
    """
    call = FunctionCall(
        name=f"{__name__}.drive", kwargs={"order": order.as_json(), "space": space.as_json()}
    )
    return Submission(
        function=call,
        name=f"{order.asked.name}-search",
        mem=MEM,
        machine=machine,
        priority=priority,
        capture_env=False,
        cwd="/",
        python_env="",
        in_place=True,
    )


def drive(order: Mapping[str, Any], space: Sequence[Any]) -> dict[str, Any]:
    """Drive a search until it has ended; return its best member.

    Args:
        order: what `Order.as_json` wrote.
        space: what `ListedSpace.as_json` wrote.
    """
    check_optuna(by_worker=True)
    given = Order.from_json(order)
    told = [""]

    def show(now: Standing) -> None:
        line = progress_line(given.number, given.asked.name, now, given.asked.aim.goal)
        if line != told[0]:
            told[0] = line
            _say(line)
            report(min(1.0, now.ended / now.of))

    queue = Queue.connect()
    queue.tell = _say
    best = queue.driver(given, ListedSpace.from_json(space), show).run().best
    if best is None:
        return {}
    job_id = f"{given.number}_{best.number}"
    return {"id": job_id, "value": best.value, "params": dict(best.params)}


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
