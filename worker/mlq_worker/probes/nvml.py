"""The GPUs of this machine as NVML sees them right now.

Invariant: a fault of the driver, the library or one GPU never leaves this file as an exception. It
becomes a plain sentence in the report, the GPUs that still answer stay in it, and NVML is opened
anew until the fault is gone, but not more often than every 30 seconds: a machine without a driver
must cost nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from mlq.errors import InvalidInputError
from mlq_worker.probes.gpu_use import GpuUse

REOPEN_S = 30.0

# Codes of nvmlReturn_t (NVML API reference, "Device enums").
LIBRARY_NOT_FOUND = 12
MACHINE_FAULTS = {
    4: "no permission to talk to the NVIDIA driver",
    9: "NVIDIA driver not loaded",
    LIBRARY_NOT_FOUND: "no NVIDIA driver library (libnvidia-ml.so.1)",
    18: "driver and library versions differ since an upgrade: reboot to repair",
}
GPU_FAULTS = {15: "is lost: reboot to repair", 16: "needs a reset: reboot to repair"}


@dataclass(frozen=True, slots=True)
class GpuProcess:
    """A process on a GPU; `used_mib` is None where the driver does not tell.

    `busy` is the share of time in which it kept the GPU computing, 0 to 1; None likewise.
    """

    pid: int
    used_mib: int | None
    computes: bool = True
    busy: float | None = None


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU and its memory; `free_mib` is what no process at all has allocated.

    An `exclusive` one takes a single process that computes; beside that, nothing of it is free.
    Without `lists_processes` the driver does not say whose the memory is. A `total_mib` of 0 means
    that it gives no numbers of memory at all; then `free_mib` is 0, too. `busy` is in what
    share of the time, 0 to 1, anything computed on it; None where the driver does not tell.
    """

    uuid: str
    index: int
    name: str
    total_mib: int
    free_mib: int
    processes: tuple[GpuProcess, ...] = ()
    exclusive: bool = False
    lists_processes: bool = True
    busy: float | None = None

    @property
    def is_computing(self) -> bool:
        """Whether a process is known to compute there."""
        return any(process.computes for process in self.processes)


@dataclass(frozen=True, slots=True)
class GpuReport:
    """The selected GPUs that answer, a fault to show the user ("" if none), and a remark."""

    gpus: tuple[Gpu, ...] = ()
    fault: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class GpuSelection:
    """Which GPUs may be offered: indices and UUIDs or their beginnings, or None for all."""

    chosen: frozenset[str] | None

    @classmethod
    def parse(cls, text: str) -> GpuSelection:
        """Read `all`, `none`, or indices and UUIDs with commas between them.

        Raises:
            InvalidInputError: the text is none of these.
        """
        if text.strip() == "all":
            return cls(None)
        if text.strip() == "none":
            return cls(frozenset())
        parts = [part.strip() for part in text.split(",")]
        for part in parts:
            if not part.isdecimal() and not part.startswith("GPU-"):
                raise InvalidInputError(
                    f"{text!r} does not say which GPUs to use",
                    why=f"{part!r} is neither a number nor a UUID",
                    fix="Write all, none, numbers as in 0,1, or UUIDs as nvidia-smi -L shows them.",
                )
        return cls(frozenset(str(int(part)) if part.isdecimal() else part for part in parts))

    def allows(self, index: int, uuid: str | None) -> bool:
        """Return whether this GPU is selected; one whose UUID cannot be read (None) may be."""
        if self.chosen is None or str(index) in self.chosen:
            return True
        if uuid is None:
            return any(not name.isdecimal() for name in self.chosen)
        return any(_begins(uuid, name) for name in self.chosen)

    def missing(self, gpus: tuple[Gpu, ...]) -> list[str]:
        """List what was selected by name and is not among these GPUs."""
        return sorted(
            name
            for name in self.chosen or ()
            if not any(name == str(gpu.index) or _begins(gpu.uuid, name) for gpu in gpus)
        )


def _begins(uuid: str, name: str) -> bool:
    """Return whether a name is this UUID or its beginning: batch systems shorten UUIDs."""
    return name.startswith("GPU-") and uuid.startswith(name)


class GpuProbe:
    """Reads the GPUs through pynvml.

    Args:
        selection: `all`, `none`, or indices and UUIDs with commas between them.
        clock: monotonic seconds, for the pause between two attempts to open NVML.
        nvml: the pynvml module; imported at the first look if not given.

    Raises:
        InvalidInputError: the selection cannot be understood.
    """

    def __init__(
        self,
        selection: str = "all",
        *,
        clock: Callable[[], float] = time.monotonic,
        nvml: Any = None,
    ) -> None:
        self._selection = GpuSelection.parse(selection)
        self._clock = clock
        self._nvml = nvml
        self._is_open = False
        self._reopen_at = float("-inf")
        self._last = GpuReport()
        self._use = GpuUse(nvml)

    def read(self) -> GpuReport:
        """Look at the GPUs; never raises for a fault of theirs."""
        if self._selection.chosen == frozenset():
            return GpuReport()
        if self._nvml is None:
            self._nvml = import_module("pynvml")
            self._use = GpuUse(self._nvml)
        try:
            if (self._last.fault or not self._is_open) and self._clock() >= self._reopen_at:
                self._reopen()
            if self._is_open:
                self._last = self._look()
        except self._nvml.NVMLError as error:
            self._last = self._refused(error)
        return self._last

    def close(self) -> None:
        """Let go of NVML; the next read opens it anew."""
        if self._is_open:
            self._is_open = False
            # A library that has lost its driver refuses even this, and there is nothing to undo.
            with suppress(self._nvml.NVMLError):
                self._nvml.nvmlShutdown()

    def _reopen(self) -> None:
        self._reopen_at = self._clock() + REOPEN_S
        self.close()
        self._nvml.nvmlInit()
        self._is_open = True

    def _refused(self, error: Any) -> GpuReport:
        """Report that NVML as a whole refuses to answer."""
        words = MACHINE_FAULTS.get(error.value, f"NVML says: {error}")
        if error.value == LIBRARY_NOT_FOUND and self._selection.chosen is None:
            return GpuReport(note=words)  # a machine without any NVIDIA software is in order
        return GpuReport(fault=words)

    def _look(self) -> GpuReport:
        gpus: list[Gpu] = []
        faults: list[str] = []
        count = self._nvml.nvmlDeviceGetCount()
        for index in range(count):
            uuid = None
            try:
                handle = self._nvml.nvmlDeviceGetHandleByIndex(index)
                uuid = self._nvml.nvmlDeviceGetUUID(handle)
                if not self._selection.allows(index, uuid):
                    continue
                # First: of a GPU that is cut up, root alone may ask more.
                if unusable := self._unusable(handle):
                    faults.append(f"GPU {index} {unusable}")
                else:
                    gpus.append(self._gpu(index, uuid, handle))
            except self._nvml.NVMLError as error:
                if self._selection.allows(index, uuid):
                    faults.append(_gpu_fault(index, error))
        found = tuple(gpus)
        if not faults:
            missing = self._selection.missing(found)
            faults = [f"selected GPU {name} is not in this machine" for name in missing]
        note = limits_in_words(found) if count else "this machine has no NVIDIA GPU"
        return GpuReport(found, "; ".join(faults), note)

    def _unusable(self, handle: Any) -> str:
        """Return why no job can be given this GPU, "" if one can."""
        current, _pending = self._asked("nvmlDeviceGetMigMode", handle, (0, 0))
        if current:
            return "is cut into instances (MIG), which mlq cannot hand out"
        if self._compute_mode(handle) == self._nvml.NVML_COMPUTEMODE_PROHIBITED:
            return "takes no programs (its compute mode is Prohibited)"
        return ""

    def _compute_mode(self, handle: Any) -> Any:
        return self._asked("nvmlDeviceGetComputeMode", handle, self._nvml.NVML_COMPUTEMODE_DEFAULT)

    def _asked(self, question: str, handle: Any, otherwise: Any) -> Any:
        """Ask what not every GPU and not every driver knows."""
        with suppress(*self._absent):
            return getattr(self._nvml, question)(handle)
        return otherwise

    @property
    def _absent(self) -> tuple[type[Exception], type[Exception]]:
        """What NVML raises where GPU or driver lacks what was asked."""
        return self._nvml.NVMLError_NotSupported, self._nvml.NVMLError_FunctionNotFound

    def _gpu(self, index: int, uuid: str, handle: Any) -> Gpu:
        total_mib, free_mib = self._memory_mib(handle)
        exclusive = self._compute_mode(handle) in (
            self._nvml.NVML_COMPUTEMODE_EXCLUSIVE_THREAD,
            self._nvml.NVML_COMPUTEMODE_EXCLUSIVE_PROCESS,
        )
        computing, drawing = (self._running(kind, handle) for kind in ("Compute", "Graphics"))
        return Gpu(
            uuid=uuid,
            index=index,
            name=self._nvml.nvmlDeviceGetName(handle),
            total_mib=total_mib,
            free_mib=0 if exclusive and computing else free_mib,
            processes=_merged(computing or (), drawing or (), self._use.busy_by(uuid, handle)),
            exclusive=exclusive,
            lists_processes=computing is not None,
            busy=self._use.busy(handle),
        )

    def _memory_mib(self, handle: Any) -> tuple[int, int]:
        """Return all memory and what is free; 0 and 0 where it has none of its own.

        The second version keeps the driver's reserve apart from used memory.
        """
        ask, absent = self._nvml.nvmlDeviceGetMemoryInfo, self._absent
        with suppress(*absent):
            memory = ask(handle, version=self._nvml.nvmlMemory_v2)
            return memory.total // 2**20, memory.free // 2**20
        with suppress(*absent):
            memory = ask(handle)
            return memory.total // 2**20, memory.free // 2**20
        return 0, 0

    def _running(self, kind: str, handle: Any) -> Any:
        """Return the processes of a kind; None if the driver lists none of any GPU like this."""
        for version in ("_v3", "_v2"):
            with suppress(*self._absent):
                return getattr(self._nvml, f"nvmlDeviceGet{kind}RunningProcesses{version}")(handle)
        return None


def _merged(
    computing: Any, drawing: Any, busy: Mapping[int, float] | None
) -> tuple[GpuProcess, ...]:
    """Merge compute and graphics processes; one in both lists has the same memory in both."""
    used_mib: dict[int, int | None] = {}
    for process in (*computing, *drawing):
        used = process.usedGpuMemory
        here = None if used is None else used // 2**20
        there = used_mib.get(process.pid)
        known = [mib for mib in (here, there) if mib is not None]
        used_mib[process.pid] = max(known, default=None)
    computes = {process.pid for process in computing}
    return tuple(
        GpuProcess(pid, used, pid in computes, None if busy is None else busy.get(pid, 0.0))
        for pid, used in sorted(used_mib.items())
    )


def limits_in_words(gpus: Iterable[Gpu]) -> str:
    """Return what the driver does not tell of these GPUs and what follows; "" if it tells all."""
    said = []
    for gpu in gpus:
        if not gpu.total_mib:
            said.append(f"GPU {gpu.index} has no memory numbers: one job at a time gets it whole")
        elif not gpu.lists_processes:
            said.append(
                f"GPU {gpu.index} lists no processes: of its free memory, all that its jobs "
                "asked for is kept"
            )
    return "; ".join(said)


def _gpu_fault(index: int, error: Any) -> str:
    if error.value in GPU_FAULTS:
        return f"GPU {index} {GPU_FAULTS[error.value]}"
    return f"GPU {index}: {MACHINE_FAULTS.get(error.value, f'NVML says: {error}')}"
