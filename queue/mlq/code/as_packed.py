"""Whether a file of a job's copy still is what the pack holds.

Times say too little: a job may set them, and clocks of file servers jump. So the content decides.
The launcher removes such files at a job's end, and `mlq pull` does not fetch them. This module also
runs as text on the queue's host, so it uses the standard library only.
"""

from __future__ import annotations

import hashlib
import os
import stat

from mlq.code.manifest import PackedFile

_PIECE_BYTES = 1 << 20


def is_as_packed(opened: int, file: PackedFile) -> bool:
    """Return whether an open file has the content and the execute permission of a packed one.

    Args:
        opened: its descriptor, at the beginning.
        file: what the pack holds.

    Raises:
        OSError: it cannot be read.
    """
    status = os.fstat(opened)
    if not stat.S_ISREG(status.st_mode) or status.st_size != file.size:
        return False
    if bool(status.st_mode & stat.S_IXUSR) != bool(file.mode & stat.S_IXUSR):
        return False
    digest = hashlib.sha256()
    while piece := os.read(opened, _PIECE_BYTES):
        digest.update(piece)
    return digest.hexdigest() == file.sha256
