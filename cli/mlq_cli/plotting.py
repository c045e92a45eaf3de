"""From what the user typed after `mlq plot` to a picture: which jobs, metric and curves."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence

from mlq.api.queue import Queue
from mlq.api.results import results_of
from mlq.errors import InvalidInputError
from mlq.metrics.averaging import STEP, TIME, Curve, curve_of, while_running
from mlq.metrics.columns import Column, Finder
from mlq.metrics.member import Member, params_of
from mlq.metrics.naming import meant
from mlq.metrics.table import Table
from mlq_cli.curves import attempts_by_job
from mlq_cli.invocation.session import say
from mlq_cli.render.plots.against import against_picture
from mlq_cli.render.plots.curves import Wish, curves_picture
from mlq_cli.render.plots.picture import Picture, shown_ys
from mlq_cli.render.results import HOW_METRICS_COME
from mlq_cli.render.words import count, listed_briefly


def picture_of(queue: Queue, args: argparse.Namespace, now_s: float) -> Picture:
    """Return the picture that the user asks for.

    Raises:
        JobNotFoundError: a word means no job.
        InvalidInputError: no job has that metric or parameter, or there is nothing to draw.
    """
    table, _ = results_of(queue.store, args.ids, args.state or (), now_s, queue.tell)
    column = _column(table, args.y)
    over = [one.strip() for one in args.over.split(",")] if args.over else []
    wish = Wish(column.name, over, args.logx, args.log, args.smooth or 0.0, args.title, table.told)
    if args.x in (STEP, TIME) and args.x not in params_of(table.members):
        picture = _of_curves(queue, table, column, args.x, wish)
    else:
        picture = _against(table, column, args.x, wish)
    if not shown_ys(picture.lines):
        raise InvalidInputError(
            f"there is nothing to draw of {column.title}",
            why="no job has a value of it that is a finite number",
        )
    _say_hidden(picture)
    return picture


def _column(table: Table, word: str | None) -> Column:
    finder = Finder(table.members)
    if not finder.metrics:
        raise InvalidInputError("these jobs have no metrics yet", fix=HOW_METRICS_COME)
    if word:
        return finder.asked_metric(word)
    if len(finder.metrics) > 1:
        raise InvalidInputError(
            "which metric is to be drawn",
            why=f"these jobs have {', '.join(finder.metrics)}",
            fix=f"for example: --y {finder.metrics[0]}",
        )
    return finder.metric(finder.metrics[0])


def _of_curves(queue: Queue, table: Table, column: Column, by: str, wish: Wish) -> Picture:
    if column.form:
        raise InvalidInputError(
            f"--y {column.title} is one value of each job, and no curve",
            fix=f"--y {column.name}; or --x with a parameter",
        )
    members = [one for one in table.members if column.name in one.metrics]
    attempts = attempts_by_job(queue, members)
    curves: dict[str, Curve] = {}
    for one in members:
        points = while_running(attempts.get(one.id, []), one.started_s)
        found = curve_of(points, column.name, by)
        if found.xs:
            curves[one.id] = found
    drawn = [one for one in members if one.id in curves]
    _say_left_out(members, curves)
    if not drawn:
        raise InvalidInputError(
            f"there is no curve of {column.name}",
            why="no job has a metrics file below the results root; `mlq clean` deletes them",
        )
    # A curve that is nan from its first point on would be a name in the legend and no line.
    seen = [one for one in drawn if any(map(math.isfinite, curves[one.id].ys))] or drawn
    return curves_picture(seen, {one.id: curves[one.id] for one in seen}, by, wish)


def _say_left_out(members: Sequence[Member], curves: Mapping[str, Curve]) -> None:
    gone = [one.id for one in members if one.id not in curves]
    if gone and curves:
        say(f"without a curve on the results root, so not drawn: {listed_briefly(gone)}")
    broken = [job_id for job_id, one in curves.items() if not all(map(math.isfinite, one.ys))]
    if broken:
        say(f"not drawn: what is nan or inf in the curves of {listed_briefly(broken)}")


def _against(table: Table, column: Column, word: str, wish: Wish) -> Picture:
    params = params_of(table.members)
    if not params:
        raise InvalidInputError(
            f"--x {word}: these jobs have no parameters", fix="--x step or --x time"
        )
    if word not in params:
        try:
            word = meant(word, params, "parameter")
        except InvalidInputError as error:
            raise InvalidInputError(
                f"--x {word}: {error.what}", why=error.why, fix="or --x step, --x time"
            ) from None
    if word in wish.over:
        raise InvalidInputError(
            f"--over {word}: it is the x axis", why="a mean over it leaves a single point"
        )
    if wish.smooth:
        raise InvalidInputError("--smooth is for curves", why=f"{word} is a parameter")
    table = table.with_means(wish.over) if wish.over else table
    picture = against_picture(table, word, column, wish)
    if wish.log_x and picture.x.names:
        raise InvalidInputError(f"--logx: not all values of {word} are numbers")
    without = len(table.groups) - sum(len(one.xs) for one in picture.lines)
    if without and picture.lines:
        what = "group" if wish.over else "job"
        say(f"{count(without, what)} without a finite {column.title}, so not drawn")
    return picture


def _say_hidden(picture: Picture) -> None:
    ys = shown_ys(picture.lines)
    hidden = sum(y <= 0 for y in ys) if picture.y.is_log else 0
    if hidden == len(ys):
        raise InvalidInputError(
            "--log: no value is above 0", why="a logarithmic axis has no place for others"
        )
    if hidden:
        say(f"{count(hidden, 'value')} not above 0: a logarithmic axis has no place for them")
