"""The file system that all machines of the lab in a box share, as each of them sees it.

One folder, and for each machine a FUSE mount of its own that leads there (see passthrough.py). So
one machine's NFS can hang or fail while that of its neighbours goes on. How long the mounts believe
what they have cached is scaled down with the times of liveness: what a kernel client holds for one
to two seconds against a `dead_s` of 90 (measured), is held half a second against 9.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Literal

from box import Box

ENTRY_S, NEGATIVE_S = 0.5, 3.0
_PROGRAM = Path(__file__).with_name("passthrough.py")

Mode = Literal["ok", "hang", "eio", "estale", "enospc"]


class Share:
    """The shared file system as one machine sees it.

    Args:
        box: where the machine stands.
        source: the folder behind.
        name: the machine's.
        uid: who owns what is done there.
    """

    def __init__(self, box: Box, source: Path, name: str, uid: int) -> None:
        self.mount = box.folder / "shares" / name
        self.mount.mkdir(parents=True)
        words = [str(_PROGRAM), str(source), str(self.mount), str(uid)]
        argv = box.inside(sys.executable, "-P", *words, str(ENTRY_S), str(NEGATIVE_S))
        self.mode: Mode = "ok"
        with self.mount.with_suffix(".log").open("ab") as log:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
                start_new_session=True,
            )
        self._acknowledged()

    def set(self, mode: Mode, delay_s: float = 0.0) -> None:
        """Let all operations go this way from now on, each so much later.

        Args:
            mode: see passthrough.py.
            delay_s: of each single operation.
        """
        assert self._process.stdin
        order = json.dumps({"mode": mode, "delay_s": delay_s})
        self._process.stdin.write(order.encode() + b"\n")
        self._process.stdin.flush()
        self._acknowledged()
        self.mode = mode

    def _acknowledged(self) -> None:
        assert self._process.stdout
        assert self._process.stdout.readline() == b"ok\n", f"the share {self.mount} has ended"
