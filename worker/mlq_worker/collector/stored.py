"""What the collector remembers of an attempt on the results root: `attempts/<n>/reading.json`.

A collector that was killed, or one of the next worker, goes on from there. The files that it
appends to may be longer than it says, if the last collector died in between: what is beyond is
written again. A job can write to the file; one that cannot be used counts as missing, and the
attempt is read again from its beginning.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from mlq.files.strict_files import MIB, Content
from mlq.files.strict_json import parse_pythons
from mlq.lenient import dict_or_empty
from mlq.metrics.advance import Advance, parse_advance
from mlq.metrics.extent import Extent, metrics_text, parse_metrics
from mlq.metrics.series import number_or_none
from mlq.metrics.usage import Used, parse_used
from mlq_worker.collector.folder import AttemptFolder

NAME = "reading.json"
VERSION = 1
_MOST_BYTES = 4 * MIB
_NOWHERE, _NOTHING = Advance(), Used()


@dataclass(slots=True)
class Stored:
    """What is known of an attempt, and up to where.

    Args:
        reader: the state of its reader; None: nothing was read yet.
        metrics_size, usage_size: how many bytes of its `metrics.jsonl` and `usage.jsonl` count.
        first_steps: the first step of each metric that has one.
        earlier: the extents of earlier attempts, as far as this one did not repeat their steps;
            None: not yet known.
        own: the extents of its own points.
        advance: how far it is.
        used: what it used.
    """

    reader: dict[str, Any] | None = None
    metrics_size: int = 0
    usage_size: int = 0
    first_steps: dict[str, float] = field(default_factory=dict)
    earlier: dict[str, Extent] | None = None
    own: dict[str, Extent] = field(default_factory=dict)
    advance: Advance = _NOWHERE
    used: Used = _NOTHING

    def write(self, folder: AttemptFolder) -> None:
        """Write it into the attempt's folder.

        Raises:
            OSError: it could not be written.
        """
        raw = {
            "version": VERSION,
            "reader": self.reader,
            "metrics_size": self.metrics_size,
            "usage_size": self.usage_size,
            "first_steps": self.first_steps,
            "earlier": None if self.earlier is None else metrics_text(self.earlier),
            "own": metrics_text(self.own),
            "share": self.advance.share,
            "advance": self.advance.text,
            "used": self.used.as_json(),
        }
        folder.replace(NAME, json.dumps(raw, separators=(",", ":")).encode(), flush=False)


def read_stored(folder: AttemptFolder) -> Stored:
    """Return what an earlier collector knew; nothing, if it left no such file."""
    found = folder.read(NAME, _MOST_BYTES)
    if not isinstance(found, Content):
        return Stored()
    try:
        return _stored(parse_pythons(found.data))
    except (ValueError, TypeError):
        return Stored()


def _stored(raw: Any) -> Stored:
    if not isinstance(raw, dict) or raw.get("version") != VERSION:
        raise ValueError("is of another version")
    reader, earlier = raw.get("reader"), raw.get("earlier")
    return Stored(
        dict_or_empty(json.dumps(reader)) if reader is not None else None,
        _size(raw.get("metrics_size")),
        _size(raw.get("usage_size")),
        _steps(raw.get("first_steps")),
        None if earlier is None else parse_metrics(_text(earlier)),
        parse_metrics(_text(raw.get("own"))),
        parse_advance(number_or_none(raw.get("share")), _text(raw.get("advance"))),
        parse_used(raw.get("used")),
    )


def _steps(raw: object) -> dict[str, float]:
    found = raw if isinstance(raw, dict) else {}
    steps = {name: number_or_none(one) for name, one in found.items()}
    return {name: one for name, one in steps.items() if one is not None}


def _size(raw: object) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int) or raw < 0:
        raise ValueError("has no size")
    return raw


def _text(raw: object) -> str:
    return raw if isinstance(raw, str) else ""
