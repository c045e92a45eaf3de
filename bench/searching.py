"""The study of a search made anew from its members, and the choice of the next one."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from bench.report import Row, spread
from mlq.search.goal import Goal
from mlq.search.history import Outcome, Trial
from mlq.search.listed import ListedSpace
from mlq.search.study import next_member, rebuilt
from mlq.sweeps.files import Files

MEMBERS, RUNNING = 600, 8
GOAL = Goal("val_loss", minimize=True)
SPACE = [
    ("lr", "loguniform(1e-5,1e-1)"),
    ("drop", "uniform(0,0.5)"),
    ("layers", "randint(1,8)"),
    ("opt", "adam,sgd"),
]


def measure(runs: int) -> list[Row]:
    """Return milliseconds of CPU time of the study alone, and of the next member with it."""
    space = ListedSpace.typed(SPACE, Files("/", lambda _: b""))
    trials = [_trial(number) for number in range(MEMBERS)]
    next_member(space, trials[:20], GOAL, (0, 20), lambda _: True)  # imports Optuna
    study = [_ms(lambda: rebuilt(space, trials, GOAL, 0)) for _ in range(runs)]
    whole = [
        _ms(lambda: next_member(space, trials, GOAL, (0, MEMBERS), lambda _: True))
        for _ in range(runs)
    ]
    members = f"{MEMBERS} members, {len(SPACE)} parameters"
    return [
        Row(f"study of {members}", spread(study), "ms", "from what the queue said of them"),
        Row(f"next member after {members}", spread(whole), "ms", "with the study"),
    ]


def _trial(number: int) -> Trial:
    chance = random.Random(number)  # noqa: S311 - no secret
    params = {
        "lr": f"{10 ** chance.uniform(-5, -1):.6g}",
        "drop": f"{chance.uniform(0, 0.5):.6g}",
        "layers": str(chance.randint(1, 8)),
        "opt": chance.choice(["adam", "sgd"]),
    }
    if number >= MEMBERS - RUNNING:
        return Trial(number, params, {}, Outcome.RUNNING)
    return Trial(number, params, {}, Outcome.COMPLETE, chance.random(), 10, 0.5)


def _ms(act: Callable[[], object]) -> float:
    began = time.process_time()  # one thread does it all
    act()
    return 1000 * (time.process_time() - began)
