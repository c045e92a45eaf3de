"""Pools of pilots as a table, and as JSON."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from mlq.pilots.decide import machine_of
from mlq.pilots.pool import Pilot, Pool
from mlq.units import format_duration
from mlq_cli.render.style import Style
from mlq_cli.render.table import Cell, Column, table
from mlq_cli.render.words import elapsed

_COLUMNS = (
    Column("POOL"),
    Column("SYSTEM", 40),
    Column("PILOT", 60),
    Column("JOB", 70),
    Column("STATE"),
    Column("SINCE", 50, right=True),
    Column("MACHINE", 30),
    Column("WHAT", 90, least=20),
)


def pool_table(pools: Sequence[Pool], now_s: float, style: Style) -> list[str]:
    """Return the lines of `mlq pilot ls`: a line for each pool, below it its pilots."""
    rows = []
    for pool in sorted(pools, key=lambda one: one.id):
        rows.append(_pool_row(pool, now_s))
        rows += [_pilot_row(pool, one, now_s) for one in pool.pilots]
    return table(_COLUMNS, rows, style)


def pool_json(pool: Pool, now_s: float) -> dict[str, Any]:
    """Return a pool as `--json` prints it."""
    return {
        "pool": pool.id,
        "system": pool.system,
        "via": pool.via or None,
        "args": list(pool.args),
        "time_s": pool.time_s,
        "max": pool.most,
        "queued": pool.queued,
        "idle_s": pool.idle_s,
        "after_s": pool.after_s,
        "state": _state(pool),
        "reason": pool.paused,
        "failed_in_a_row": pool.failed,
        "next_in_s": max(0.0, round(pool.not_before_s - now_s, 1)),
        "pilots": [
            {
                "name": one.name,
                "job": one.job,
                "state": one.state,
                "since_s_ago": round(now_s - one.since_s, 1),
                "machine": machine_of(pool, one) if one.is_seen else None,
                "reason": one.reason,
            }
            for one in pool.pilots
        ],
    }


def _state(pool: Pool) -> str:
    return "stopped" if pool.is_stopped else "paused" if pool.paused else "active"


def _pool_row(pool: Pool, now_s: float) -> list[Cell]:
    state = _state(pool)
    via = f" via {pool.via}" if pool.via else ""
    shape = f"{format_duration(pool.time_s)} {shlex.join(pool.args)}".rstrip()
    what = pool.paused if state == "paused" else f"up to {pool.most}, {shape}"
    if now_s < pool.not_before_s and state == "active":
        left = elapsed(pool.not_before_s - now_s)
        what = f"its last pilot found no job to run; the next comes in {left}"
    return [
        Cell(pool.id, "strong"),
        Cell(f"{pool.system}{via}"),
        Cell(""),
        Cell(""),
        Cell(state, "bad" if state == "paused" else ""),
        Cell(""),
        Cell(""),
        Cell(what, "waiting" if state == "paused" else ""),
    ]


def _pilot_row(pool: Pool, pilot: Pilot, now_s: float) -> list[Cell]:
    faint = "faint" if pilot.state == "ended" else ""
    return [
        Cell(""),
        Cell(""),
        Cell(pilot.name, faint),
        Cell(pilot.job, faint),
        Cell(pilot.state, faint),
        Cell(elapsed(now_s - pilot.since_s), faint),
        Cell(machine_of(pool, pilot) if pilot.is_seen else "", faint),
        Cell(pilot.reason, "waiting"),
    ]
