"""The results of jobs as a table: `queue.results("lr").over("seed").sort("-acc").to_pandas()`.

Everything is read from the queue. Only `at`, which needs whole curves, reads the results root.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from mlq.api.selecting import select, sweep_meant
from mlq.errors import InvalidInputError, MlqError
from mlq.jobs.lifecycle import HELD, State
from mlq.lenient import dict_or_empty, int_or, iso_or_none, list_or_empty
from mlq.metrics.at_step import at_best
from mlq.metrics.columns import Finder
from mlq.metrics.extent import parse_metrics
from mlq.metrics.member import Member, metrics_of
from mlq.metrics.naming import asked, meant
from mlq.metrics.series import Point
from mlq.metrics.table import FINISHED, Table, new_table, table_of
from mlq.search.note import PRUNED
from mlq.store.reads import PAGE, SweepSeen
from mlq.store.store import Store
from mlq.store.templates import digest_of, shared_fields
from mlq.units import parse_iso

FIELDS = (
    "status",
    "mlq_held",
    "mlq_name",
    "description",
    "mlq_machine",
    "mlq_attempt",
    "started_at",
    "ended_at",
    "mlq_reason",
    "mlq_member",
    "mlq_metrics",
    "mlq_used",
    "mlq_spec",
)

_FIRST_PAGE, _PAGE_LETTERS = 100, 1_000_000
_GPU_MODEL = re.compile(r'"gpu_model": ?"([^"\\]*)"')

ReadCurves = Callable[[Sequence[Member]], Mapping[str, Sequence[Point]]]
"""Reads the points of jobs: id -> points."""


class Results:
    """A table of results, one row a job; `over` takes means, `sort` and `show` return new tables.

    Args:
        table: what it holds.
    """

    def __init__(self, table: Table) -> None:
        self.table = table

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows, each as column -> value; None where there is none."""
        return self.table.rows()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield the rows."""
        return iter(self.rows)

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self.table.groups)

    def __repr__(self) -> str:
        """Return how many rows and which columns there are."""
        return (
            f"<Results: {len(self)} rows of {', '.join(one.title for one in self.table.columns)}>"
        )

    def over(self, *params: str) -> Results:
        """Return means over members that differ in these parameters only, such as `seed`.

        Only finished members count, unless `Queue.results` was given states. Of each metric there
        are then three columns: `acc`, its sample deviation `acc_sd`, and how many count, `acc_n`.

        Raises:
            InvalidInputError: no member has such a parameter.
        """
        return Results(self.table.with_means(_words("over", params)))

    def sort(self, *columns: str) -> Results:
        """Return the rows ordered by these columns; `"-acc"`: largest first. NaN comes last.

        Raises:
            InvalidInputError: there is no such column.
        """
        return Results(self.table.ordered(_words("sort", columns)))

    def show(self, *columns: str) -> Results:
        """Return these columns only; with a `+` before each: these, too (`"+best:acc"`).

        Raises:
            InvalidInputError: there is no such column.
        """
        return Results(self.table.showing(_words("show", columns)))

    def to_pandas(self) -> Any:
        """Return the rows as a pandas data frame; raise MlqError if there is no pandas."""
        try:
            import pandas as pd
        except ImportError:
            raise _missing("pandas") from None
        rows = self.rows
        return pd.DataFrame(rows, columns=list(rows[0]) if rows else None)

    def to_polars(self) -> Any:
        """Return the rows as a polars data frame; raise MlqError if there is no polars."""
        try:
            import polars as pl
        except ImportError:
            raise _missing("polars") from None
        return pl.DataFrame(self.rows, infer_schema_length=None, strict=False)


def _missing(library: str) -> MlqError:
    return MlqError(
        f"there is no {library} in this Python",
        fix=f"pip install {library}; `.rows` needs nothing",
    )


def _words(what: str, words: Sequence[str]) -> list[str]:
    for one in words:
        if not isinstance(one, str) or not one:
            raise InvalidInputError(f"{what}: {one!r} is no name of a column", fix='write "lr"')
    return list(words)


def results_of(
    store: Store,
    typed: Sequence[str],
    states: Collection[str],
    now_s: float,
    tell: Callable[[str], None] = lambda _: None,
) -> tuple[Table, SweepSeen | None]:
    """Return the table of the jobs that words mean, and the sweep if they mean one.

    Args:
        store: the queue.
        typed: as for `mlq.api.selecting.select`.
        states: only jobs in these count and are shown; none: all are shown, finished ones count.
        now_s: unix time.
        tell: is called with remarks.

    Raises:
        JobNotFoundError: a word means no job.
    """
    sweep = sweep_meant(store, typed)
    ids = select(store, typed, states, tell=tell)
    members = read_members(store, ids, now_s)
    told = [] if sweep is None else list_or_empty(sweep.varying)
    names = [one for one in told if isinstance(one, str)]
    return table_of(members, names, frozenset(states) or FINISHED), sweep


def read_members(store: Store, ids: Sequence[str], now_s: float) -> list[Member]:
    """Return jobs with their values, in the order of their ids; those that are gone are left out.

    Args:
        store: the queue.
        ids: of the jobs.
        now_s: unix time; how long running jobs have run depends on it.
    """
    rows = _rows(store, ids)
    codes = _codes(store, [row[-1] for row in rows])
    return [_member(row, codes, now_s) for row in rows]


def _rows(store: Store, ids: Sequence[str]) -> list[list[str]]:
    """Return the rows of these jobs, so many at a time that none of it holds the server for long.

    A job may have a hundred metrics: ten kilobytes, where others have a few hundred bytes.
    """
    rows: list[list[str]] = []
    start, size = 0, _FIRST_PAGE
    while start < len(ids):
        page = store.reads.rows(FIELDS, ids[start : start + size])
        rows += page
        start += size
        letters = sum(len(value) for row in page for value in row) / max(1, len(page))
        size = max(_FIRST_PAGE, min(PAGE, int(_PAGE_LETTERS / max(1.0, letters))))
    return rows


def _member(row: Sequence[str], codes: Mapping[str, str], now_s: float) -> Member:
    (job_id, state, held, name, command, machine, attempt, started, ended, *rest) = row
    reason, member, metrics, used, spec = rest
    is_held = state == State.DEFERRED and held
    began = iso_or_none(started) if started else None
    started_s = None if began is None else parse_iso(began)
    time_s = None
    if started_s is not None:
        until = iso_or_none(ended) if ended and state != State.STARTED else None
        runs = state == State.STARTED
        until_s = now_s if runs else None if until is None else parse_iso(until)
        time_s = None if until_s is None else max(0.0, until_s - started_s)
    return Member(
        id=job_id,
        name=name,
        state=HELD if is_held else state,
        command=command,
        machine=machine,
        attempt=max(0, int_or(attempt)),
        params=_params(member) if member else {},
        metrics=parse_metrics(metrics) if metrics else {},
        started_s=started_s,
        time_s=time_s,
        code=codes.get(digest_of(spec) or spec, ""),
        gpu=_gpu(used) if used else "",
        is_pruned=state == State.CANCELED and reason.startswith(PRUNED),
    )


def _params(member: str) -> dict[str, str]:
    found = dict_or_empty(member).get("params")
    pairs = found.items() if isinstance(found, dict) else ()
    return {name: value for name, value in pairs if isinstance(value, str)}


def _gpu(used: str) -> str:
    """Return the model of the GPUs; found without reading the JSON around it, for speed."""
    found = _GPU_MODEL.search(used)
    return found[1] if found else ""


def _codes(store: Store, specs: Sequence[str]) -> dict[str, str]:
    """Return the code of each spec, by the digest of its template, or by itself if it has none."""
    digests = {digest_of(spec): None for spec in specs}
    whole = {spec: dict_or_empty(spec) for spec in dict.fromkeys(specs) if not digest_of(spec)}
    shared = shared_fields(store.client, [one for one in digests if one])
    return {key: _code(fields.get("code")) for key, fields in {**shared, **whole}.items()}


def _code(code: object) -> str:
    if not isinstance(code, dict):
        return ""
    packs = [code, *(one for one in code.get("also") or () if isinstance(one, dict))]
    return " ".join(str(one.get("pack", "")) for one in packs)


def taken_at(table: Table, word: str, curves: ReadCurves) -> Table:
    """Return the table with the values of all metrics at one step of each job.

    Args:
        table: of members, without means.
        word: `min:val_loss`: the step at which val_loss was least; or `max:`, `best:`, `last:`.
        curves: reads the points of jobs.

    Raises:
        InvalidInputError: the word names no form, or a metric that no job has.
    """
    form, name = asked(word)
    if not form:
        raise InvalidInputError(
            f"--at {word} does not say which step",
            fix=f"write min:{word} for the step at which {word} was least, or max:{word}",
        )
    metric = meant(name, metrics_of(table.members))
    with_it = [one for one in table.members if metric in one.metrics]
    points = curves(with_it)
    groups = []
    for (one,) in table.groups:
        found = at_best(points.get(one.id, ()), metric, form)
        values, step = ({}, None) if found is None else (found.values, found.step)
        groups.append((one._replace(at=values, at_step=step),))
    taken = new_table(groups, table.told, table.over, table.counting)
    return taken._replace(keys=[Finder(taken.members).metric(metric)])
