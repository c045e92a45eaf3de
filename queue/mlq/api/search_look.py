"""What a search sees: the members of its sweep as the queue has them, and their curves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from mlq.errors import InvalidInputError, JobNotFoundError
from mlq.files.layout import Layout
from mlq.files.strict_files import Content, read_file
from mlq.ids import order_key
from mlq.lenient import dict_or_empty, hash_of, int_or, text_of
from mlq.metrics.extent import Extent, parse_metrics
from mlq.metrics.series import Point, curve, merged, points_of
from mlq.search.decide import SETTLE_S, Seen
from mlq.search.goal import Goal
from mlq.search.history import Member, Outcome
from mlq.search.pruning import Run, measured
from mlq.store import keys
from mlq.store.reads import SweepSeen
from mlq.store.store import Store
from mlq.units import parse_iso

CURVE_BYTES = 16 << 20
"""The most that is read of one attempt's curve: its end."""

ReadFile = Callable[[str], bytes | None]
"""Returns a file of the results root; None if it is not there, or cannot be read now."""


def reader(root: Path) -> ReadFile:
    """Return what reads files of a results root that is mounted here."""

    def read(path: str) -> bytes | None:
        found = read_file(root, path, CURVE_BYTES, tail=True)
        return found.data if isinstance(found, Content) else None

    return read


_FIELDS = (
    "status",
    "mlq_reason",
    "mlq_stop",
    "mlq_held",
    "mlq_attempt",
    "mlq_member",
    "mlq_metrics",
    "ended_at",
)
_ATTEMPTS = 50
_READ_AT_ONCE = 200  # members; with a hundred metrics each has ten kilobytes


def find(store: Store, number: int) -> SweepSeen:
    """Return a sweep as the queue counts it; raise JobNotFoundError if there is none."""
    found = next(iter(store.reads.sweeps([str(number)])), None)
    if found is None or found.number != number:
        raise JobNotFoundError(
            f"sweep {number} is gone from the queue",
            why="the queue lists none of its jobs any more",
        )
    return found


def look(store: Store, number: int) -> Seen:
    """Return the members of a sweep.

    The free index is read first: if another search makes a member meanwhile, that index is taken,
    and the queue refuses what is decided from here.
    """
    free, failing = store.client.call("HMGET", keys.sweep(number), "next", "failing")
    sweep = find(store, number)
    known = hash_of(store.client.call("HGETALL", keys.members(number)))
    indices = sorted(int_or(text_of(one), -1) for one in known.values())
    ids = [f"{number}_{one}" for one in indices if one >= 0]
    pages = [
        store.reads.rows(_FIELDS, ids[at : at + _READ_AT_ONCE])
        for at in range(0, len(ids), _READ_AT_ONCE)
    ]
    return Seen(
        tuple(_member(*row) for page in pages for row in page),
        len(known),
        int_or(text_of(free or b"")),
        sweep.held,
        bool(failing),
        frozenset(map(text_of, known)),
    )


def _member(*row: str) -> Member:
    job_id, state, reason, stop, held, attempt, of, metrics, ended_at = row
    told = dict_or_empty(of)
    return Member(
        id=job_id,
        number=int(order_key(job_id)[1]),
        state=state,
        reason=reason,
        stopping=stop if state == "started" else "",
        held=held if state == "deferred" else "",
        attempt=max(0, int_or(attempt)),
        params=_texts(told.get("params")),
        drawn=_texts(told.get("drawn")),
        key=str(told.get("key", "")),
        metrics=parse_metrics(metrics),
        ended_s=_unix(ended_at),
    )


def _texts(raw: object) -> dict[str, str]:
    pairs = raw.items() if isinstance(raw, dict) else ()
    return {name: value for name, value in pairs if isinstance(value, str)}


def _unix(text: str) -> float | None:
    try:
        return parse_iso(text) if text else None
    except (InvalidInputError, ValueError, OverflowError):
        return None


class MemberCurves:
    """The curves of a search's members; a file is read again only if its member measured more.

    The queue may know of a point before its file shows it here: then the file is read each time.

    Args:
        layout: of the results root.
        goal: of the search.
        read: reads a file there.
    """

    def __init__(self, layout: Layout, goal: Goal, read: ReadFile) -> None:
        self._layout, self._goal, self._read = layout, goal, read
        self._known: dict[str, tuple[object, Run]] = {}

    def of(self, members: Iterable[Member], now_s: float) -> dict[int, Run]:
        """Return the runs of those members that have measured the objective."""
        found = {}
        for member in members:
            extent = member.metrics.get(self._goal.metric)
            if extent is None:
                continue
            # The last points may come into the file after they came into the queue.
            late = member.ended_s is not None and now_s - member.ended_s > SETTLE_S
            version = (member.attempt, extent, member.state, late)
            known = self._known.get(member.id)
            if known is None or known[0] != version:
                points = self._points(member)
                run = Run(member.number, Outcome.RUNNING, measured(points, self._goal.metric))
                known = version, run
                if _is_whole(points, self._goal.metric, extent):
                    self._known[member.id] = known
            found[member.number] = known[1]
        return found

    def _points(self, member: Member) -> list[Point]:
        folder = self._layout.folder(member.id)
        attempts = range(max(1, member.attempt - _ATTEMPTS + 1), member.attempt + 1)
        files = [self._read(folder.metrics_file(number)) for number in attempts]
        return merged([list(points_of(data)) for data in files if data])


def _is_whole(points: Sequence[Point], metric: str, extent: Extent) -> bool:
    """Return whether a curve holds the last value that the queue knows."""
    found = curve(points, metric)
    if not found:
        return False
    last, value = found[-1]
    same = value == extent.last or (math.isnan(value) and math.isnan(extent.last))
    return same and last.step == extent.last_step
