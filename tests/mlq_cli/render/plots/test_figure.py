"""Figures as files, and in a terminal: whatever the values, names and number of lines are."""

import math
import re
import sys
from collections.abc import Iterator

import pytest

from mlq.errors import MlqError
from mlq_cli.render.plots.figure import ENDINGS, drawn
from mlq_cli.render.plots.in_terminal import in_terminal
from mlq_cli.render.plots.picture import Axis, Line, Picture, alone, breaks_of

X, Y = Axis("step"), Axis("loss")
NAN, INF = math.nan, math.inf


def line(label: str = "", *ys: float, number: float | None = None) -> Line:
    values = ys or (3.0, 2.0, 1.0)
    return Line(label, tuple(float(at) for at in range(len(values))), values, number=number)


def pictures() -> Iterator[Picture]:
    yield Picture((line(),), X, Y)
    yield Picture((line("", 2.0),), X, Y, title="one point")
    yield Picture((line("", 1.0, NAN, INF, -INF, 2.0),), X, Y)
    band = line("b")._replace(low=(2.0, NAN, -1.0), high=(4.0, NAN, 3.0))
    yield Picture((band,), X, Y._replace(is_log=True))
    names = Axis("opt", names=("a long name of an optimizer", "_b", "$c_d$", "\u5b66\u4e60"))
    yield Picture((line("_x", 1.0, 2.0, 3.0, 4.0),), names, Y, with_lines=False, with_points=True)
    ticks = Axis("lr", is_log=True, ticks=((0.001, "1e-3"), (1.0, "$1_0")))
    some = Line("", (0.001, 1.0), (1.0, 2.0), (0.5, 1.5), (1.5, 2.5), hollow=(True, False))
    yield Picture((some,), ticks, Y, with_points=True, note="n", spread="s")
    many = tuple(line(f"l{at}", number=float(at + 1)) for at in range(60))
    yield Picture(many, X, Y, legend="lr", bar=True, bar_is_log=True)
    yield Picture(tuple(one._replace(number=None) for one in many[:12]), X, Y, legend="$lr_")
    yield Picture(tuple(one._replace(is_faint=True, label="") for one in many), X, Y)
    yield Picture((line("", 1e308, -1e308, 5e-324),), X, Y)
    yield Picture((line("", 0.0, 0.0),), X, Y)


@pytest.mark.slow
@pytest.mark.parametrize("ending", ENDINGS)
def test_whatever_the_values_are_there_is_a_file(ending: str) -> None:
    start = {"pdf": b"%PDF-", "svg": b"<?xml", "png": b"\x89PNG"}[ending]
    found = list(pictures()) if ending == "svg" else list(pictures())[2:7:4]
    for picture in found:
        assert drawn(picture, ending).startswith(start)


@pytest.mark.slow
def test_the_same_figure_is_the_same_file() -> None:
    picture = Picture((line("a"), line("b", 1.0, 2.0)), X, Y)
    for ending in ENDINGS:
        assert drawn(picture, ending) == drawn(picture, ending)


@pytest.mark.parametrize("colour", [True, False])
@pytest.mark.parametrize("unicode", [True, False])
def test_a_terminal_shows_it_in_its_width(colour: bool, unicode: bool) -> None:
    for picture in pictures():
        text = in_terminal(picture, 80, colour=colour, unicode=unicode)
        assert colour or "\x1b" not in text
        plain = re.sub(r"\x1b\[[\d;]*m", "", text)
        assert max(map(len, plain.splitlines())) <= 80
        assert "loss" in plain
        assert unicode is False or "│" in plain
        assert unicode or plain.isascii()


def test_the_legend_of_a_terminal_has_marks_and_names() -> None:
    lines = tuple(line(f"lr={at}") for at in range(14))
    text = in_terminal(Picture(lines, X, Y), 80, colour=False, unicode=True)
    assert "** lr=0   oo lr=1" in text
    assert text.endswith("and 2 more\n")
    shades = tuple(line("x", number=float(at)) for at in range(60))
    text = in_terminal(Picture(shades, X, Y, legend="lr", bar=True), 80, colour=False, unicode=True)
    assert "** lr 0 to 9   oo lr 10 to 19" in text


def test_where_a_curve_breaks() -> None:
    assert breaks_of(line("", 1.0, 2.0, NAN, 3.0, INF)) == [(1.0, 2.0), (3.0, 3.0)]
    assert breaks_of(line("", NAN, 2.0)) == []
    assert alone(line("", 1.0, 2.0, NAN, 3.0, INF)) == [(3.0, 3.0)]
    assert alone(line("", 1.0)) == [(0.0, 1.0)]


@pytest.mark.parametrize("library", ["matplotlib", "plotext"])
def test_a_missing_library_is_said_with_its_pip_line(
    library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    picture = Picture((line(),), X, Y)
    with pytest.raises(MlqError, match=f"no {library}") as error:
        if library == "matplotlib":
            drawn(picture, "png")
        else:
            in_terminal(picture, 80, colour=False, unicode=True)
    assert "pip install 'mlq-lab[plot]'" in error.value.fix
