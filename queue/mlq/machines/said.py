"""What a machine said of itself, read back as an offer.

A worker publishes a record (`Store.machines`); whoever wants to know what fits where rebuilds the
`Offer` from it and asks `placement.place`, the function the worker itself asks. A record may come
from another version of mlq, or be missing: what it does not say counts as nothing offered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlq.jobs.placement import GpuOffer, Offer
from mlq.lenient import whole


def offer_of(record: Mapping[str, Any]) -> Offer:
    """Return the offer that a machine's record describes.

    Args:
        record: the JSON object that the machine's worker published.
    """
    return Offer(
        machine=str(record.get("machine", "")),
        cores=_count(record, "cores_free"),
        mem_mib=_count(record, "mem_free_mib"),
        gpus=tuple(_gpu(raw) for raw in listed(record, "gpus") if isinstance(raw, dict)),
        total_cores=_count(record, "cores_total"),
        total_mem_mib=_count(record, "mem_total_mib"),
    )


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


def _count(raw: Mapping[str, Any], name: str) -> int:
    return whole(raw.get(name))
