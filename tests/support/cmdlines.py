"""The command lines that any user can read in /proc, of processes that come and go."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType


class CommandLines:
    """Collects, as fast as it can, the command lines of all processes."""

    def __init__(self) -> None:
        self._seen: dict[int, set[bytes]] = {}
        self._halt = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> CommandLines:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._halt.set()
        self._thread.join()

    def stop(self, but: set[int]) -> set[bytes]:
        """Return what was seen, but for some processes."""
        self._halt.set()
        self._thread.join()
        self._round()
        return {line for pid, lines in self._seen.items() if pid not in but for line in lines}

    def _look(self) -> None:
        while not self._halt.wait(0.002):
            self._round()

    def _round(self) -> None:
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                line = (process / "cmdline").read_bytes()
                self._seen.setdefault(int(process.name), set()).add(line)
