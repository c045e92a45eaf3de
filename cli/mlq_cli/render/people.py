"""Who holds what on each machine now, by mlq or not, and who waits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from mlq.lenient import finite_or_zero, int_or
from mlq.machines.said import listed, offer_of
from mlq_cli.render.clean import clean
from mlq_cli.render.style import Style
from mlq_cli.render.table import Cell, Column, table
from mlq_cli.render.words import about, count, elapsed

_COLUMNS = (
    Column("MACHINE"),
    Column("USER"),
    Column("BY MLQ", 80),
    Column("OTHERWISE", 85),
    Column("WAITS FOR", 60),
)


class _Person(NamedTuple):
    machine: str
    user: str
    raw: Mapping[str, Any]
    total_mib: Mapping[str, int]


def people_json(machines: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield each person on each machine, as `--json` prints them.

    Args:
        machines: what each machine that is heard of says of itself, by name.
    """
    for one in _people(machines):
        yield {"machine": one.machine, **one.raw}


def people_table(machines: Mapping[str, Mapping[str, Any]], style: Style) -> list[str]:
    """Return the lines of the table; none if nobody holds anything."""
    rows = [
        [
            Cell(one.machine, "strong"),
            Cell(f"{one.user} (you)" if one.raw.get("is_us") else one.user),
            Cell(_held(_part(one.raw, "mlq"), one.total_mib)),
            Cell(_held(_part(one.raw, "otherwise"), one.total_mib), "faint"),
            Cell("; ".join(_waits(one.raw)), "waiting"),
        ]
        for one in _people(machines)
    ]
    return table(_COLUMNS, rows, style) if rows else []


def _people(machines: Mapping[str, Mapping[str, Any]]) -> Iterator[_Person]:
    for name, record in sorted(machines.items()):
        total_mib = {gpu.uuid: gpu.total_mib for gpu in offer_of(record).gpus}
        for raw in listed(record, "people"):
            if isinstance(raw, dict):
                yield _Person(name, clean(str(raw.get("user") or "?")), raw, total_mib)


def _part(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = raw.get(name)
    return found if isinstance(found, dict) else {}


def _held(held: Mapping[str, Any], total_mib: Mapping[str, int]) -> str:
    """Return what somebody holds: `2 jobs: 3 cores, 10G, 8.0G of GPU memory`."""
    cores, mem_mib = finite_or_zero(held.get("cores")), int_or(held.get("mem_mib"))
    vram_mib = sum(
        int_or(mib) or total_mib.get(uuid, 0) for uuid, mib in _part(held, "vram_mib").items()
    )
    parts = [count(int(cores), "core") if cores == int(cores) else f"{cores:.1f} cores"]
    parts = parts if cores else []
    parts += [f"{about(mem_mib)} of memory"] if mem_mib else []
    parts += [f"{about(vram_mib)} of GPU memory"] if vram_mib else []
    jobs = int_or(held.get("jobs"))
    return f"{count(jobs, 'job')}: {', '.join(parts)}" if jobs else ", ".join(parts)


def _waits(raw: Mapping[str, Any]) -> Iterator[str]:
    for one in listed(raw, "waits"):
        if not isinstance(one, dict):
            continue
        parts = [count(int_or(one.get("cores")), "core"), about(int_or(one.get("mem_mib")))]
        if gpus := int_or(one.get("gpus")):
            kind = clean(str(one.get("gpu_type") or ""))
            vram_mib = int_or(one.get("vram_mib"))
            size = f" with {about(vram_mib)}" if vram_mib else ""
            parts.append(f"{count(gpus, f'{kind} GPU'.strip())}{size}")
        yield f"{', '.join(parts)} for {elapsed(finite_or_zero(one.get('for_s')))}"
