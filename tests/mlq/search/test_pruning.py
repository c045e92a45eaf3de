"""Which members are stopped: the decisions are compared with those of Optuna's own pruners."""

from __future__ import annotations

import random

import optuna
import pytest

from mlq.metrics.series import Point
from mlq.search.goal import Goal
from mlq.search.history import Outcome
from mlq.search.pruning import Measured, Run, measured, pruned

optuna.logging.set_verbosity(optuna.logging.ERROR)
MIN, MAX = Goal("loss", True), Goal("loss", False)


def run(
    number: int, values: list[float], outcome: Outcome = Outcome.COMPLETE, at_s: float = 0
) -> Run:
    return Run(
        number, outcome, tuple(Measured(n, one, at_s + n) for n, one in enumerate(values, 1))
    )


def finished(*ends: float) -> list[Run]:
    return [run(number, [9, 5, end]) for number, end in enumerate(ends)]


def test_worse_than_the_median_at_the_same_step_is_stopped() -> None:
    others = finished(1, 1.1, 1.2, 1.3, 1.4)
    running = [run(5, [9, 5, 2.1], Outcome.RUNNING), run(6, [9, 5, 1.1], Outcome.RUNNING)]
    assert pruned("median", [*others, *running], MIN) == {5: "pruned at step 3: 2.1, median 1.2"}
    assert (
        pruned("median", [*others, *running], MAX) == {6: "pruned at step 3: 9, median 1.2"}
        or pruned("median", [*others, *running], MAX) == {}
    )
    assert pruned("", [*others, *running], MIN) == {}


def test_nobody_is_stopped_before_five_have_finished() -> None:
    others = finished(1, 1.1, 1.2, 1.3)
    assert pruned("median", [*others, run(5, [9, 5, 2.1], Outcome.RUNNING)], MIN) == {}


def test_only_the_best_quarter_goes_on_past_a_rung() -> None:
    others = [run(n, [1.0 + n, 1, 1, 1.0 + n, 1], at_s=10 * n) for n in range(8)]
    slow = run(8, [2.5], Outcome.RUNNING, at_s=100)
    fast = run(9, [0.5, 1, 1, 0.4], Outcome.RUNNING, at_s=200)
    assert pruned("asha", [*others, slow, fast], MIN) == {
        8: "pruned at step 1: 2.5, best quarter 2"
    }


def test_who_passed_a_rung_is_not_judged_there_again() -> None:
    early = run(8, [1.5], Outcome.RUNNING, at_s=0)
    later = [run(n, [1.0], at_s=50 + n) for n in range(8)]
    assert pruned("asha", [early, *later], MIN) == {}


@pytest.mark.parametrize("pruner", ["median", "asha"])
def test_a_member_that_measures_no_number_is_stopped(pruner: str) -> None:
    others = finished(1, 1.1, 1.2, 1.3, 1.4)
    nan = run(5, [float("nan")], Outcome.RUNNING, at_s=50)
    assert pruned(pruner, [*others, nan], MIN) == {5: "pruned at step 1: nan"}


def test_points_without_whole_steps_are_counted() -> None:
    points = [Point(step, 1.0, {"loss": 2.0}) for step in (0.25, 0.5, None)]
    assert [one.step for one in measured(points, "loss")] == [1, 2, 3]
    points = [Point(step, 1.0, {"loss": 2.0}) for step in (20, 10)]
    assert [one.step for one in measured(points, "loss")] == [10, 20]
    assert measured(points, "acc") == ()


@pytest.mark.filterwarnings("ignore:All-NaN slice")
@pytest.mark.parametrize("goal", [MIN, MAX])
@pytest.mark.parametrize("pruner", ["median", "asha"])
def test_optunas_own_pruners_decide_the_same(pruner: str, goal: Goal) -> None:
    """Members report one after the other, step by step, to Optuna and to us."""
    own: optuna.pruners.BasePruner = (
        optuna.pruners.MedianPruner()
        if pruner == "median"
        else optuna.pruners.SuccessiveHalvingPruner(min_resource=1)
    )
    for seed in range(4):
        chance = random.Random(seed)  # noqa: S311 - no secret
        direction = "minimize" if goal.minimize else "maximize"
        study = optuna.create_study(direction=direction, pruner=own)
        runs: dict[int, Run] = {}
        seconds = stopped = 0
        for number in range(40):
            trial = study.ask()
            runs[number] = Run(number, Outcome.RUNNING, ())
            level = chance.gauss(0, 1)
            for step in range(1, 21):
                seconds += 1
                value = float("nan") if chance.random() < 0.01 else level + chance.gauss(0, 0.3)
                trial.report(value, step)
                point = Measured(step, value, float(seconds))
                runs[number] = runs[number]._replace(curve=(*runs[number].curve, point))
                theirs = bool(trial.should_prune())
                assert (number in pruned(pruner, list(runs.values()), goal)) is theirs, (seed, step)
                if theirs:
                    stopped += 1
                    study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                    runs[number] = runs[number]._replace(outcome=Outcome.PRUNED)
                    break
            else:
                study.tell(trial, value)
                runs[number] = runs[number]._replace(outcome=Outcome.COMPLETE)
        assert 5 < stopped < 40
