"""What the processes of a user listen on, going by /proc; as `ss -lxtup` shows it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_TCP_LISTEN, _UDP_UNCONNECTED = "0A", "07"


def listening(pids: Iterable[int]) -> list[str]:
    """Return the addresses on which these processes listen: `tcp6 ...:1F90`, `unix /path`.

    Every unix socket with a name counts: one that takes datagrams never listens.
    """
    inodes = {inode: pid for pid in pids for inode in _sockets(pid)}
    found = []
    for kind, states in {
        "tcp": _TCP_LISTEN,
        "tcp6": _TCP_LISTEN,
        "udp": _UDP_UNCONNECTED,
        "udp6": _UDP_UNCONNECTED,
    }.items():
        rows = [row for row in _rows(kind) if row[9] in inodes and row[3] == states]
        found += [f"{kind} {row[1]}" for row in rows]
    for row in _rows("unix"):
        if len(row) > 7 and row[6] in inodes:
            # A relative name is one in the folder of the process; an abstract one begins with @.
            name = row[7]
            if name[0] not in "/@":
                name = os.path.normpath(Path(f"/proc/{inodes[row[6]]}/cwd").readlink() / name)
            found.append(f"unix {name}")
    return sorted(set(found))


def _rows(kind: str) -> list[list[str]]:
    return [line.split() for line in Path("/proc/net", kind).read_text().splitlines()[1:]]


def _sockets(pid: int) -> list[str]:
    found = []
    with suppress(OSError):
        for opened in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                target = str(opened.readlink())
                if target.startswith("socket:["):
                    found.append(target[8:-1])
    return found
