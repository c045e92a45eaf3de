"""jug: a jugfile of independent tasks, for `jug execute`."""

from __future__ import annotations

import os

from common import run_true
from jug import TaskGenerator


@TaskGenerator
def job(_number: int) -> int:
    run_true()
    return 0


jobs = [job(number) for number in range(int(os.environ["BENCH_COUNT"]))]
