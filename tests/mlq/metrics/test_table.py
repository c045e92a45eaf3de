"""Which rows and columns a table of results has."""

import math

import pytest

from mlq.errors import InvalidInputError
from mlq.metrics.extent import Extent
from mlq.metrics.member import Member, number_of, varying
from mlq.metrics.table import Table, table_of


def extent(last: float, least: float | None = None, largest: float | None = None) -> Extent:
    low, high = last if least is None else least, last if largest is None else largest
    return Extent(last, 3, low, 1, high, 2)


def member(at: int, lr: str, seed: int, state: str = "finished", **values: float) -> Member:
    params = {"lr": lr, "seed": str(seed), "fixed": "x", "rate": lr}
    metrics = {name.replace("__", "/"): extent(value) for name, value in values.items()}
    return Member(f"7_{at}", "tune", state, params=params, metrics=metrics, time_s=10.0 * at)


def a_sweep() -> Table:
    return table_of(
        [
            member(2, "0.3", 0, acc=0.5, val__loss=3.0),
            member(0, "1e-3", 0, acc=0.8, val__loss=1.0),
            member(1, "1e-3", 1, acc=0.9, val__loss=math.nan),
            member(3, "0.3", 1, "started", acc=0.1),
        ],
        ["lr", "seed"],
    )


def titles(table: Table) -> list[str]:
    return [one.title for one in table.columns]


def ids(table: Table) -> list[str]:
    return [one.id for one in table.members]


def test_columns_are_what_varies_and_rows_in_order_of_submission() -> None:
    table = a_sweep()
    assert titles(table) == ["id", "lr", "seed", "state", "time", "acc", "val/loss"]
    assert ids(table) == ["7_0", "7_1", "7_2", "7_3"]
    first = table.rows()[0]
    assert first == {
        "id": "7_0",
        "lr": 0.001,
        "seed": 0,
        "state": "finished",
        "time_s": 0.0,
        "acc": 0.8,
        "val/loss": 1.0,
    }
    assert table.rows()[3]["val/loss"] is None


def test_of_parameters_that_go_together_the_first_is_shown() -> None:
    members = a_sweep().members
    assert varying(members, ["rate"]) == ["rate", "seed"]
    assert titles(table_of(members, ["lr"]).showing(["rate", "lr"])) == ["rate", "lr"]


@pytest.mark.parametrize(
    ("keys", "order"),
    [
        (["-acc"], "1023"),
        (["acc"], "3201"),
        (["val/loss"], "0213"),  # nan and none last
        (["-val/loss"], "2013"),
        (["lr", "-seed"], "1032"),
        (["-loss"], "2013"),
        (["state", "acc"], "2013"),
    ],
)
def test_sorting(keys: list[str], order: str) -> None:
    assert "".join(one[-1] for one in ids(a_sweep().ordered(keys))) == order


def test_what_is_sorted_by_is_shown() -> None:
    assert titles(a_sweep().ordered(["-best:acc"]))[-1] == "max:acc"
    assert titles(a_sweep().ordered(["-last:acc"]))[-1] == "last:acc"
    assert titles(a_sweep().ordered(["-acc"])) == titles(a_sweep())


def test_means_count_finished_members_with_finite_values() -> None:
    table = a_sweep().with_means(["seed"])
    assert titles(table) == ["members", "lr", "state", "time", "acc", "val/loss"]
    low, high = table.rows()
    assert (low["members"], low["lr"], low["state"]) == (2, 0.001, "finished")
    assert low["acc"] == pytest.approx(0.85)
    assert low["acc_sd"] == pytest.approx(0.0707, abs=1e-4)
    assert (low["acc_n"], low["val/loss"], low["val/loss_sd"], low["val/loss_n"]) == (2, 1, None, 1)
    assert high["state"] == "1 finished, 1 started"
    assert (high["acc"], high["acc_n"]) == (0.5, 1)
    assert [one["lr"] for one in table.ordered(["acc"]).rows()] == [0.3, 0.001]
    both = Table(table.groups, table.columns, (), ("seed",), frozenset({"finished", "started"}))
    assert both.rows()[1]["acc_n"] == 2


def test_columns_can_be_chosen_and_added() -> None:
    table = a_sweep()
    assert titles(table.showing(["lr", "loss", "min:loss"])) == ["lr", "val/loss", "min:val/loss"]
    assert titles(table.showing(["+machine", "+max:acc"]))[-2:] == ["machine", "max:acc"]
    with pytest.raises(InvalidInputError, match="only some"):
        table.showing(["+machine", "lr"])
    with pytest.raises(InvalidInputError, match="no parameter or metric bleu") as error:
        table.showing(["bleu"])
    assert "lr" in error.value.why
    assert "val/loss" in error.value.why


def test_a_metric_that_is_called_like_a_parameter_has_a_column_of_its_own() -> None:
    one = Member("1_0", params={"lr": "1", "id": "9"}, metrics={"lr": extent(0.5, 0.1)})
    two = one._replace(id="1_1", params={"lr": "2", "id": "8"})
    table = table_of([one, two])
    assert titles(table)[:2] == ["job_id", "lr"]
    assert table.rows()[0]["lr"] == 1
    assert table.rows()[0]["last:lr"] == 0.5
    assert titles(table.showing(["min:lr"])) == ["min:lr"]


def test_jobs_of_no_sweep_are_told_apart_by_name_or_command() -> None:
    jobs = [Member("1", "a", command="x"), Member("2", "b", command="y")]
    assert titles(table_of(jobs))[:2] == ["id", "name"]
    alike = [one._replace(name="") for one in jobs]
    assert titles(table_of(alike))[:2] == ["id", "command"]
    assert titles(table_of([])) == ["id", "state", "time"]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("3", 3),
        ("-0.5", -0.5),
        ("1e-3", 0.001),
        (".5", 0.5),
        ("007", 7.0),
        ("1_000", None),
        ("nan", None),
        ("1e999", None),
        ("", None),
        ("True", None),
        ("9" * 50, None),
    ],
)
def test_which_texts_are_numbers(text: str, number: float | None) -> None:
    assert number_of(text) == number


def test_what_varies_in_the_sweep_is_shown_though_these_members_have_one_value() -> None:
    members = [one for one in a_sweep().members if one.params["seed"] == "0"]
    assert titles(table_of(members, ["lr", "seed"]))[1:3] == ["lr", "seed"]
    assert titles(table_of(members))[1:3] == ["lr", "state"]
    assert titles(table_of(members[:1]))[1:5] == ["lr", "seed", "fixed", "rate"]


def test_a_table_knows_what_it_is_sorted_by() -> None:
    table = a_sweep().with_means(["seed"]).ordered(["-loss"])
    assert [one.title for one in table.keys] == ["val/loss"]
