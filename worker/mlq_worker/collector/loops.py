"""Decides from the counts of a log how far the whole job is.

A loop whose counts start over is an inner one, for good: it is shown as such and never as the
share of the job. Which loop is the job's own is guessed from what is left, and the guess is
careful: a bar within the first epoch counts only once epochs have gone by without it starting over,
and one that is complete although the job goes on was a preparation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from mlq_worker.collector import kept_state as kept
from mlq_worker.collector.sources.counters import Count

_MOST_LOOPS = 32
_RANKS = {"bar": 0, "epoch": 1, "word": 2, "bracket": 3}


class Loop(NamedTuple):
    """One loop of a job.

    Args:
        said: what was last said of it.
        is_inner: whether it started over, or lies below another one.
        first_s: when it was first seen, unix time.
        last_s: when it was last seen.
        order: larger for what was seen later.
        epoch: the count of epochs when it was first seen; -1 if none was known.
    """

    said: Count
    is_inner: bool
    first_s: float
    last_s: float
    order: int
    epoch: float = -1.0


class Loops:
    """The loops of one attempt.

    Args:
        started_s: when the attempt began.
        state: what `state` returned, of a reader that goes on where an earlier one stopped.

    Raises:
        ValueError: the state is none.
    """

    def __init__(self, started_s: float, state: Mapping[str, Any] | None = None) -> None:
        self._started_s = started_s
        self._order = 0
        self._loops: dict[str, Loop] = {}
        for key, raw in (state or {}).items():
            self._loops[key] = _restored(raw)
            self._order = max(self._order, self._loops[key].order)

    def state(self) -> dict[str, Any]:
        """Return all of it as JSON can hold it."""
        return {key: [list(one.said), *one[1:]] for key, one in self._loops.items()}

    def take(self, counts: Iterable[Count], now_s: float) -> None:
        """Take in what the log said next."""
        for count in counts:
            if 2 <= count.total < 1e15 and 0 <= count.number <= count.total * 1.01:
                self._take(count, now_s)

    def _take(self, count: Count, now_s: float) -> None:
        key, below = _key(count, min(count.level, 1)), _key(count, 1)
        if count.level == 0 and below in self._loops:
            if count.number >= count.total:
                return  # tqdm draws a bar that ends as if there was none above it
            if key not in self._loops:
                key = below  # the cursor has not been moved up yet
        self._order += 1
        before = self._loops.get(key)
        if before is None:
            epoch = self._epochs()
            self._loops[key] = Loop(
                count, count.level > 0, now_s, now_s, self._order, epoch.number if epoch else -1.0
            )
            if len(self._loops) > _MOST_LOOPS:
                del self._loops[min(self._loops, key=lambda one: self._loops[one].order)]
            return
        self._loops[key] = before._replace(
            said=count,
            is_inner=before.is_inner or _started_over(before.said, count),
            last_s=now_s,
            order=self._order,
        )

    def _epochs(self) -> Count | None:
        known = [one for one in self._loops.values() if _is_of_epochs(one)]
        return max(known, key=lambda one: one.order).said if known else None

    def outermost(self, now_s: float, *, bars: bool) -> Loop | None:
        """Return the loop that is the whole job.

        Args:
            now_s: unix time.
            bars: whether to look among the bars, or among all others.
        """
        epochs = self._epochs()
        candidates = [
            one
            for one in self._loops.values()
            if not one.is_inner
            and (one.said.kind == "bar") == bars
            and not self._was_preparation(one, now_s)
            and not (bars and _may_be_in_epoch(one, epochs))
        ]
        if not candidates:
            return None
        return min(candidates, key=lambda one: (_RANKS[one.said.kind], -one.order))

    def _was_preparation(self, loop: Loop, now_s: float) -> bool:
        count = loop.said
        if count.number < count.total or count.kind == "epoch":
            return False
        took_s = count.elapsed_s if count.elapsed_s is not None else loop.last_s - loop.first_s
        return took_s < 0.5 * (now_s - self._started_s)

    def inner(self, since_s: float) -> float | None:
        """Return the share of the inner loop that was seen last, since a time; None without one."""
        found = [one for one in self._loops.values() if one.is_inner and one.last_s >= since_s]
        if not found:
            return None
        count = max(found, key=lambda one: one.order).said
        return min(1.0, count.number / count.total)


def _restored(raw: object) -> Loop:
    said, is_inner, first_s, last_s, order, epoch = kept.values(raw, len(Loop._fields))
    kind, label, number, total, level, *times = kept.values(said, len(Count._fields))
    if kept.text(kind) not in _RANKS or not isinstance(is_inner, bool) or kept.number(total) <= 0:
        raise ValueError("is no loop")
    elapsed_s, left_s = map(kept.number_or_unknown, times)
    count = Count(
        kind, kept.text(label), kept.number(number), total, kept.whole(level), elapsed_s, left_s
    )
    moments = kept.number(first_s), kept.number(last_s)
    return Loop(count, is_inner, *moments, kept.whole(order), kept.number(epoch))


def _key(count: Count, level: int) -> str:
    return f"{count.kind}{level} {count.total:g} {count.label}"


def _is_of_epochs(loop: Loop) -> bool:
    return loop.said.kind == "epoch" and not loop.is_inner


def _may_be_in_epoch(bar: Loop, epochs: Count | None) -> bool:
    """Return whether a bar may belong to one epoch, although it has not started over yet."""
    if epochs is None or epochs.total == bar.said.total:
        return False
    return epochs.number <= max(bar.epoch, 0.0) + 1


def _started_over(before: Count, now: Count) -> bool:
    """Return whether a loop began anew; processes that count side by side are a little apart."""
    number, total = before.number, before.total
    if now.number >= number and now.elapsed_s is None:
        return False
    if now.elapsed_s is not None and before.elapsed_s is not None:
        if now.elapsed_s + 2 < 0.9 * before.elapsed_s:
            return True
        return number - now.number >= max(2, total / 50) and now.number < 0.5 * number
    if now.number < number - 1:
        return True
    return number >= total and now.number <= 1 and now.number < number
