"""The space of a search as `--param` gives it: what is drawn, as text, and read back."""

from __future__ import annotations

import json

import optuna
import pytest

from mlq.errors import InvalidInputError
from mlq.search.listed import ListedSpace
from mlq.sweeps.files import Files

optuna.logging.set_verbosity(optuna.logging.ERROR)


def space(**params: str) -> ListedSpace:
    return ListedSpace.typed(list(params.items()), Files("/", lambda _: b""))


def drawn(of: ListedSpace, count: int = 30) -> list[dict[str, str]]:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    return [of.draw(study.ask()).params for _ in range(count)]


ALL = {
    "lr": "loguniform(1e-5,1e-1)",
    "drop": "uniform(0,0.5)",
    "layers": "randint(1,4)",
    "width": "64..256..64",
    "wd": "geomspace(1e-4,1e-1,4)",
    "opt": "adam,sgd",
    "data": "here",
}


def test_each_form_is_drawn_as_the_text_that_its_user_would_type() -> None:
    rows = drawn(space(**ALL))
    assert {row["opt"] for row in rows} == {"adam", "sgd"}
    assert {row["width"] for row in rows} == {"64", "128", "192", "256"}
    assert {row["wd"] for row in rows} == {"1e-4", "0.001", "0.01", "0.1"} or len(
        {row["wd"] for row in rows}
    ) == 4
    assert {row["layers"] for row in rows} == {"1", "2", "3", "4"}
    assert {row["data"] for row in rows} == {"here"}
    assert all(1e-5 <= float(row["lr"]) <= 1e-1 and len(row["lr"]) < 12 for row in rows)
    assert all(0 <= float(row["drop"]) <= 0.5 for row in rows)


def test_what_was_drawn_is_read_back_also_after_a_journey_as_json() -> None:
    of = space(**ALL)
    again = ListedSpace.from_json(json.loads(json.dumps(of.as_json())))
    assert again.params == of.params
    for row in drawn(of):
        read = again.read(row, {})
        assert read is not None
        assert set(read.values) == set(ALL) - {"data"}
        assert read.values["lr"] == float(row["lr"])
        assert row["width"] == ("64", "128", "192", "256")[read.values["width"]]
        trial = optuna.trial.create_trial(
            value=0, params=read.values, distributions=read.distributions
        )
        assert trial.params == read.values


def test_what_cannot_have_come_from_it_is_not_read() -> None:
    of = space(lr="loguniform(1e-3,1e-1)", n="randint(1,4)", opt="adam,sgd")
    good = {"lr": "1e-2", "n": "2", "opt": "sgd"}
    assert of.read(good, {}) is not None
    for change in ({"lr": "1e-4"}, {"lr": "x"}, {"n": "2.5"}, {"opt": "lion"}, {"more": "1"}):
        assert of.read({**good, **change}, {}) is None
    assert of.read({"lr": "1e-2", "n": "2"}, {}) is None


def test_the_same_number_written_otherwise_is_the_same_value() -> None:
    read = space(lr="1e-3,0.01,0.001").read({"lr": "0.0010"}, {})
    assert read is not None
    assert read.values == {"lr": 0}


def test_all_combinations_are_known_if_they_are_counted() -> None:
    assert list(space(opt="adam,sgd", n="randint(1,2)").combinations()) == [
        {"opt": opt, "n": n} for opt in ("adam", "sgd") for n in ("1", "2")
    ]
    assert not list(space(lr="uniform(0,1)", n="1,2").combinations())


@pytest.mark.parametrize("params", [{}, {"lr": "1e-3"}, {"n": "randint(1,1)"}])
def test_a_single_member_is_no_search(params: dict[str, str]) -> None:
    with pytest.raises(InvalidInputError, match="nothing is to be searched"):
        space(**params)
