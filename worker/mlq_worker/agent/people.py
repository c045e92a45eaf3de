"""Who holds what on this machine now, by mlq or not, and who waits: for people, live only. Pure.

Of what others hold without mlq, only cores and GPU memory are told: of main memory the kernel does
not tell others how much processes share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from mlq_worker.guest.boards.board import BoardJob, Waits
from mlq_worker.guest.boards.neighbours import Neighbour
from mlq_worker.probes.machine import MachineReport


def people_of(
    report: MachineReport,
    neighbours: Iterable[Neighbour],
    us: Neighbour,
    uid_of: Callable[[int], int | None],
    now_s: float,
) -> dict[int, dict[str, Any]]:
    """Return what each user holds, by number, as JSON values.

    In `mlq` is what mlq was promised for the user, in `others_mlq` the part of other queues than
    ours, which a user may have, too.

    Args:
        report: the last look at the machine.
        neighbours: the other queues on it.
        us: our own.
        uid_of: returns whose a process is; None if it has ended.
        now_s: boot time.
    """
    people: dict[int, dict[str, Any]] = {}
    for one in (us, *neighbours):
        person = people.setdefault(one.uid, _nothing())
        _add(person["mlq"], one.jobs)
        if one is not us:
            _add(person["others_mlq"], one.jobs)
        if one.waits is not None:
            person["waits"].append(_waiting(one.waits, now_s))
    for uid, cores in report.cores.by_user:
        people.setdefault(uid, _nothing())["otherwise"]["cores"] = round(cores, 1)
    for gpu in report.gpus.gpus:
        for process in gpu.processes:
            owner = None if process.pid in report.gpu_owners else uid_of(process.pid)
            if owner is None:
                continue
            held = people.setdefault(owner, _nothing())["otherwise"]["vram_mib"]
            held[gpu.uuid] = held.get(gpu.uuid, 0) + (process.used_mib or 0)
    return {uid: one for uid, one in people.items() if one != _nothing()}


def _nothing() -> dict[str, Any]:
    return {
        "mlq": {"jobs": 0, "cores": 0, "mem_mib": 0, "vram_mib": {}},
        "others_mlq": {"jobs": 0, "cores": 0, "mem_mib": 0, "vram_mib": {}},
        "otherwise": {"cores": 0.0, "vram_mib": {}},
        "waits": [],
    }


def _add(held: dict[str, Any], jobs: Iterable[BoardJob]) -> None:
    for job in jobs:
        held["jobs"] += 1
        held["cores"] += job.cores
        held["mem_mib"] += job.mem_mib
        for uuid, mib in job.vram_mib.items():
            whole = mib == 0 or held["vram_mib"].get(uuid) == 0
            held["vram_mib"][uuid] = 0 if whole else held["vram_mib"].get(uuid, 0) + mib


def _waiting(waits: Waits, now_s: float) -> dict[str, Any]:
    asked = {name: item for name, item in waits._asdict().items() if name not in ("key", "since")}
    return {**asked, "for_s": round(max(0.0, now_s - waits.since))}
