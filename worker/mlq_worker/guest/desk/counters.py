"""Numbers that move when a keyboard or mouse is used, read from the kernel once a second.

A USB device counts its transfers (`urbnum`): an idle one makes none, and a mouse that no screen
listens to makes none either. All others are counted by the interrupt that their driver requested.
Any user may read both. Files stay open, and what does not change is looked for only when the
kernel's list of devices changes, and every ten seconds.

Nothing here raises: a keyboard or mouse without a counter that can be read is hidden.
"""

from __future__ import annotations

import os
import re
import select
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from mlq_worker.guest.desk.input_devices import (
    InputDevice,
    Interrupt,
    input_devices,
    interrupts,
    numbers_of,
)

RELIST_S = 10.0
_USB = re.compile(r"\d+-[\d.]+")
_PS2 = "i8042"
_PS2_NAMES = {"1": "PS/2 keyboard", "12": "PS/2 mouse"}


class Counters(NamedTuple):
    """What was counted.

    Args:
        values: by name of the device.
        hidden: whether a keyboard or mouse may be in use without one of the values moving.
    """

    values: dict[str, int]
    hidden: bool


class InputCounters:
    """Reads the counters of all keyboards and mice.

    Args:
        proc, sys: where procfs and sysfs are.
    """

    def __init__(self, proc: str = "/proc", sys: str = "/sys") -> None:
        self._proc, self._sys = proc, os.path.realpath(sys)
        self._list = _ListFile(f"{proc}/bus/input/devices")
        self._listed_at: float | None = None
        self._hidden = True
        self._files: dict[str, int] = {}  # descriptors by path
        self._names: dict[str, str] = {}  # of what these files count, by path
        self._lines: dict[str, str] = {}  # names by number of interrupts without such a file

    def read(self, at: float) -> Counters:
        """Read all counters.

        Args:
            at: a monotonic time in s.
        """
        changed = self._list.changed()
        if changed or self._listed_at is None or not 0 <= at - self._listed_at < RELIST_S:
            self._find()
            self._listed_at = at
        values = {}
        for path, name in self._names.items():
            value = _sum(self._files[path])
            if value is None:
                self._listed_at = None  # it is gone: look for it in the next look
            else:
                values[name] = value
        if self._lines:
            shown = self._interrupts()
            values |= {name: shown[n].total for n, name in self._lines.items() if n in shown}
        return Counters(values, self._hidden)

    def close(self) -> None:
        """Close all files."""
        self._list.close()
        self._keep({})
        self._listed_at = None

    def _find(self) -> None:
        text, lines = self._list.read(), self._interrupts()
        self._hidden = text is None
        self._lines = {}
        wanted: dict[str, str] = {}
        devices = input_devices(text or "")
        if text is None:  # whether there are some is not known
            self._count_lines(_PS2, _PS2, lines, wanted)
        for device in sorted(devices, key=lambda one: not one.is_real):
            if not self._find_counter(device, lines, wanted):
                self._hidden |= device.is_real
        self._keep(wanted)

    def _find_counter(
        self, device: InputDevice, lines: dict[str, Interrupt], wanted: dict[str, str]
    ) -> bool:
        """Add the counter of a device to what is wanted; return whether it has one."""
        for folder in self._adapters() if device.is_uhid else [self._sys + device.sysfs]:
            for parent in _upwards(folder, self._sys):
                name = parent.rpartition("/")[2]
                if _USB.fullmatch(name):  # what is above it are hubs, which count other things
                    return self._wants(f"{parent}/urbnum", f"{device.name} (USB {name})", wanted)
                names = _names(parent, name)
                if any(self._count_lines(each, device.name, lines, wanted) for each in names):
                    return True
        return False

    def _count_lines(
        self,
        name: str,
        device: str,
        lines: dict[str, Interrupt],
        wanted: dict[str, str],
    ) -> bool:
        """Add the counters of the interrupts of this name; return whether there are any."""
        numbers = numbers_of(name, lines)
        for number in numbers:
            said = _PS2_NAMES.get(number, _PS2) if name == _PS2 else device
            path, shown = f"{self._sys}/kernel/irq/{number}/per_cpu_count", f"{said} (IRQ {number})"
            if not self._wants(path, shown, wanted):
                self._lines.setdefault(number, shown)
        return bool(numbers)

    def _adapters(self) -> Iterator[str]:
        folder = f"{self._sys}/class/bluetooth"
        with suppress(OSError):
            for name in sorted(os.listdir(folder)):  # noqa: PTH208 - names only
                yield os.path.realpath(f"{folder}/{name}")

    def _wants(self, path: str, name: str, wanted: dict[str, str]) -> bool:
        """Add a file to what is wanted, if it can be read; the first name that it gets stays."""
        if path not in wanted and not self._can_read(path):
            return False
        wanted.setdefault(path, name)
        return True

    def _can_read(self, path: str) -> bool:
        file = self._files.pop(path, None)
        if file is not None and _sum(file) is None:
            os.close(file)  # of a device that was here before
            file = None
        if file is None:
            try:
                file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            except OSError:
                return False
            if _sum(file) is None:
                os.close(file)
                return False
        self._files[path] = file
        return True

    def _keep(self, wanted: dict[str, str]) -> None:
        for path in self._files.keys() - wanted.keys():
            os.close(self._files.pop(path))
        self._names = wanted

    def _interrupts(self) -> dict[str, Interrupt]:
        try:
            with open(f"{self._proc}/interrupts", "rb", buffering=0) as file:  # noqa: PTH123 - each s
                return interrupts(file.readall().decode("ascii", "replace"))
        except OSError:
            return {}


class _ListFile:
    """The kernel's list of input devices, which can tell when it changes."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: int | None = None
        self._poll = select.poll()

    def changed(self) -> bool:
        """Return whether the list has changed since the last call, or may have."""
        if self._file is None:
            return False
        try:
            return bool(self._poll.poll(0))
        except OSError:
            return True

    def read(self) -> str | None:
        """Return the list; None if it cannot be read."""
        try:
            if self._file is None:
                self._file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
                self._poll.register(self._file, select.POLLIN)
                self._poll.poll(0)  # the first answer is that it has changed
            text = b""
            while chunk := os.pread(self._file, 1 << 16, len(text)):
                text += chunk
        except OSError:
            self.close()
            return None
        return text.decode("utf-8", "replace")

    def close(self) -> None:
        """Close the file; the next read opens it again."""
        if self._file is not None:
            self._poll.unregister(self._file)
            os.close(self._file)
            self._file = None


def _sum(file: int) -> int | None:
    """Return the number, or the sum of the numbers, in a small file; None if it has none."""
    try:
        return sum(map(int, os.pread(file, 1 << 13, 0).split(b",")))
    except (OSError, ValueError):
        return None


def _upwards(folder: str, sys: str) -> Iterator[str]:
    """Yield a device's folder and those above it, to that of all devices."""
    while folder.startswith(f"{sys}/devices/"):
        yield folder
        folder = folder.rpartition("/")[0]


def _names(folder: str, name: str) -> Iterator[str]:
    """Yield the names that a driver may have requested the interrupt of this device with."""
    yield name
    parent = folder.rpartition("/")[0].rpartition("/")[2]
    if parent.startswith("i2c-"):  # the clients of a bus: `i2c-ELAN1200:00`, `7-002c`
        yield name.removeprefix("i2c-")
        with suppress(OSError), open(f"{folder}/name", "rb") as file:  # noqa: PTH123 - as above
            yield file.read(256).decode("utf-8", "replace").strip()
