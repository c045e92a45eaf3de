"""What a machine said of itself, read back as typed values.

A worker publishes a record (`Store.machines`). From it `offer_of` rebuilds the `Offer` for
`placement.place`, which the worker itself calls, and `state_of` rebuilds everything that decides
whether a job may start there. A record may come from another version of mlq, or be missing: a
resource that it does not name counts as not offered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mlq.jobs.machine_state import Lack, MachineState, OthersLoad, Promised
from mlq.jobs.placement import GpuOffer, Offer
from mlq.lenient import finite_or_zero, int_or


def offer_of(record: Mapping[str, Any], heard_s: float = 0.0) -> Offer:
    """Return the offer that a machine's record describes.

    Args:
        record: the JSON object that the machine's worker published.
        heard_s: how long ago the queue heard it.
    """
    return Offer(
        machine=str(record.get("machine", "")),
        cores=_count(record, "cores_free"),
        mem_mib=_count(record, "mem_free_mib"),
        gpus=tuple(_gpu(raw) for raw in listed(record, "gpus") if isinstance(raw, dict)),
        total_cores=_count(record, "cores_total"),
        total_mem_mib=_count(record, "mem_total_mib"),
        left_s=_left_s(record.get("left_s"), heard_s),
    )


def state_of(machine: str, heard_s: float, record: Mapping[str, Any]) -> MachineState:
    """Return what a machine's record says.

    Args:
        machine: its name.
        heard_s: how long ago the queue heard it.
        record: the JSON object that the machine's worker published.
    """
    return MachineState(
        offer=offer_of({**record, "machine": machine}, heard_s),
        heard_s=heard_s,
        takes_jobs=bool(record.get("offering", True)),
        note=_text(record, "note"),
        lacks=tuple(
            Lack(_text(one, "word"), _text(one, "reason"), finite_or_zero(one.get("missed_s_ago")))
            for one in listed(record, "lacks")
            if isinstance(one, dict)
        ),
        gpu_fault=_text(record, "gpu_fault"),
        gpu_note=_text(record, "gpu_note"),
        others=OthersLoad(
            finite_or_zero(record.get("foreign_load")),
            tuple(
                (str(one.get("user") or ""), finite_or_zero(one.get("cores")))
                for one in listed(record, "foreign_users")
                if isinstance(one, dict)
            ),
            promised=tuple(_promised(record)),
            kept_cores=_count(record, "kept_cores"),
            kept_mem_mib=_count(record, "kept_mem_mib"),
        ),
    )


def _promised(record: Mapping[str, Any]) -> Iterator[Promised]:
    """Yield what others' mlq was promised, by the record's `people`."""
    total_mib = {gpu.uuid: gpu.total_mib for gpu in offer_of(record).gpus}
    for one in listed(record, "people"):
        held = one.get("others_mlq") if isinstance(one, dict) else None
        if not isinstance(held, dict):
            continue
        vram = held.get("vram_mib")
        vram_mib = [
            int_or(mib) or total_mib.get(uuid, 0)
            for uuid, mib in (vram if isinstance(vram, dict) else {}).items()
        ]
        found = Promised(
            str(one.get("user") or ""),
            _count(held, "cores"),
            _count(held, "mem_mib"),
            max(vram_mib, default=0),
        )
        if any(found[1:]):
            yield found


STOPPED = "the worker was stopped"
"""The note of a machine whose worker has left."""


def is_over(record: Mapping[str, Any]) -> bool:
    """Return whether this is an allocation that has ended: it never comes back."""
    return bool(record.get("allocation")) and record.get("note") == STOPPED


def listed(record: Mapping[str, Any], name: str) -> list[Any]:
    """Return a list out of a record, empty if there is none."""
    found = record.get(name)
    return found if isinstance(found, list) else []


def _gpu(raw: Mapping[str, Any]) -> GpuOffer:
    return GpuOffer(
        uuid=str(raw.get("uuid", "")),
        name=str(raw.get("name", "")),
        free_mib=_count(raw, "free_mib"),
        total_mib=_count(raw, "total_mib"),
        exclusive=raw.get("exclusive") is True,
        index=_count(raw, "index"),
    )


def _left_s(told: object, heard_s: float) -> float | None:
    return None if told is None else max(0.0, finite_or_zero(told) - heard_s)


def _count(raw: Mapping[str, Any], name: str) -> int:
    return int_or(raw.get(name))


def _text(record: Mapping[str, Any], name: str) -> str:
    return str(record.get(name) or "")
