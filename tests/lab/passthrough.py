"""A FUSE file system that passes everything on to a folder, with the unpleasant habits of NFS.

Started as `python passthrough.py SOURCE MOUNT UID ENTRY_S NEGATIVE_S`, one for each machine, so
that the kernel's caches of each mount are those of one NFS client: attributes and names are
believed for ENTRY_S seconds, and for NEGATIVE_S that a name does not exist. Opening a file drops
what was cached of its content (close-to-open).

Its standard input is the control: a JSON object a line, `{"mode": ..., "delay_s": ...}`, answered
by `ok`; its end ends the file system. The modes are
    ok      all goes well
    hang    nothing is answered, as on a hard mount whose server is away; who waits can be killed
    eio     every operation fails with EIO, as on a soft mount
    estale  every operation fails with ESTALE, as after the server lost its export
    enospc  what needs room on the disk fails with ENOSPC
"""

from __future__ import annotations

import errno
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

os.environ["FUSE_LIBRARY_NAME"] = "fuse3"
from mfusepy import FUSE, FuseOSError, Operations, fuse_get_context

_POLL_S = 0.01
_KILLED = 1 << 8  # SIGKILL in the masks of /proc/PID/status
_STAT = (
    *("st_mode", "st_nlink", "st_uid", "st_gid", "st_size", "st_dev", "st_rdev", "st_ino"),
    *("st_blocks", "st_blksize"),
)
_ERRORS = {"eio": errno.EIO, "estale": errno.ESTALE}


class Passthrough(Operations):  # type: ignore[misc]
    """The operations; `source` is the folder behind, `uid` who owns what it does there."""

    use_ns = True

    def __init__(self, source: str, uid: int) -> None:
        self._source, self._uid = source, uid
        self._mode, self._delay_s = "ok", 0.0

    def init(self, path: str) -> None:
        """Give up root once the mount stands; files then belong to the user."""
        os.setresgid(self._uid, self._uid, self._uid)
        os.setresuid(self._uid, self._uid, self._uid)
        threading.Thread(target=self._obey, daemon=True).start()
        print("ok", flush=True)

    def _obey(self) -> None:
        for line in sys.stdin:
            order = json.loads(line)
            self._mode, self._delay_s = order["mode"], order["delay_s"]
            print("ok", flush=True)
        os._exit(0)

    def _reach(self, path: str | None, *, room: bool = False) -> str:
        """Return where a path lies, once the server answers."""
        while self._mode == "hang":
            if _is_killed(fuse_get_context()[2]):
                raise FuseOSError(errno.EINTR)
            time.sleep(_POLL_S)
        if self._mode in _ERRORS:
            raise FuseOSError(_ERRORS[self._mode])
        if room and self._mode == "enospc":
            raise FuseOSError(errno.ENOSPC)
        if self._delay_s:
            time.sleep(self._delay_s)
        return f"{self._source}{path or ''}"

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        place = self._reach(path)
        found = os.lstat(place) if fh is None else os.fstat(fh)
        times = {f"st_{one}time": getattr(found, f"st_{one}time_ns") for one in "amc"}
        return {name: getattr(found, name) for name in _STAT} | times

    def access(self, path: str, amode: int) -> int:
        if not os.access(self._reach(path), amode):
            raise FuseOSError(errno.EACCES)
        return 0

    def readdir(self, path: str, fh: int) -> list[str]:
        return [".", "..", *os.listdir(self._reach(path))]

    def readlink(self, path: str) -> str:
        return os.readlink(self._reach(path))

    def mkdir(self, path: str, mode: int) -> int:
        os.mkdir(self._reach(path, room=True), mode)
        return 0

    def rmdir(self, path: str) -> int:
        os.rmdir(self._reach(path))
        return 0

    def unlink(self, path: str) -> int:
        os.unlink(self._reach(path))
        return 0

    def symlink(self, target: str, source: str) -> int:
        os.symlink(source, self._reach(target))
        return 0

    def link(self, target: str, source: str) -> int:
        os.link(self._reach(source), self._reach(target))
        return 0

    def rename(self, old: str, new: str) -> int:
        os.rename(self._reach(old), self._reach(new))
        return 0

    def chmod(self, path: str, mode: int) -> int:
        os.chmod(self._reach(path), mode)
        return 0

    def chown(self, path: str, uid: int, gid: int) -> int:
        os.chown(self._reach(path), uid, gid)
        return 0

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        os.utime(self._reach(path), ns=times)
        return 0

    def statfs(self, path: str) -> dict[str, int]:
        found = os.statvfs(self._reach(path))
        return {name: getattr(found, name) for name in dir(found) if name.startswith("f_")}

    def open(self, path: str, flags: int) -> int:
        return os.open(self._reach(path), flags & ~os.O_NOFOLLOW)

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        return os.open(self._reach(path), os.O_RDWR | os.O_CREAT, mode)

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        self._reach(path)
        return os.pread(fh, size, offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        self._reach(path, room=True)
        return os.pwrite(fh, data, offset)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        place = self._reach(path)
        os.truncate(place if fh is None else fh, length)
        return 0

    def flush(self, path: str, fh: int) -> int:
        # Closing a clean file costs no round trip on NFS either.
        return 0

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        self._reach(path)
        os.fsync(fh)
        return 0

    def release(self, path: str, fh: int) -> int:
        os.close(fh)
        return 0


def _is_killed(thread: int) -> bool:
    """Tell whether the thread that waits has got SIGKILL: waits on NFS are killable."""
    try:
        status = Path(f"/proc/{thread}/status").read_text()
    except OSError:
        return True
    masks = [line.split()[1] for line in status.splitlines() if line.startswith(("SigP", "ShdP"))]
    return any(int(mask, 16) & _KILLED for mask in masks)


def main(source: str, mount: str, uid: str, entry_s: str, negative_s: str) -> None:
    """Mount, and serve until standard input ends."""
    FUSE(
        Passthrough(source, int(uid)),
        mount,
        foreground=True,
        allow_other=True,
        default_permissions=True,
        fsname="lab",
        attr_timeout=float(entry_s),
        entry_timeout=float(entry_s),
        negative_timeout=float(negative_s),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
