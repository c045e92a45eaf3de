"""Which NVIDIA GPUs drive a display, from what the kernel shows everybody.

The supervisor has no NVML and must know this while its worker is away. The driver's procfs files
give the UUID of each GPU and where it is on the bus, and there sysfs lists its connectors. Where
the driver shows no connectors (`nvidia-drm` without `modeset`), the GPU that the firmware began
with is the desk's. What cannot be found out counts as driving one: owners come first.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_NO_DISPLAY = "0x0302"
"""The class of PCI devices that compute and have no connectors."""
_PARTS_OF_SERVERS = "MIG-"
"""GPUs that can be partitioned have no connectors."""


class Displays(NamedTuple):
    """The GPUs of which it is known whether they drive a display."""

    driving: frozenset[str] = frozenset()
    dark: frozenset[str] = frozenset()

    def drives(self, uuid: str) -> bool:
        """Return whether a GPU may drive a display."""
        return uuid not in self.dark and not uuid.startswith(_PARTS_OF_SERVERS)


def find_displays(roots: tuple[str, str] = ("/proc", "/sys")) -> Displays:
    """Look at all GPUs; a driver in trouble may make it hang.

    Args:
        roots: where procfs and sysfs are.
    """
    proc, sys = (Path(one) for one in roots)
    found = {uuid: _drives(sys / "bus/pci/devices" / bus) for uuid, bus in _gpus(proc)}
    return Displays(
        frozenset(uuid for uuid, drives in found.items() if drives),
        frozenset(uuid for uuid, drives in found.items() if not drives),
    )


def _gpus(proc: Path) -> Iterator[tuple[str, str]]:
    for path in proc.glob("driver/nvidia/gpus/*/information"):
        for line in _text(path).splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "GPU UUID":
                yield value.strip(), path.parent.name


def _drives(device: Path) -> bool:
    statuses = [_text(path).strip() for path in device.glob("drm/card*/card*-*/status")]
    if statuses:
        return any(one != "disconnected" for one in statuses)
    if _text(device / "class").startswith(_NO_DISPLAY):
        return False
    return _text(device / "boot_vga").strip() != "0"


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
