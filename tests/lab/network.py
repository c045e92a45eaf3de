"""The network of the lab in a box: a bridge in the box, and a cable from it to each machine.

The bridge stands in a network namespace of the box alone, so no address here meets one of the real
network. A cable that is cut swallows packets and tells neither end: the connections stay open, as
they do when a switch dies.
"""

from __future__ import annotations

from contextlib import suppress

from box import Box, check

_PREFIX = "10.88.0"


class Cable:
    """The cable of one machine: between the bridge and the machine's eth0.

    Args:
        box: whose bridge it leads to.
        name: of the machine.
        number: the last part of its address, 1 to 254.
    """

    def __init__(self, box: Box, name: str, number: int) -> None:
        self._box, self._port = box, f"to-{name}"[:14]
        self.number = number
        self._pid = 0

    @property
    def address(self) -> str:
        """The machine's address at present."""
        return f"{_PREFIX}.{self.number}"

    def plug_in(self, pid: int) -> None:
        """Connect the network namespace of a process."""
        self._pid = pid
        # The hardware address stays through a reboot, as it does in reality: neighbours remember.
        hardware = f"52:54:00:88:00:{self.number:02x}"
        self._box.ip("link", "add", self._port, "type", "veth", "peer", "name", f"x{self._port}")
        self._box.ip("link", "set", f"x{self._port}", "address", hardware)
        self._box.ip("link", "set", f"x{self._port}", "netns", str(pid))
        self._inside("link", "set", f"x{self._port}", "name", "eth0")
        self._inside("address", "add", f"{self.address}/24", "dev", "eth0")
        self._inside("link", "set", "eth0", "up")
        self._box.ip("link", "set", self._port, "master", "br0", "up")

    def _inside(self, *words: str) -> None:
        check(["nsenter", f"--target={self._pid}", "--net", "--", "ip", *words])

    def unplug(self) -> None:
        """Take it away; nothing leaves the machine any more."""
        with suppress(AssertionError):  # it is gone already
            self._box.ip("link", "delete", self._port)

    def cut(self) -> None:
        """Swallow everything from now on."""
        self._box.ip("link", "set", self._port, "down")

    def heal(self) -> None:
        """Carry again."""
        self._box.ip("link", "set", self._port, "up")

    def move(self, number: int) -> None:
        """Give the machine another address, as a VPN does; the old one is gone at once."""
        # In this order: a second address of one network goes when the first does, on most systems.
        self._inside("address", "delete", f"{self.address}/24", "dev", "eth0")
        self.number = number
        self._inside("address", "add", f"{self.address}/24", "dev", "eth0")
