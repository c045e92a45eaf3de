"""The files that a process keeps in its runtime folder while it runs, whatever cleaners do.

Runtime folders may lie in /tmp. Some cleaners spare a folder on which a process holds a lock
(systemd-tmpfiles), some spare young files (tmpreaper), some spare nothing (`find -delete`). So the
folders are locked, the files' times are kept young, and lost files are noticed and made again.
Invariant: `mlq.files.kernel_names` and the lock file together decide which process is the only one
of its kind, so a deleted lock file lets no other process in.

Commands that only look (`mlq worker status`) find the files again within `EVERY_S` seconds.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from mlq.errors import MlqError
from mlq.files.kernel_names import KernelName, hold
from mlq.files.locks import PathLock, is_at, try_lock
from mlq.files.paths import private_dir

log = logging.getLogger(__name__)

_Marks = tuple[tuple[int, int, int, int], ...]

EVERY_S = 2.0
YOUNG_S = 60.0


def our_folders(folder: Path) -> list[Path]:
    """Return a folder and those of its parents that are mlq's own, outermost first.

    A machine has `<runtime_dir>/m/<machine>`, a tunnel `<runtime_dir>/t/<target>`.
    """
    ours = folder.parent.name in ("m", "t")
    return [folder.parent.parent, folder.parent, folder] if ours else [folder]


class FolderLocks:
    """Shared locks on a folder and those above it, up to the runtime folder.

    A cleaner that tries the folder's lock, as systemd-tmpfiles does, skips the folder. The locks
    are shared, because several processes use the folder.

    Args:
        folders: the outermost first; each is made, private, if it is missing.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._held: dict[Path, int] = {}

    @property
    def complete(self) -> bool:
        """Whether all of them are locked."""
        return len(self._held) == len(self._folders)

    def renew(self) -> None:
        """Make missing folders and lock unlocked ones.

        Raises:
            UnsafePathError: a folder is not ours alone.
            OSError: a folder cannot be opened.
        """
        for folder in self._folders:
            private_dir(folder)
            held = self._held.get(folder)
            if held is None or not is_at(folder, held):
                self._lock(folder)

    def _lock(self, folder: Path) -> None:
        self._drop(folder)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        if try_lock(descriptor, shared=True):
            self._held[folder] = descriptor
        else:
            os.close(descriptor)  # a cleaner holds it just now: try again next time

    def _drop(self, folder: Path) -> None:
        held = self._held.pop(folder, None)
        if held is not None:
            os.close(held)

    def close(self) -> None:
        """Release all locks."""
        for folder in list(self._held):
            self._drop(folder)


def keep_young(folder: Path, names: Sequence[str]) -> None:
    """Set files' times to now, so that cleaners that go by age spare them."""
    for name in names:
        with suppress(OSError):
            os.utime(folder / name)


class Residence:
    """The place of the one process of its kind: `<role>.lock` and `<role>.pid` in a folder.

    Args:
        folder: the folder.
        role: what the process is.
        name: the kernel's name for it.
        young: names in the folder of other files whose times are kept young.
        say: is told what was lost and made anew.
    """

    def __init__(
        self,
        folder: Path,
        role: str,
        name: str,
        *,
        young: Sequence[str] = (),
        say: Callable[[str], None] = log.warning,
    ) -> None:
        self._folder, self._name_text, self._say = folder, name, say
        folders = our_folders(folder)
        self._folders = FolderLocks(folders)
        self._lock = PathLock(folder / f"{role}.lock")
        self._pid_file = folder / f"{role}.pid"
        self._young = [f"{role}.lock", f"{role}.pid", *young]
        self._places = [os.fspath(one) for one in folders]
        self._files = [os.fspath(one) for one in (self._lock.path, self._pid_file)]
        self._touched_s = 0.0
        self._kept: _Marks | None = None  # as they were when all was last found in order
        self._name: KernelName | None = None
        self._pid = ""

    def take(self, patience_s: float = 1.0) -> bool:
        """Become the only process of this kind; return whether that succeeded.

        Raises:
            OSError: the folder cannot be written to.
        """
        self._name = hold(self._name_text, patience_s)
        if self._name is None:
            return False
        if not self._lock.take(patience_s):
            self._name.close()
            return False
        return True

    def settle(self) -> None:
        """Publish that this process is the one; after a fork, the child calls this."""
        if self._name is not None:
            self._name.say_who()
        self._pid = f"{os.getpid()}\n"
        self._pid_file.write_text(self._pid, encoding="ascii")
        with suppress(MlqError, OSError):
            self._folders.renew()

    def renew(self, now_s: float) -> None:
        """Make lost files again, and keep the others young.

        Args:
            now_s: monotonic time.

        Raises:
            MlqError: the folder is not ours alone any more.
            OSError: it cannot be written to.
        """
        if self._name is not None:
            self._name.let_go()
        # It is called for ever: what is as it was needs no more than a look.
        is_time = now_s - self._touched_s >= YOUNG_S or not self._touched_s
        marks = self._marks()
        if marks is not None and marks == self._kept and not is_time:
            return
        self._kept = None
        self._folders.renew()
        if not self._lock.is_in_place():
            self._say(f"{self._lock.path} was removed; made anew")
            self._lock.retake()
        if _text_of(self._pid_file) != self._pid:
            self._pid_file.write_text(self._pid, encoding="ascii")
        if is_time:
            self._touched_s = now_s
            keep_young(self._folder, self._young)
            marks = self._marks()
        if self._folders.complete and marks == self._marks():
            self._kept = marks

    def _marks(self) -> _Marks | None:
        """Return what changes when somebody removes, replaces, opens or changes any of it."""
        try:
            places = [os.lstat(one) for one in self._places]
            files = [os.lstat(one) for one in self._files]
        except OSError:
            return None
        return (
            *((one.st_dev, one.st_ino, one.st_mode, one.st_uid) for one in places),
            *((one.st_dev, one.st_ino, one.st_mode, one.st_mtime_ns) for one in files),
        )

    def leave(self) -> None:
        """Release and remove everything."""
        if _text_of(self._pid_file) == self._pid:
            self._pid_file.unlink(missing_ok=True)
        self._lock.close()
        self._folders.close()
        if self._name is not None:
            self._name.close()


class Caretaker:
    """A thread that looks after a residence, so that even a hanging process keeps its place.

    Args:
        tasks: called each `EVERY_S`, in order, with a clock that only counts; one that fails is
            tried again next time.
        clock_s: that clock.
        say: is told of a failure, once for each text.
    """

    def __init__(
        self,
        tasks: Sequence[Callable[[float], None]],
        clock_s: Callable[[], float],
        say: Callable[[str], None] = log.warning,
    ) -> None:
        self._tasks, self._clock_s, self._say = tasks, clock_s, say
        self._told = ""
        # Taken while it runs: to wait for a lock costs each time less than to wait for an Event.
        self._running = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="caretaker", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._running.acquire()
        self._thread.start()

    def stop(self) -> None:
        """End; a disk that hangs is not waited for."""
        self._running.release()
        self._thread.join(EVERY_S)

    def _run(self) -> None:
        while not self._running.acquire(timeout=EVERY_S):
            for task in self._tasks:
                try:
                    task(self._clock_s())
                except (MlqError, OSError) as error:
                    if str(error) != self._told:
                        self._told = str(error)
                        self._say(f"cannot keep the runtime folder: {self._told}")


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, ValueError):
        return ""
