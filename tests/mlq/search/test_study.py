"""The next member: the same from the same history, better than chance, never one that there is."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from mlq.search.goal import Goal
from mlq.search.history import Outcome, Trial
from mlq.search.listed import ListedSpace
from mlq.search.space import Space
from mlq.search.study import MissingOptunaError, check_optuna, next_member, rebuilt
from mlq.search.suggested import SuggestedSpace
from mlq.sweeps.files import Files

GOAL = Goal("loss", True)


def listed(**params: str) -> ListedSpace:
    return ListedSpace.typed(list(params.items()), Files("/", lambda _: b""))


def loss(params: Mapping[str, str]) -> float:
    return abs(math.log10(float(params["lr"])) + 3) + (params.get("opt") == "sgd")


def searched(space: Space, count: int, seed: int = 0) -> list[Trial]:
    trials: list[Trial] = []
    for number in range(count):
        drawn = next_member(space, trials, GOAL, (seed, number), lambda _: True)
        assert drawn is not None
        trials.append(
            Trial(number, drawn.params, drawn.drawn, Outcome.COMPLETE, loss(drawn.params))
        )
    return trials


def test_it_finds_what_is_good_and_the_same_history_gives_the_same_next() -> None:
    space = listed(lr="loguniform(1e-6,1)", opt="adam,sgd")
    trials = searched(space, 40)
    assert trials == [*trials[:25], *searched(space, 40)[25:]]
    late = sorted(loss(one.params) for one in trials[20:])
    early = sorted(loss(one.params) for one in trials[:10])
    assert late[10] < early[5]
    assert searched(space, 3, seed=1) != trials[:3]


@pytest.mark.parametrize("by_worker", [False, True])
def test_without_optuna_the_message_says_what_to_install_where(
    by_worker: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingOptunaError) as caught:
        check_optuna(by_worker=by_worker)
    told = f"{sys.executable} -m pip install 'optuna>=4'" if by_worker else "'mlq-lab[search]'"
    assert caught.value.fix.endswith(told)


def test_running_failed_and_pruned_members_are_taken_in() -> None:
    space = listed(lr="loguniform(1e-6,1)")
    trials = [
        Trial(0, {"lr": "0.1"}, {}, Outcome.COMPLETE, 2.0),
        Trial(1, {"lr": "0.2"}, {}, Outcome.RUNNING),
        Trial(2, {"lr": "0.3"}, {}, Outcome.FAIL),
        Trial(3, {"lr": "0.4"}, {}, Outcome.PRUNED, None, 3, 2.5),
        Trial(4, {"lr": "7"}, {}, Outcome.COMPLETE, 0.0),  # beyond the end: left out
    ]
    study = rebuilt(space, trials, GOAL, 0)
    assert [one.state.name for one in study.trials] == ["COMPLETE", "RUNNING", "FAIL", "PRUNED"]
    assert study.best_value == 2.0
    assert study.trials[3].intermediate_values == {3: 2.5}


def test_a_member_that_there_is_already_is_not_drawn_again() -> None:
    space = listed(opt="adam,sgd", n="randint(1,3)")
    trials: list[Trial] = []
    known: list[Mapping[str, str]] = []
    for number in range(6):
        drawn = next_member(space, trials, GOAL, (0, number), lambda one: one not in known)
        assert drawn is not None
        known.append(drawn.params)
        trials.append(Trial(number, drawn.params, {}, Outcome.COMPLETE, float(number)))
    assert len({tuple(one.items()) for one in known}) == 6
    assert next_member(space, trials, GOAL, (0, 6), lambda one: one not in known) is None


def conditional(trial: Any) -> dict[str, object]:
    opt = trial.suggest_categorical("opt", ["adam", "sgd"])
    params = {"opt": opt, "lr": trial.suggest_float("lr", 1e-6, 1, log=True)}
    if opt == "sgd":
        params["momentum"] = trial.suggest_float("momentum", 0.0, 0.9, step=0.1)
    return params


def layers(trial: Any) -> dict[str, object]:
    sizes = [trial.suggest_int(f"n{at}", 16, 64) for at in range(trial.suggest_int("depth", 1, 3))]
    return {"layers": "-".join(map(str, sizes)), "lr": trial.suggest_float("lr", 1e-6, 1)}


@pytest.mark.parametrize(
    "suggest", [conditional, layers, lambda t: t.suggest_float("lr", 0.1, 1) and None]
)
def test_a_function_may_ask_for_what_it_likes(suggest: Any) -> None:
    space = SuggestedSpace(suggest)
    trials = searched(space, 25)
    assert trials == searched(space, 25)
    study = rebuilt(space, trials, GOAL, 0)
    assert len(study.trials) == 25
    for one, trial in zip(study.trials, trials, strict=True):
        assert {name: str(value) for name, value in one.params.items()} == (
            trial.drawn or trial.params
        )


def test_what_it_returns_is_the_jobs_and_what_it_drew_is_kept_beside() -> None:
    (first,) = searched(SuggestedSpace(layers), 1)
    assert set(first.params) == {"layers", "lr"}
    assert {"depth", "n0", "lr"} <= set(first.drawn)
    assert all(not one.drawn for one in searched(SuggestedSpace(conditional), 5))


def test_members_of_an_earlier_function_are_left_out() -> None:
    trials = searched(SuggestedSpace(conditional), 10)

    def changed(trial: Any) -> None:
        trial.suggest_float("lr", 1e-3, 1, log=True)
        trial.suggest_categorical("opt", ["adam", "lion"])

    kept = rebuilt(SuggestedSpace(changed), trials, GOAL, 0).trials
    assert {one.params["opt"] for one in kept} <= {"adam"}
    assert all(one.params["lr"] >= 1e-3 for one in kept)
