"""Which file system a path lies on.

The queue's log needs a disk that really flushes, and unix sockets and file locks work only within
one machine. A network file system guarantees none of that, so the server refuses it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

_NETWORK = re.compile(r"nfs\d?|cifs|smb\d?|afs|auristorfs|9p|ceph|lustre|gpfs|beegfs|fuse\.sshfs")
_ESCAPED = re.compile(r"\\([0-7]{3})")
_MOUNTS = Path("/proc/self/mountinfo")


def network_file_system(path: Path, mountinfo: str | None = None) -> str:
    """Return the type of the network file system the path lies on, "" if it is local.

    Args:
        path: the path; it or its nearest existing parent is checked, links resolved.
        mountinfo: text in the format of /proc/self/mountinfo (proc(5)); None reads that file.
            Without it (macOS), every path counts as local.
    """
    if mountinfo is None:
        if not _MOUNTS.exists():
            return ""
        mountinfo = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    real = Path(os.path.realpath(path))
    found, kind = Path(), ""
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        # Spaces and the like are written as octal escapes.
        point = Path(_ESCAPED.sub(lambda match: chr(int(match[1], 8)), before.split(" ")[4]))
        # Of two mounts on one point the later hides the earlier.
        if real.is_relative_to(point) and len(point.parts) >= len(found.parts):
            found, kind = point, after.split(" ")[0]
    return kind if _NETWORK.fullmatch(kind) else ""
