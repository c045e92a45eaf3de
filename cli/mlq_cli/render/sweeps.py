"""Sweeps as a table: one line each, with a bar of its members' states and the time left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlq.jobs.lifecycle import HELD, State
from mlq.search.note import read_note
from mlq.store.reads import SweepSeen
from mlq_cli.render.style import Style
from mlq_cli.render.table import Cell, Column, table
from mlq_cli.render.words import elapsed

_BAR = 20
_SIGNS = {"done": "█", "running": "▒", "failed": "x", HELD: "‖", "queued": "·"}
"""In the order in which they stand in a bar; canceled members leave it blank."""

_COLUMNS = (
    Column("SWEEP"),
    Column("NAME", 95, least=10),
    Column("MEMBERS", 40, right=True),
    Column("", 60),
    Column("DONE", right=True),
    Column("RUNNING", 92, right=True),
    Column("FAILED", 94, right=True),
    Column("QUEUED", 93, right=True),
    Column("HELD", 91, right=True),
    Column("LEFT", 85, right=True),
    Column("REASON", 80, least=18),
)


def progress_of(sweep: SweepSeen) -> dict[str, int]:
    """Return how many members are done, running, failed, held, queued and canceled.

    If the sweep is held, its waiting members count as held.
    """
    counts = sweep.counts
    held = counts.get(HELD, 0)
    waiting = sum(counts.get(state, 0) for state in (State.QUEUED, State.SCHEDULED, State.DEFERRED))
    held = waiting if sweep.held else held
    return {
        "done": counts.get(State.FINISHED, 0),
        "running": counts.get(State.STARTED, 0),
        "failed": counts.get(State.FAILED, 0),
        HELD: held,
        "queued": waiting - held,
        "canceled": counts.get(State.CANCELED, 0),
    }


def bar(progress: Mapping[str, int], width: int = _BAR) -> str:
    """Return a bar of `width` columns; every state that has members takes at least one column."""
    total = sum(progress.values())
    if not total:
        return " " * width
    seen = [one for one in (*_SIGNS, "canceled") if progress.get(one)]
    shares = {one: max(1, round(width * progress[one] / total)) for one in seen}
    while sum(shares.values()) != width:
        largest = max(shares, key=lambda one: shares[one])
        shares[largest] += 1 if sum(shares.values()) < width else -1
    return "".join(_SIGNS.get(one, " ") * shares[one] for one in seen)


def left_s(sweep: SweepSeen) -> float | None:
    """Return in about how many seconds a sweep will have ended; None if that is unknown.

    The estimate takes the mean time of finished members and the number that run now, and assumes
    that these are half done on average.
    """
    progress = progress_of(sweep)
    running, queued = progress["running"], progress["queued"]
    if not sweep.took or not running:
        return None
    return sweep.took_s / sweep.took * (queued / running + 0.5)


def sweep_table(sweeps: Sequence[SweepSeen], style: Style) -> list[str]:
    """Return the lines of `mlq ls` about sweeps."""
    return table(_COLUMNS, [_row(one) for one in sweeps], style)


def _row(sweep: SweepSeen) -> list[Cell]:
    progress = progress_of(sweep)
    left = left_s(sweep)
    return [
        Cell(str(sweep.number), "strong" if progress["running"] else ""),
        Cell(sweep.name),
        Cell(_members(sweep)),
        Cell(bar(progress)),
        Cell(str(progress["done"]), "good"),
        Cell(_some(progress["running"]), "busy"),
        Cell(_some(progress["failed"]), "bad"),
        Cell(_some(progress["queued"]), "waiting"),
        Cell(_some(progress[HELD]), "bad"),
        Cell("" if left is None else f"~{elapsed(rounded_s(left))}"),
        Cell(sweep.held, "bad"),
    ]


def _members(sweep: SweepSeen) -> str:
    """Return how many members a sweep has; of a search, also how many it makes."""
    search = read_note(sweep.search)
    return str(sweep.members) if search is None else f"{sweep.members}/{search.of}"


def _some(number: int) -> str:
    return str(number) if number else ""


def rounded_s(seconds: float) -> float:
    """Return a time rounded to the digits that are meaningful."""
    step = 1 if seconds < 60 else 60 if seconds < 7200 else 3600
    return max(step, round(seconds / step) * step)


def summary_line(sweep: SweepSeen) -> str:
    """Return a sweep in one line, the first line of `mlq ls SWEEP`."""
    progress = progress_of(sweep)
    counts = ", ".join(f"{number} {word}" for word, number in progress.items() if number)
    noun = "member" if sweep.members == 1 else "members"
    head = f"sweep {sweep.number} {sweep.name}: {sweep.members} {noun}"
    search = read_note(sweep.search)
    if search is not None:
        what = f"{sweep.members} of {search.of} members, to {search.goal}"
        head = f"search {sweep.number} {sweep.name}: {what}"
    left = left_s(sweep)
    more = [counts, "" if left is None else f"about {elapsed(rounded_s(left))} left"]
    if sweep.max_running:
        more.append(f"at most {sweep.max_running} at once")
    return f"{head}: {'; '.join(one for one in more if one)}"
