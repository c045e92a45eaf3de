"""What figures show, before any library draws them."""

import math

import pytest

from mlq.metrics.averaging import Curve
from mlq.metrics.columns import Column
from mlq.metrics.extent import Extent
from mlq.metrics.member import Member
from mlq.metrics.table import table_of
from mlq_cli.render.plots.against import against_picture
from mlq_cli.render.plots.curves import Wish, curves_picture
from mlq_cli.render.plots.picture import Picture, spans_decades


def members(rates: int, seeds: int = 1, **more: str) -> list[Member]:
    found = []
    for at in range(rates * seeds):
        params = {"lr": f"1e-{at // seeds}", "seed": str(at % seeds), **more}
        value = 0.9 - at / 1000
        metrics = {"acc": Extent(value, 1, value, 1, value, 1)}
        found.append(Member(f"1_{at}", "tune", params=params, metrics=metrics))
    return found


def drawn(found: list[Member], wish: Wish | None = None, by: str = "step") -> Picture:
    curves = {one.id: Curve((0, 1, 2), (1.0, 0.5 + at, 0.25 + at)) for at, one in enumerate(found)}
    return curves_picture(found, curves, by, wish or Wish("loss"))


def test_a_single_curve_needs_no_legend() -> None:
    picture = drawn(members(1))
    assert [one.label for one in picture.lines] == [""]
    assert (picture.x.label, picture.y.label, picture.note) == ("step", "loss", "")


def test_a_legend_names_what_varies_only() -> None:
    picture = drawn(members(3, fixed="x"))
    assert [one.label for one in picture.lines] == ["1e-2", "1e-1", "1e-0"]
    assert picture.legend == "lr"
    assert [one.number for one in picture.lines] == [0.01, 0.1, 1.0]
    both = drawn(members(2, 2))
    assert both.lines[3].label == "lr=1e-1, seed=1"
    assert both.legend == ""


def test_many_curves_have_a_colour_bar_for_a_number_or_name_the_best() -> None:
    picture = drawn(members(15, 4))
    assert (picture.bar, picture.bar_is_log, picture.legend) == (True, True, "lr")
    texts = [one._replace(params={"opt": f"o{one.id}"}) for one in members(15)]
    picture = drawn(texts)
    assert not picture.bar
    named = [one.label for one in picture.lines if one.label]
    assert named == [f"o1_{at}" for at in range(10)]  # the least loss
    assert picture.note == "named: the 10 of 15 with the least loss"
    assert sum(one.is_faint for one in picture.lines) == 5


def test_means_have_a_band_of_one_deviation() -> None:
    picture = drawn(members(2, 3), Wish("loss", over=["seed"]))
    assert [one.label for one in picture.lines] == ["1e-1", "1e-0"]
    first = picture.lines[1]
    assert first.ys == pytest.approx((1.0, 1.5, 1.25))
    assert first.high[1] - first.ys[1] == pytest.approx(1.0)
    assert (picture.note, picture.spread) == (
        "mean of 3 runs",
        "band: one sample standard deviation",
    )


def test_time_has_the_unit_that_suits() -> None:
    one = members(1)
    for longest, unit in ((50.0, "s"), (600.0, "min"), (90_000.0, "h")):
        curve = {one[0].id: Curve((0.0, longest), (1.0, 2.0))}
        assert curves_picture(one, curve, "time", Wish("loss")).x.label == f"time ({unit})"


def test_smoothing_keeps_what_was_measured_behind() -> None:
    line = drawn(members(1), Wish("loss", smooth=0.5)).lines[0]
    assert line.behind == (1.0, 0.5, 0.25)
    assert line.ys[2] > line.behind[2]


def test_against_a_number_over_decades_the_axis_is_logarithmic() -> None:
    table = table_of(members(4, 3), ["lr", "seed"])
    column = Column("acc", "metric", "acc")
    picture = against_picture(table, "lr", column, Wish("acc"))
    assert picture.x.is_log
    assert not picture.with_lines  # several points at each place
    assert [text for _, text in picture.x.ticks] == ["1e-3", "1e-2", "1e-1", "1e-0"]
    means = against_picture(table.with_means(["seed"]), "lr", column, Wish("acc", over=["seed"]))
    (line,) = means.lines
    assert means.with_lines
    assert line.xs == (0.001, 0.01, 0.1, 1.0)
    assert line.high[0] - line.ys[0] == pytest.approx(0.001)
    assert means.spread == "bars: one sample standard deviation"


def test_against_texts_points_stand_beside_each_other() -> None:
    found = [
        one._replace(params={"opt": opt})
        for one, opt in zip(members(3), ("sgd", "adam", "sgd"), strict=True)
    ]
    found[1] = found[1]._replace(state="started")
    nan = Extent(math.nan, 1, math.nan, 1, math.nan, 1)
    found.append(found[0]._replace(id="1_9", metrics={"acc": nan}))
    picture = against_picture(table_of(found), "opt", Column("acc", "metric", "acc"), Wish("acc"))
    assert picture.x.names == ("sgd", "adam")
    assert sorted(picture.lines[0].xs) == [0.0, 0.0, 1.0]
    assert picture.note == "hollow: not finished"


def test_what_spans_decades() -> None:
    assert spans_decades([1e-3, 0.1])
    assert not spans_decades([0, 1000])
    assert not spans_decades([1, 50])
    assert not spans_decades([])


def test_texts_of_jobs_are_clean() -> None:
    found = [one._replace(params={"opt": f"\x1b[31m{at}\n"}) for at, one in enumerate(members(2))]
    picture = drawn(found, Wish("lo\x07ss", title="a\x1b[0m"))
    assert [one.label for one in picture.lines] == ["0 ", "1 "]
    assert (picture.y.label, picture.title) == ("loss", "a")
