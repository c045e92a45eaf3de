"""Which keyboards and mice the kernel lists, and which interrupts it counts.

Pure: the texts of `/proc/bus/input/devices` and `/proc/interrupts` are arguments. Not all that has
the handler `kbd` is a keyboard: power buttons, the video bus, the PC speaker and the hotkeys of
laptops have it too. They have no counter, and nothing is hidden by that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

BLUETOOTH = 0x05
_UHID = "/devices/virtual/misc/uhid/"
# What programs pretend to be: uinput, remote desktops, key remappers.
_VIRTUAL = "/devices/virtual/"
_MOUSE = re.compile(r"mouse\d+")
# Bits of the letters Q to P among the keys (linux/input-event-codes.h), and of REL_X and REL_Y.
_LETTERS = 0x3FF << 16
_BOTH_AXES = 0b11


class InputDevice(NamedTuple):
    """A device that somebody may touch.

    Args:
        name: what it calls itself.
        sysfs: its path below /sys.
        bus: the number of its bus.
        is_real: whether it is a keyboard with letters or a pointer, not some buttons.
    """

    name: str
    sysfs: str
    bus: int
    is_real: bool

    @property
    def is_uhid(self) -> bool:
        """Whether bluetoothd feeds it, so that its path does not lead to its adapter."""
        return self.bus == BLUETOOTH and self.sysfs.startswith(_UHID)


class Interrupt(NamedTuple):
    """A line of /proc/interrupts: all processors together, and the words of its description."""

    total: int
    words: frozenset[str]


def input_devices(text: str) -> list[InputDevice]:
    """Return the devices with the handler `kbd` or `mouse`, but for those that programs made."""
    found = []
    for block in re.split(r"\n\s*\n", text):
        fields = dict(_fields(block))
        handlers = fields.get("Handlers", "").split()
        points = any(_MOUSE.fullmatch(one) for one in handlers) or _moves(fields.get("REL", ""))
        if not points and "kbd" not in handlers:
            continue
        device = InputDevice(
            name=fields.get("Name", "").strip().removeprefix('"').removesuffix('"').strip(),
            sysfs=fields.get("Sysfs", "").strip(),
            bus=_bus(fields.get("Bus", "")),
            is_real=points or _has_letters(fields.get("KEY", "")),
        )
        if device.is_uhid or not device.sysfs.startswith(_VIRTUAL):
            found.append(device)
    return found


def interrupts(text: str) -> dict[str, Interrupt]:
    """Return the interrupts that have a number, by it."""
    header, _, rest = text.partition("\n")
    processors = len(header.split())
    found = {}
    for line in rest.splitlines():
        number, colon, values = line.partition(":")
        words = values.split()
        counts = words[:processors]
        if colon and number.strip().isdigit() and all(one.isdigit() for one in counts):
            described = frozenset(word.strip(",") for word in words[processors:])
            found[number.strip()] = Interrupt(sum(map(int, counts)), described)
    return found


def numbers_of(name: str, lines: Mapping[str, Interrupt]) -> list[str]:
    """Return the numbers of the interrupts that a kernel device of this name has requested.

    A driver names its interrupts after the device (`i8042`, `ELAN1200:00`, `i2c_designware.0`),
    virtio with a word more (`virtio5-events`).
    """
    more = f"{name}-" if name.startswith("virtio") else None
    return [
        number
        for number, line in lines.items()
        if name in line.words or (more and any(word.startswith(more) for word in line.words))
    ]


def _fields(block: str) -> Iterator[tuple[str, str]]:
    for line in block.splitlines():
        kind, _, rest = line.partition(": ")
        if kind == "I":
            yield from ((word.partition("=")[0], word.partition("=")[2]) for word in rest.split())
        elif "=" in rest:
            yield rest.partition("=")[0], rest.partition("=")[2]


def _bus(shown: str) -> int:
    try:
        return int(shown, 16)
    except ValueError:
        return 0


def _moves(axes: str) -> bool:
    return _lowest(axes) & _BOTH_AXES == _BOTH_AXES


def _has_letters(keys: str) -> bool:
    return _lowest(keys) & _LETTERS == _LETTERS


def _lowest(bitmap: str) -> int:
    """Return the lowest word of a bitmap: 64 or 32 bits of it, as the kernel has."""
    try:
        return int(bitmap.rsplit(maxsplit=1)[-1], 16)
    except (IndexError, ValueError):
        return 0
