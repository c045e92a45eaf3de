"""The first lines of the screen: how many jobs run, wait and ended; and trouble. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from mlq.jobs.lifecycle import HELD
from mlq_cli.render.table import Cell
from mlq_cli.render.words import count, elapsed, paused
from mlq_cli.top.lines import Line, line, spread
from mlq_cli.top.snapshot import COUNTED, Snapshot

_KINDS = {
    "running": "busy",
    "queued": "waiting",
    HELD: "bad",
    "done": "good",
    "failed": "bad",
    "canceled": "faint",
    "ended": "faint",
}


def header_line(seen: Snapshot | None, now: datetime, width: int | None) -> Line:
    """Return what is going on, and at the right the machines and the time."""
    clock = Cell(now.strftime("%H:%M:%S"), "faint")
    name = Cell("mlq", "strong")
    if seen is None:
        return spread((name, Cell("  asking the queue …", "faint")), (clock,), width)
    totals = seen.totals()
    parts = [name]
    for word in COUNTED:
        if number := totals[word]:
            parts += [Cell("  "), Cell(f"{number:,}", _KINDS[word]), Cell(f" {word}", "faint")]
    if len(parts) == 1:
        parts.append(Cell("  no jobs in the last 24 hours", "faint"))
    return spread(parts, (*_machines(seen), clock), width)


def _machines(seen: Snapshot) -> Sequence[Cell]:
    heard = sum(heard_s <= seen.lease_s for heard_s, _ in seen.machines.values())
    if not seen.machines:
        return ()
    kind = "faint" if heard == len(seen.machines) else "waiting"
    every = f"{heard} of " if heard < len(seen.machines) else ""
    return (Cell(f"{every}{count(len(seen.machines), 'machine')}", kind), Cell("  "))


def trouble_lines(seen: Snapshot | None, why: str, since_s: float, now_s: float) -> list[Line]:
    """Return what the user must know before anything else, a line each.

    Args:
        seen: what the queue said last.
        why: why it does not answer, "" if it does.
        since_s: since when it does not, unix time.
        now_s: unix time.
    """
    found = []
    if why:
        shown = "" if seen is None else f"; below, what it said {elapsed(now_s - seen.at_s)} ago"
        text = f"no answer for {elapsed(now_s - since_s)}: {why}{shown}"
        found.append(line(Cell(text, "bad")))
    if seen is not None and seen.paused:
        found.append(line(Cell(paused(seen.paused), "bad")))
    return found
