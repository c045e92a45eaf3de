"""Machines as a list: what is taken of cores, memory and each GPU, and who else is on them.

What is free stands before the total, as in `mlq machines`; a bar shows what is taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mlq.jobs.placement import GpuOffer, Offer
from mlq.lenient import finite_or_zero
from mlq.machines.said import listed, state_of
from mlq_cli.render.machines import remarks
from mlq_cli.render.table import Cell, Column
from mlq_cli.render.words import about
from mlq_cli.top.bars import load_kind, share_bar
from mlq_cli.top.lines import GAP, Field, Line, Row, cut, grid
from mlq_cli.top.snapshot import Machines, Snapshot

_BAR = 6
_SHORT_BAR = 5
_NAME = 16
_IN_BLOCKS = (
    Column("MACHINE", least=_NAME),
    Column("CORES", 90),
    Column("FREE", 91, right=True),
    Column("MEMORY", 80),
    Column("FREE", 81, right=True),
    Column("JOBS", 70, right=True),
)
_IN_LINES = (
    Column("MACHINE"),
    Column("CORES", 90),
    Column("FREE", 91, right=True),
    Column("MEMORY", 60),
    Column("FREE", 61, right=True),
    Column("GPU MEMORY FREE", 85),
    Column("JOBS", 80, right=True),
    Column("OTHERS", 70, least=8),
    Column("NOTE", 75, least=12),
)


class _Host(NamedTuple):
    """One machine: its name, for how long it was not heard, what it said, and what is wrong."""

    name: str
    heard_s: float
    record: Mapping[str, Any]
    notes: list[str]
    is_silent: bool


def host_lines(seen: Snapshot, width: int | None, *, blocks: bool) -> list[Line]:
    """Return the machines: headings first, then lines whose keys are their names.

    Args:
        seen: what the queue said.
        width: columns.
        blocks: whether each GPU and each remark has a line of its own, below its machine. Otherwise
            a machine is one line.
    """
    hosts = _hosts(seen.machines, seen)
    if not blocks:
        return grid(_IN_LINES, [_line_row(one) for one in hosts], width)
    rows: list[Row] = []
    notes: dict[int, list[Line]] = {}
    for host in hosts:
        rows += _block_rows(host)
        below = [Cell("; ".join(host.notes), "waiting")] if host.notes else []
        if others := _others(host):
            below.insert(0, Cell(f"besides: {others[0].text} cores", "faint"))
        notes[len(rows)] = [
            Line(cut((Cell("  "), one), width or 10**6), host.name) for one in below
        ]
    lines = grid(_IN_BLOCKS, rows, width)
    found = lines[:1]
    for at, one in enumerate(lines[1:], 1):
        found.append(one)
        found += notes.get(at, [])
    return found


def _hosts(machines: Machines, seen: Snapshot) -> list[_Host]:
    found = []
    for name, (heard_s, record) in sorted(machines.items()):
        silent = heard_s > seen.lease_s
        notes = remarks(heard_s, record, seen.lease_s, seen.conditions.get(name, ""))
        found.append(_Host(name, heard_s, record, notes, silent))
    return found


def _block_rows(host: _Host) -> list[Row]:
    state = state_of(host.name, host.heard_s, host.record)
    offer = state.offer
    rows = [
        Row(
            host.name,
            (
                (Cell(host.name, "faint" if host.is_silent else "strong"),),
                *_cores(host, offer, _BAR),
                *_memory(host, offer.mem_mib, offer.total_mem_mib, _BAR),
                (Cell(_jobs(host), "faint" if host.is_silent else ""),),
            ),
        )
    ]
    for gpu in offer.gpus:
        name = gpu.name.removeprefix("NVIDIA ").removeprefix("GeForce ")
        rows.append(
            Row(
                host.name,
                (
                    (Cell(f"  {name or f'GPU {gpu.index}'}", "faint"),),
                    (),
                    (),
                    *_memory(host, gpu.free_mib, gpu.total_mib, _BAR),
                    (Cell(_use_of(host, gpu), "faint" if host.is_silent else ""),),
                ),
            )
        )
    return rows


def _line_row(host: _Host) -> Row:
    state = state_of(host.name, host.heard_s, host.record)
    offer = state.offer
    return Row(
        host.name,
        (
            (Cell(host.name, "faint" if host.is_silent else "strong"),),
            *_cores(host, offer, _SHORT_BAR),
            *_memory(host, offer.mem_mib, offer.total_mem_mib, _SHORT_BAR),
            _gpus(host, offer.gpus),
            (Cell(_jobs(host), "faint" if host.is_silent else ""),),
            _others(host),
            (Cell("; ".join(host.notes), "waiting"),),
        ),
    )


def _taken(
    host: _Host, free: tuple[int, str], total: tuple[int, str], width: int
) -> tuple[Field, Field]:
    """Return two cells: a bar of what is taken of a resource, and what is free of how much.

    Args:
        host: the machine.
        free: as a number and in words.
        total: likewise.
        width: of the bar.
    """
    if not total[0]:
        return (), ()
    share = 1 - min(1.0, max(0.0, free[0] / total[0]))
    kind = "faint" if host.is_silent else load_kind(share)
    words = Cell(f"{free[1]}/{total[1]}", "faint" if host.is_silent else "")
    return share_bar(share, width, kind), (words,)


def _cores(host: _Host, offer: Offer, width: int) -> tuple[Field, Field]:
    free, total = offer.cores, offer.total_cores
    return _taken(host, (free, str(free)), (total, str(total)), width)


def _memory(host: _Host, free_mib: int, total_mib: int, width: int) -> tuple[Field, Field]:
    return _taken(host, (free_mib, about(free_mib)), (total_mib, about(total_mib)), width)


def _gpus(host: _Host, gpus: Sequence[GpuOffer]) -> Field:
    parts: list[Cell] = []
    for gpu in gpus:
        use = _use_of(host, gpu)
        bar, free = _memory(host, gpu.free_mib, gpu.total_mib, _SHORT_BAR)
        parts += [
            *([Cell(" " * GAP)] if parts else []),
            *bar,
            Cell(" "),
            *free,
            *([Cell(f" {use}")] if use else []),
        ]
    return parts


def _use_of(host: _Host, gpu: GpuOffer) -> str:
    """Return how busy a GPU is, if its machine says so."""
    for raw in listed(host.record, "gpus"):
        if isinstance(raw, dict) and raw.get("uuid") == gpu.uuid and "busy" in raw:
            return f"{min(1.0, max(0.0, finite_or_zero(raw['busy']))):.0%}"
    return ""


def _jobs(host: _Host) -> str:
    return str(len(listed(host.record, "attempts"))) if host.record else ""


def _others(host: _Host) -> Field:
    """Return who else keeps the machine's cores busy, the busiest first."""
    others = state_of(host.name, host.heard_s, host.record).others
    if host.is_silent or others.cores < 0.05:
        return ()
    users = sorted(others.users, key=lambda one: -one[1])
    told = ", ".join(f"{user or 'yourself'} {cores:.1f}" for user, cores in users if cores >= 0.05)
    return (Cell(told or f"{others.cores:.1f}", "faint"),)
