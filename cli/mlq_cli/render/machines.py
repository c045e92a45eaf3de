"""Machines as a table."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from mlq.jobs.placement import GpuOffer
from mlq.lenient import finite_or_zero
from mlq.machines.health import told_by
from mlq.machines.said import is_over, listed, offer_of
from mlq_cli.render.style import Style
from mlq_cli.render.table import Cell, Column, table
from mlq_cli.render.words import about, elapsed

_COLUMNS = (
    Column("MACHINE"),
    Column("CORES", 90, right=True),
    Column("MEMORY", 60, right=True),
    Column("GPU MEMORY", 85),
    Column("GPU", 20, least=10),
    Column("JOBS", 80, right=True),
    Column("OTHERS", 30, right=True),
    Column("HEARD", 70, right=True),
    Column("NOTE", 95, least=20),
)


def machine_table(
    machines: Mapping[str, tuple[float, Mapping[str, Any]]],
    conditions: Mapping[str, str],
    lease_s: float,
    style: Style,
) -> list[str]:
    """Return the lines of `mlq machines`; what is free stands before the total.

    Args:
        machines: name -> (seconds since the queue heard it, its record).
        conditions: what is wrong with machines that hold jobs (`Queue.conditions`).
        lease_s: a machine that is silent for longer holds no lease any more.
        style: how to render.
    """
    rows = [
        _row(name, *machines[name], conditions.get(name, ""), lease_s) for name in sorted(machines)
    ]
    return table(_COLUMNS, rows, style)


def _row(
    name: str, heard_s: float, record: Mapping[str, Any], condition: str, lease_s: float
) -> list[Cell]:
    offer = offer_of(record)
    silent = heard_s > lease_s
    faint = "faint" if silent else ""
    load = finite_or_zero(record.get("foreign_load"))
    return [
        Cell(name, faint or "strong"),
        Cell(f"{offer.cores}/{offer.total_cores}" if record else "", faint),
        Cell(f"{about(offer.mem_mib)}/{about(offer.total_mem_mib)}" if record else "", faint),
        Cell(", ".join(_gpu_memory(gpu) for gpu in offer.gpus), faint),
        Cell(_gpu_names(offer.gpus), "faint"),
        Cell(str(len(listed(record, "attempts"))) if record else "", faint),
        Cell(f"{load:.1f}" if load >= 0.05 else "", "faint"),
        Cell("" if silent else elapsed(heard_s), "faint"),  # if silent, the note says it
        Cell(
            "; ".join([*remarks(heard_s, record, lease_s, condition), *_time_left(record, silent)]),
            "waiting",
        ),
    ]


def machine_json(
    name: str, heard_s: float, record: Mapping[str, Any], condition: str, lease_s: float
) -> dict[str, Any]:
    """Return a machine as `--json` prints it.

    Args:
        name: its name.
        heard_s: for how long the queue has not heard it; infinite if never.
        record: what it last said of itself.
        condition: what is wrong with it if it holds jobs (`Queue.conditions`).
        lease_s: after a silence of this length, its record no longer counts.
    """
    if not condition:
        silent = isfinite(heard_s) and heard_s > lease_s
        condition = not_heard(heard_s) if silent else str(record.get("condition", ""))
    heard_s_ago = round(heard_s, 1) if isfinite(heard_s) else None
    return {"machine": name, "heard_s_ago": heard_s_ago, **record, "condition": condition}


def remarks(
    heard_s: float, record: Mapping[str, Any], lease_s: float, condition: str = ""
) -> list[str]:
    """Return what is wrong with a machine, in words; empty if it takes jobs.

    Args:
        heard_s: for how long the queue has not heard it.
        record: what it last said of itself.
        lease_s: after a silence of this length, its record no longer counts.
        condition: what else is known about a machine that holds jobs (`Queue.conditions`).
    """
    if heard_s > lease_s:
        if is_over(record) and not condition:
            return ["its allocation has ended"]
        return [condition or not_heard(heard_s)]
    if is_over(record):
        return ["its allocation has ended"]
    found = [one for one in listed(record, "guest_notes") if isinstance(one, str)]
    note = str(record.get("note") or "")
    is_said = bool(found) and note == record.get("guest_closed")
    if not is_said and (note or not record.get("offering", True)):
        found.append(not_taking(note))
    if record.get("condition"):
        found.append(str(record["condition"]))
    if off := told_by(record):
        found.append(off)
    lacks = (one for one in listed(record, "lacks") if isinstance(one, dict))
    found += [str(one.get("reason")) for one in lacks]
    if record.get("gpu_fault"):
        some_left = bool(listed(record, "gpus"))
        found.append(gpus_withdrawn(str(record["gpu_fault"]), some_left=some_left))
    if record.get("gpu_note"):
        found.append(str(record["gpu_note"]))
    return found


def _time_left(record: Mapping[str, Any], silent: bool) -> list[str]:
    """Return for how long a machine that is an allocation takes jobs; empty for any other."""
    if silent or record.get("left_s") is None or record.get("note"):
        return []
    return [f"{elapsed(finite_or_zero(record['left_s']))} left"]


def not_heard(heard_s: float) -> str:
    """Return the remark about a silent machine that holds no jobs."""
    return f"not heard of for {elapsed(heard_s)}"


def not_taking(note: str) -> str:
    """Return why a machine takes no jobs, or only that it takes none if it gave no reason."""
    return note or "takes no jobs now"


def gpus_withdrawn(fault: str, *, some_left: bool) -> str:
    """Return the remark that a fault withdraws all or some GPUs of a machine."""
    return f"{'not all' if some_left else 'no'} GPUs: {fault}"


def _gpu_memory(gpu: GpuOffer) -> str:
    return f"{about(gpu.free_mib)}/{about(gpu.total_mib)}"


def _gpu_names(gpus: tuple[GpuOffer, ...]) -> str:
    return ", ".join(dict.fromkeys(gpu.name.removeprefix("NVIDIA ") for gpu in gpus))
