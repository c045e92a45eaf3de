"""The status of this machine's worker: whether it runs, what it does, what starts it at boot.

All of it comes from locks and files in the runtime folder, so a worker that hangs is seen too.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mlq.files.locks import is_locked
from mlq.files.paths import machine_dir
from mlq.settings.settings import Settings
from mlq_worker.service import install
from mlq_worker.service.lock import holder


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """The worker of a machine as it is now.

    Args:
        machine: its name.
        pid: of the worker; None if none runs.
        doing: the status that it last reported; "" if none runs.
        supervised: a supervisor runs here; it may hold jobs even while no worker runs.
        log: what the background worker wrote; may not exist.
        at_boot: what starts it after a reboot, in words; "" if nothing does.
    """

    machine: str
    pid: int | None
    doing: str
    supervised: bool
    log: Path
    at_boot: str

    @property
    def running(self) -> bool:
        """Whether a worker runs."""
        return self.pid is not None


def status(settings: Settings) -> WorkerStatus:
    """Look at the worker of this machine."""
    folder = machine_dir(settings.runtime_dir, settings.machine)
    with holder(folder) as worker:
        pid = worker.pid if worker else None
    return WorkerStatus(
        machine=settings.machine,
        pid=pid,
        doing=doing(folder) if pid else "",
        supervised=is_locked(folder / "supervisor.lock"),
        log=folder / "worker.log",
        at_boot=install.installed(settings.machine),
    )


def doing(folder: Path) -> str:
    """Return the status that a worker last reported; "" if none runs."""
    try:
        return (folder / "worker.status").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
