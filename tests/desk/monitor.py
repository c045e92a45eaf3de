"""The hands at the desk: keys and motion, given through the monitor of QEMU (QMP).

What the guest's kernel sees are interrupts and transfers of its own keyboard and mouse.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

Device = Literal["usb-kbd", "usb-mouse"]

# A key is held as long as a finger would, so that the guest's terminal sees it once.
_HELD_S = 0.03
_NAMES = {" ": "spc", "\n": "ret", "\t": "tab", "-": "minus", ".": "dot", "/": "slash"}


class Monitor:
    """The monitor of one virtual machine.

    Args:
        path: its unix socket.
    """

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("r", encoding="utf-8")
        json.loads(self._lines.readline())  # the greeting
        self.call("qmp_capabilities")

    def close(self) -> None:
        """Leave the monitor."""
        self._lines.close()
        self._socket.close()

    def call(self, command: str, **arguments: Any) -> Any:
        """Give a command and return its answer; events are passed over.

        Raises:
            ConnectionError: the virtual machine has ended.
            AssertionError: the command was refused.
        """
        request = {"execute": command, "arguments": arguments}
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        for line in self._lines:
            answer = json.loads(line)
            assert "error" not in answer, (request, answer["error"])
            if "return" in answer:
                return answer["return"]
        raise ConnectionError("the virtual machine has ended")

    def press(self, *keys: str) -> None:
        """Press keys together, as `press("ctrl", "alt", "f2")`, and release them."""
        for down, order in ((True, keys), (False, keys[::-1])):
            for key in order:
                self._send([_key(key, down)])
            time.sleep(_HELD_S)

    def type(self, text: str) -> None:
        """Type lower-case text."""
        for letter in text:
            self.press(_NAMES.get(letter, letter))

    def move(self, right: int, down: int = 0) -> None:
        """Move the mouse by so many steps."""
        self._send([_motion("x", right), _motion("y", down)])

    def plug_in(self, device: Device, name: str) -> None:
        """Plug in a USB device."""
        self.call("device_add", driver=device, id=name)

    def unplug(self, name: str) -> None:
        """Unplug a USB device."""
        self.call("device_del", id=name)

    def _send(self, events: Sequence[dict[str, Any]]) -> None:
        self.call("input-send-event", events=events)


def _key(name: str, down: bool) -> dict[str, Any]:
    return {"type": "key", "data": {"down": down, "key": {"type": "qcode", "data": name}}}


def _motion(axis: str, steps: int) -> dict[str, Any]:
    return {"type": "rel", "data": {"axis": axis, "value": steps}}
