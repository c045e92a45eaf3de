"""Folders to measure in, which all stay until the last measurement is over.

ext4 does not give out an inode again for minutes after its deletion, and for each new file it looks
at all of those first (`recently_deleted` in fs/ext4/ialloc.c). A contestant that cleaned up behind
itself would so slow down the next one that makes files, and nobody deletes a queue's results as
fast as they come.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path


def new_folder(parent: Path | None = None) -> Path:
    """Make an empty folder that is deleted when this process ends; by default in TMPDIR."""
    folder = Path(tempfile.mkdtemp(prefix="mlq-bench-", dir=parent))
    atexit.register(shutil.rmtree, folder)
    return folder
