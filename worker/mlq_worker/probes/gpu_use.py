"""How busy a GPU is, and how busy each process keeps it.

Not every GPU and driver tells, and a refusal says nothing of whether jobs can use the GPU: whatever
NVML answers here but a number counts as unknown.
"""

from __future__ import annotations

from typing import Any

_NOT_FOUND = 6  # nvmlReturn_t


class GpuUse:
    """Asks NVML; remembers which samples of the driver it has seen.

    Args:
        nvml: the pynvml module.
    """

    def __init__(self, nvml: Any) -> None:
        self._nvml = nvml
        self._seen: dict[str, int] = {}  # the driver's time of the last sample, by GPU

    def busy(self, handle: Any) -> float | None:
        """Return the share of time in which anything was computing on a GPU, 0 to 1."""
        rates = self._asked("nvmlDeviceGetUtilizationRates", handle)
        return None if rates is None else _share(rates.gpu)

    def busy_by(self, uuid: str, handle: Any) -> dict[int, float] | None:
        """Return how busy each process kept a GPU since the last call, by pid; None if unknown.

        Processes that computed nothing are not in it.
        """
        after = self._seen.get(uuid, 0)
        samples = self._asked("nvmlDeviceGetProcessUtilization", handle, after)
        if samples is None:
            return None
        shares: dict[int, list[float]] = {}
        for one in samples:
            shares.setdefault(one.pid, []).append(_share(one.smUtil))
        self._seen[uuid] = max([after, *(one.timeStamp for one in samples)])
        return {pid: sum(found) / len(found) for pid, found in shares.items()}

    def _asked(self, question: str, *args: Any) -> Any:
        ask = getattr(self._nvml, question, None)
        if ask is None:
            return None
        try:
            return ask(*args)
        except self._nvml.NVMLError as error:
            return () if error.value == _NOT_FOUND else None  # nothing has computed since


def _share(percent: int) -> float:
    return min(100, max(0, percent)) / 100
