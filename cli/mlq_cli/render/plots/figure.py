"""Draws a picture by matplotlib, as a PDF, an SVG or a PNG.

It needs no display and reads no matplotlibrc, so that a figure looks the same wherever it is made.
Colours can be told apart by people who are colour-blind (Okabe and Ito, 2008; viridis), and on grey
paper: lines of one legend differ in dashes and markers, too.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlq.errors import MlqError
from mlq_cli.render.plots.picture import Axis, Line, Picture, alone, breaks_of, is_drawn, shown_ys

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ENDINGS = ("pdf", "svg", "png")

# Okabe and Ito's colours, but for the yellow, which is too light on white; dark and light in turn.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#000000")
_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.6)), (0, (1.2, 1.2)), (0, (5, 1.4, 1.2, 1.4)))
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_FAINT, _INK, _GRID = "#CFCFCF", "#222222", "#E4E4E4"
_WIDTH_IN, _HEIGHT_IN, _DPI = 6.4, 4.0, 200
_VIRIDIS_END = 0.9  # what comes after it is too light on white
_LOOK: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.labelsize": 10,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 8.5,
    "legend.title_fontsize": 8.5,
    "axes.edgecolor": "#666666",
    "axes.labelcolor": _INK,
    "text.color": _INK,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": _GRID,
    "grid.linewidth": 0.7,
    "axes.axisbelow": True,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "pdf.fonttype": 42,  # what conferences ask for
    "svg.hashsalt": "mlq",  # the same figure is the same file
    "path.simplify": True,
}


def drawn(picture: Picture, ending: str) -> bytes:
    """Return the figure as a file.

    Args:
        picture: what it shows.
        ending: one of `ENDINGS`.

    Raises:
        MlqError: there is no matplotlib.
    """
    try:
        import matplotlib as mpl
    except ImportError:
        raise MlqError(
            "there is no matplotlib in mlq's Python, which draws figures",
            fix="pip install 'mlq-lab[plot]', in the environment of mlq",
        ) from None
    # A character that the font lacks is drawn as a box; that is no news for the terminal.
    with warnings.catch_warnings(), mpl.rc_context():
        warnings.simplefilter("ignore")
        mpl.rcdefaults()
        mpl.rcParams.update(_LOOK)
        figure = _figure(picture)
        out = io.BytesIO()
        when = {"pdf": "CreationDate", "svg": "Date"}.get(ending)
        figure.savefig(
            out,
            format=ending,
            dpi=_DPI,
            bbox_inches="tight",
            pad_inches=0.08,
            metadata={when: None} if when else None,
        )
    return out.getvalue()


def _figure(picture: Picture) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH_IN, _HEIGHT_IN), layout="constrained")
    axes = figure.add_subplot()
    _scale(axes, picture)
    colour = _colours(picture)
    handles = [_draw(axes, picture, line, at, colour) for at, line in enumerate(picture.lines)]
    named = [(h, one.label) for h, one in zip(handles, picture.lines, strict=True) if one.label]
    if picture.bar:
        _add_bar(figure, axes, picture)
    elif named:
        _add_legend(axes, picture, named)
    axes.set_xlabel(picture.x.label, parse_math=False)
    axes.set_ylabel(picture.y.label, parse_math=False)
    if picture.title:
        axes.set_title(picture.title, loc="left", parse_math=False)
    if note := "; ".join(one for one in (picture.note, picture.spread) if one):
        figure.supxlabel(note, x=0.01, ha="left", fontsize=7.5, color="#666666", parse_math=False)
    return figure


def _scale(axes: Axes, picture: Picture) -> None:
    if picture.x.is_log:
        axes.set_xscale("log", nonpositive="mask")
    if picture.y.is_log:
        axes.set_yscale("log", nonpositive="mask")
    for axis, is_log in ((axes.xaxis, picture.x.is_log), (axes.yaxis, picture.y.is_log)):
        if is_log:
            axis.set_major_formatter(_decimals())
            axis.set_minor_formatter(_decimals())
    if not picture.y.is_log:
        axes.ticklabel_format(axis="y", scilimits=(-4, 5), useMathText=True)
    if not picture.x.is_log and not picture.x.names:
        axes.ticklabel_format(axis="x", scilimits=(-4, 6), useMathText=True)
    _tick(axes, picture.x)
    places = {x for one in picture.lines for x in one.xs}
    if len(places) == 1 and not picture.x.names:
        axes.set_xticks(list(places), [f"{one:g}" for one in places])


def _decimals() -> Any:
    """Return a formatter of logarithmic axes that writes 0.2, not 2 times a power of ten."""
    from matplotlib.ticker import LogFormatterSciNotation

    class Decimals(LogFormatterSciNotation):
        def __call__(self, x: float, pos: int | None = None) -> str:
            return f"{x:g}" if super().__call__(x, pos) else ""

    return Decimals(minor_thresholds=(1.5, 0.4))


def _tick(axes: Axes, axis: Axis) -> None:
    from matplotlib.ticker import MaxNLocator, NullLocator

    if axis.names:
        longest = max(map(len, axis.names))
        turned = longest * len(axis.names) > 70
        axes.set_xticks(range(len(axis.names)), axis.names, parse_math=False)
        if turned:
            axes.tick_params(axis="x", labelrotation=30)
            for text in axes.get_xticklabels():
                text.set_horizontalalignment("right")
                text.set_rotation_mode("anchor")
        axes.set_xlim(-0.5, len(axis.names) - 0.5)
        axes.grid(visible=False, axis="x")
    elif axis.ticks:
        axes.set_xticks([at for at, _ in axis.ticks], [text for _, text in axis.ticks])
        axes.xaxis.set_minor_locator(NullLocator())
    elif axis.is_whole and not axis.is_log:
        axes.xaxis.set_major_locator(
            MaxNLocator(nbins="auto", steps=[1, 2, 2.5, 5, 10], integer=True)
        )


def _colours(picture: Picture) -> Any:
    """Return a function from a number to its colour; None if no line has a number."""
    from matplotlib import colormaps
    from matplotlib.colors import LinearSegmentedColormap

    numbers = [one.number for one in picture.lines if one.number is not None]
    if not numbers:
        return None
    shades = colormaps["viridis"]([_VIRIDIS_END * at / 255 for at in range(256)])
    cut = LinearSegmentedColormap.from_list("mlq", list(shades))
    from matplotlib.cm import ScalarMappable

    return ScalarMappable(norm=_norm(picture, numbers), cmap=cut)


def _norm(picture: Picture, numbers: Sequence[float]) -> Any:
    from matplotlib.colors import LogNorm, Normalize

    least, most = min(numbers), max(numbers)
    if picture.bar:
        return (LogNorm if picture.bar_is_log else Normalize)(least, most)
    # In a legend of few values neighbours differ by as much, however far apart they lie.
    ordered = sorted(set(numbers))
    return _Ranks(ordered)


def _Ranks(ordered: Sequence[float]) -> Any:  # noqa: N802 - makes a class that needs matplotlib
    from matplotlib.colors import Normalize

    class Ranks(Normalize):
        def __call__(self, value: Any, clip: Any = None) -> Any:  # noqa: ARG002 - the base's name
            return ordered.index(value) / max(1, len(ordered) - 1)

    return Ranks(0, 1)


def _draw(axes: Axes, picture: Picture, line: Line, at: int, colours: Any) -> Any:
    look = _look(line, at, colours, picture)
    width = 0.6 if line.is_faint else 0.9 if picture.bar else 1.6
    joined = picture.with_lines and len(line.xs) > 1
    marks = picture.with_points or len(line.xs) == 1
    style: dict[str, Any] = {
        "color": look["color"],
        "linestyle": look["dash"] if joined else "none",
        "linewidth": width,
        "marker": look["marker"] if marks else None,
        "markersize": 5,
        "markeredgewidth": 1.1,
        "zorder": 2 if line.is_faint else 3,
        "alpha": 0.75 if picture.bar else 1.0,
    }
    ys = [y if is_drawn(y) else math.nan for y in line.ys]
    if line.behind:
        raw = [y if is_drawn(y) else math.nan for y in line.behind]
        axes.plot(line.xs, raw, color=look["color"], alpha=0.3, linewidth=0.8, zorder=1)
    (handle,) = axes.plot(line.xs, ys, **style)
    if line.hollow:
        handle.set_markevery([at for at, one in enumerate(line.hollow) if not one] or [])
        _hollow(axes, line, ys, look)
    _spread(axes, picture, line, look["color"])
    if joined and not line.is_faint:
        _mark_breaks(axes, line, look["color"])
        if single := alone(line):
            xs, ys = map(list, zip(*single, strict=True))
            axes.plot(xs, ys, linestyle="none", marker="o", color=look["color"], markersize=3)
    return handle


def _look(line: Line, at: int, colours: Any, picture: Picture) -> dict[str, Any]:
    if line.is_faint:
        return {"color": _FAINT, "dash": "-", "marker": "o"}
    if line.number is not None and colours is not None:
        # The shades of a few lines can be told apart without dashes.
        dash = _DASHES[at % 2] if not picture.bar and len(picture.lines) > 6 else "-"
        marker = "o" if picture.bar else _MARKERS[at % len(_MARKERS)]
        return {"color": colours.to_rgba(line.number), "dash": dash, "marker": marker}
    count = len(_COLOURS)
    dash = _DASHES[(at % count + at // count) % len(_DASHES)]  # the next round has others
    return {"color": _COLOURS[at % count], "dash": dash, "marker": _MARKERS[at % len(_MARKERS)]}


def _hollow(axes: Axes, line: Line, ys: Sequence[float], look: dict[str, Any]) -> None:
    """Mark the points of jobs that have not finished by empty markers."""
    chosen = [at for at, one in enumerate(line.hollow) if one]
    axes.plot(
        [line.xs[at] for at in chosen],
        [ys[at] for at in chosen],
        linestyle="none",
        marker=look["marker"],
        markersize=5,
        markerfacecolor="white",
        markeredgecolor=look["color"],
        zorder=4,
    )


def _spread(axes: Axes, picture: Picture, line: Line, colour: Any) -> None:
    if not line.low:
        return
    if picture.with_points:
        below = [y - low for y, low in zip(line.ys, line.low, strict=True)]
        axes.errorbar(
            line.xs, line.ys, yerr=below, fmt="none", ecolor=colour, elinewidth=1.1, capsize=2.5
        )
        return
    low = line.low
    if picture.y.is_log:
        # A band that reaches below 0 would vanish; it goes down to the lowest value that is shown.
        positive = [y for y in shown_ys(picture.lines) if y > 0]
        floor = min(positive, default=1.0)
        low = tuple(max(one, floor * 0.5) for one in low)
    axes.fill_between(line.xs, low, line.high, color=colour, alpha=0.18, linewidth=0, zorder=1.5)


def _mark_breaks(axes: Axes, line: Line, colour: Any) -> None:
    """Mark by a cross where a curve stops being finite."""
    ends = breaks_of(line)
    if ends:
        xs, ys = zip(*ends, strict=True)
        axes.plot(xs, ys, linestyle="none", marker="x", color=colour, markersize=6, zorder=4)


def _add_bar(figure: Figure, axes: Axes, picture: Picture) -> None:
    ticks = _decimals() if picture.bar_is_log else None
    bar = figure.colorbar(_colours(picture), ax=axes, pad=0.02, aspect=28, format=ticks)
    bar.ax.set_title(picture.legend, loc="left", fontsize=8.5, parse_math=False)
    bar.outline.set_visible(False)


def _add_legend(axes: Axes, picture: Picture, named: Sequence[tuple[Any, str]]) -> None:
    handles = [one for one, _ in named]
    # matplotlib leaves out labels that begin with an underscore.
    texts = [f" {text}" if text.startswith("_") else text for _, text in named]
    outside = len(named) > 4 or max(map(len, texts)) > 16
    place: dict[str, Any] = (
        {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0), "borderaxespad": 0.0}
        if outside
        else {"loc": "best"}
    )
    legend = axes.legend(
        handles,
        texts,
        title=picture.legend or None,
        frameon=not outside,
        framealpha=0.85,
        edgecolor="none",
        handlelength=2.6,
        alignment="left",
        **place,
    )
    for text in (*legend.get_texts(), legend.get_title()):
        text.set_parse_math(False)
