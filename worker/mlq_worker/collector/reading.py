"""Stand-in: reads progress.jsonl only."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from mlq.files.layout import JobFolder
from mlq.files.strict_files import Content, read_file
from mlq.metrics.advance import Advance
from mlq.metrics.series import Point, is_metric_name, number_or_none

_MOST_BYTES = 1 << 20


class Watched(NamedTuple):
    """What to read."""

    id: str
    attempt: int
    folder: str
    patterns: tuple[tuple[str, str], ...]
    started_s: float


class Reading(NamedTuple):
    """What was read."""

    points: list[Point]
    advance: Advance


class JobReader:
    """Reads the progress file of one attempt."""

    def __init__(self, watched: Watched, state: dict[str, Any] | None = None) -> None:
        self._watched = watched
        self._lines = int((state or {}).get("lines", 0))
        self._share: float | None = (state or {}).get("share")

    def read(self, now_s: float, is_last: bool) -> Reading:
        """Return what was appended since the last call."""
        del is_last
        folder = JobFolder(self._watched.folder)
        read = read_file(folder.path, folder.progress_file(self._watched.attempt), _MOST_BYTES)
        points = []
        if isinstance(read, Content):
            lines = read.data.split(b"\n")[:-1]
            for line in lines[self._lines :]:
                try:
                    raw = json.loads(line)
                except ValueError:
                    continue
                if isinstance(raw, dict):
                    self._share = number_or_none(raw.get("progress"))
                    values = {
                        name: value
                        for name, one in raw.items()
                        if name not in ("progress", "step", "total", "at")
                        and is_metric_name(name)
                        and (value := number_or_none(one)) is not None
                    }
                    if values:
                        points.append(Point(number_or_none(raw.get("step")), now_s, values))
            self._lines = len(lines)
        return Reading(points, Advance(self._share))

    def state(self) -> dict[str, Any]:
        """Return up to where it has read."""
        return {"lines": self._lines, "share": self._share}
