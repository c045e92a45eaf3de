"""How an attempt ended, as a value that can be relied on.

The job can write to `result.json`, and a supervisor of another version may send more or fewer
fields. So this module alone parses results: the outcome is either a record whose fields have the
right types, ranges and characters, or a reason why it is no result. No dictionary that another
program made goes any further into the worker.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, get_args

from mlq.errors import InvalidInputError
from mlq.files.strict_files import Refused
from mlq.ids import is_valid_id
from mlq.metrics.advance import Advance, parse_advance
from mlq.metrics.extent import metrics_text, parse_metrics
from mlq.metrics.series import number_or_none
from mlq.metrics.usage import Used, parse_used
from mlq.store.replies import Attempt
from mlq.units import parse_iso, utc_iso
from mlq_worker.collector.protocol import Figures
from mlq_worker.ipc.causes import NO_CAUSE, Cause, parse_cause
from mlq_worker.ipc.shortage import Shortage, parse_shortage
from mlq_worker.ipc.values import LAST_LINE_CHARS, Outcome

UNUSABLE = "unusable"
"""The outcome of an attempt that is over and has left no result that can be used."""

_OUTCOMES = frozenset(get_args(Outcome))
_RAN = frozenset({"exited", "signaled", "timeout"})
_AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
_LATEST_S = 8e9  # unix time, in the year 2223; `datetime` can still add any duration to it
_LONGEST_TEXT = 2000
_LARGEST_ATTEMPT = 10**9
_MOST_USED = 1e12
_LONGEST_NOTE, _MOST_NOTES = 500, 5
_LARGEST_EXIT_CODE, _LARGEST_SIGNAL = 255, 64
_NOWHERE = Advance()


class FoundAttempt(NamedTuple):
    """An attempt that the results root knows and the queue has forgotten; "" means unknown."""

    attempt: int
    machine: str
    boot_id: str
    supervisor_id: str


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """How an attempt ended.

    Args:
        id: the job.
        attempt: the number of the attempt.
        machine: where it ran.
        outcome: an `Outcome` of the supervisor's, or `UNUSABLE`.
        exit_code: 0 to 255; None if it has none.
        reason: why it ended, in one line.
        started_at: when it started, ISO; "" if it never did.
        ended_at: when it ended, ISO.
        value: what a Python function returned, as JSON text; "" if nothing, None if the worker
            has yet to read it.
        cause: what was at fault if it could not start.
        last_line: the last line of its log, if it ran and failed; "" if that is not known.
        unwritten: whether its `result.json` was not yet written when the supervisor reported it.
        found: with the outcome `reused`: the attempt that has the number already.
        cpu_s: CPU time that its processes used; None if that is not known.
        max_rss_mib: the most memory that one of them had at once; None if that is not known.
        notes: what its user should also know, a sentence each.
        metrics: the extents of its job's metrics, as text (`mlq.metrics.extent`).
        used: sums and peaks of what it used, as text (`mlq.metrics.usage`).
        advance: how far it came.
        shortage: which memory ran out, if that is why it failed.
        has_said: whether it wrote to its log or its report, as far as the supervisor knows.
        asked_s: it ended because it asked to be queued again, so many seconds after its start.
    """

    id: str
    attempt: int
    machine: str
    outcome: str
    exit_code: int | None
    reason: str
    started_at: str
    ended_at: str
    value: str | None = None
    cause: Cause = NO_CAUSE
    unwritten: bool = False
    found: FoundAttempt | None = None
    cpu_s: float | None = None
    max_rss_mib: int | None = None
    last_line: str = ""
    notes: tuple[str, ...] = ()
    metrics: str = ""
    used: str = ""
    advance: Advance = _NOWHERE
    shortage: Shortage | None = None
    has_said: bool = False
    asked_s: float | None = None

    @property
    def peaks(self) -> Used:
        """What it used at the most, by samples of its processes."""
        return parse_used(self.used)

    @property
    def why(self) -> str:
        """Why it ended, with the last line of its log."""
        return f"{self.reason}: {self.last_line}" if self.last_line else self.reason

    @property
    def key(self) -> Attempt:
        """Job id and attempt number."""
        return self.id, self.attempt


Value = str | Refused
"""What a function returned, as JSON text ("" if nothing), or why that cannot be used."""


def with_value(result: AttemptResult, value: Value) -> AttemptResult:
    """Return the result together with what the function returned."""
    if isinstance(value, str):
        return replace(result, value=value)
    reason = f"its return value cannot be used: it {value.why}"
    return replace(result, outcome=UNUSABLE, exit_code=None, reason=reason, value="")


def with_figures(result: AttemptResult, figures: Figures) -> AttemptResult:
    """Return the result together with what the collector found of the attempt."""
    notes = [one for one in figures.notes if one not in result.notes]
    return replace(
        result,
        metrics=figures.metrics or result.metrics,
        used=figures.used or result.used,
        advance=figures.advance if figures.advance != _NOWHERE else result.advance,
        notes=(*result.notes, *notes)[:_MOST_NOTES],
    )


def no_result(attempt: Attempt, machine: str, why: str, at: str) -> AttemptResult:
    """Return the result of an attempt that is over but whose `result.json` is not usable.

    Args:
        attempt: job id and attempt number.
        machine: where it ran.
        why: what is wrong with the file; reads after "it".
        at: when that was found, as an ISO time.
    """
    reason = f"its result.json is not a result: it {why}"
    return AttemptResult(*attempt, machine, UNUSABLE, None, reason, "", at, "")


def parse_result(raw: object) -> AttemptResult:
    """Return the result that a JSON value describes.

    Raises:
        ValueError: it describes none; the text reads after "it".
    """
    if not isinstance(raw, dict):
        raise ValueError("is no JSON object")  # noqa: TRY004 - of a stranger's text
    outcome = _text(raw, "outcome")
    if outcome not in _OUTCOMES:
        raise ValueError("names an outcome that there is not")
    job_id = _text(raw, "id")
    if not is_valid_id(job_id):
        raise ValueError("names a job that there cannot be")
    exit_code = _whole(raw, "exit_code", 0, _LARGEST_EXIT_CODE)
    if outcome == "exited" and exit_code is None:
        raise ValueError("lacks its exit_code")
    _whole(raw, "signal", 1, _LARGEST_SIGNAL)
    attempt = _whole(raw, "attempt", 1, _LARGEST_ATTEMPT)
    if attempt is None:
        raise ValueError("lacks its attempt")
    return AttemptResult(
        job_id,
        attempt,
        _text(raw, "machine"),
        outcome,
        exit_code,
        _text(raw, "reason"),
        "" if raw.get("started_at") is None else _moment(raw, "started_at"),
        _moment(raw, "ended_at"),
        # An attempt that ran has no cause for not starting, even if the record names one.
        found=_found(raw.get("found")) if outcome == "reused" else None,
        unwritten=raw.get("unwritten") is True,
        cause=NO_CAUSE if outcome in _RAN else parse_cause(raw.get("cause")),
        **_usage(raw),
        last_line=_last_line(raw.get("last_line")) if outcome in _RAN and exit_code != 0 else "",
        notes=_notes(raw.get("notes")),
        metrics=_metrics(raw.get("metrics")),
        used=parse_used(raw.get("used")).text,
        advance=_advance(raw.get("advance")),
        shortage=parse_shortage(raw.get("shortage")) if _failed(outcome, exit_code) else None,
        has_said=raw.get("has_said") is True,
        asked_s=number_or_none(raw.get("asked_s")) if outcome == "released" else None,
    )


def _failed(outcome: str, exit_code: int | None) -> bool:
    if outcome in ("signaled", "overstepped"):
        return True
    return outcome == "exited" and exit_code != 0


def heard_result(raw: Mapping[str, Any], machine: str, now_s: float) -> AttemptResult:
    """Return the result that a supervisor, perhaps of another version, reported.

    Args:
        raw: its message, which names job and attempt.
        machine: the name of this machine.
        now_s: unix time.
    """
    try:
        return parse_result(raw)
    except ValueError as error:
        return no_result((raw["id"], raw["attempt"]), machine, str(error), utc_iso(now_s))


def one_line(text: str) -> str:
    """Return a text that can be shown and stored: one line, no control characters, not too long."""
    if text.isprintable() and text.isascii():  # nearly all texts
        return text[:_LONGEST_TEXT]
    text = text.encode(errors="replace").decode()[:_LONGEST_TEXT]
    return "".join(one if one.isprintable() else " " for one in text)


def _text(raw: dict[str, Any], name: str) -> str:
    if name not in raw:
        raise ValueError(f"lacks its {name}")
    value = raw[name]
    if not isinstance(value, str):
        raise ValueError(f"has no text as {name}")  # noqa: TRY004 - of a stranger's text
    return one_line(value)


def _last_line(told: object) -> str:
    return one_line(told)[:LAST_LINE_CHARS] if isinstance(told, str) else ""


def _whole(raw: dict[str, Any], name: str, least: int, most: int) -> int | None:
    value = raw.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"has no whole number as {name}")  # noqa: TRY004 - of a stranger's text
    if not least <= value <= most:
        raise ValueError(f"has a number as {name} that is not from {least} to {most}")
    return value


def _found(raw: object) -> FoundAttempt | None:
    if not isinstance(raw, dict):
        return None
    attempt = _whole(raw, "attempt", 1, _LARGEST_ATTEMPT)
    who = (_text(raw, name) for name in ("machine", "boot_id", "supervisor_id"))
    return None if attempt is None else FoundAttempt(attempt, *who)


def _usage(raw: dict[str, Any]) -> dict[str, Any]:
    """Return the resources it used. Malformed values count as unknown: no decision uses them."""
    cpu_s, rss_mib = raw.get("cpu_s"), raw.get("max_rss_mib")
    if raw.get("started_at") is None or not rss_mib:
        return {}
    if not isinstance(cpu_s, int | float) or not 0 <= cpu_s < _MOST_USED:
        return {}
    if not isinstance(rss_mib, int) or not 0 <= rss_mib < _MOST_USED:
        return {}
    return {"cpu_s": float(cpu_s), "max_rss_mib": int(rss_mib)}


def _metrics(raw: object) -> str:
    return metrics_text(parse_metrics(raw)) if isinstance(raw, str) and raw else ""


def _advance(raw: object) -> Advance:
    if not isinstance(raw, dict) or not raw:
        return _NOWHERE
    share = number_or_none(raw.get("share"))
    share = share if share is not None and 0 <= share <= 1 else None
    return parse_advance(share, json.dumps(raw))


def _notes(raw: object) -> tuple[str, ...]:
    found = [one for one in raw if isinstance(one, str)] if isinstance(raw, list) else []
    return tuple(one_line(one)[:_LONGEST_NOTE] for one in found[:_MOST_NOTES])


def _moment(raw: dict[str, Any], name: str) -> str:
    text = _text(raw, name)
    try:
        if not _AT.fullmatch(text) or not 0 <= parse_iso(text) <= _LATEST_S:
            raise ValueError
    except (InvalidInputError, ValueError, OverflowError):
        raise ValueError(f"has no time as {name}") from None
    return text
