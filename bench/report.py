"""What was measured, as rows: a table for people, JSON for programs."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

Spread = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: its median, least and most (None: not measured, `note` says why)."""

    what: str
    spread: Spread | None
    unit: str
    note: str


def spread(values: Sequence[float]) -> Spread:
    """Median, least and most."""
    return median(values), min(values), max(values)


def table(title: str, rows: Sequence[Row]) -> str:
    """Rows as a Markdown table, which is also readable as it is."""
    lines = [f"### {title}", "", "| | median | min | max | unit | |", "|---|--:|--:|--:|---|---|"]
    for row in rows:
        figures = [_short(value) for value in row.spread] if row.spread else ["-", "-", "-"]
        lines.append(f"| {row.what} | {' | '.join(figures)} | {row.unit} | {row.note} |")
    return "\n".join(lines) + "\n"


def machine() -> dict[str, object]:
    """Where the figures come from."""
    model = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        if line.startswith("model name")
    ]
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": model[0] if model else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
    }


def write(folder: Path, results: dict[str, list[Row]], where: dict[str, object]) -> Path:
    """Write everything as JSON, named by the time; return the file."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{str(where['at'])[:19].replace(':', '')}.json"
    content = {"machine": where, "results": {k: [asdict(r) for r in v] for k, v in results.items()}}
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
    return path


def _short(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.3f}".rstrip("0").rstrip(".")
