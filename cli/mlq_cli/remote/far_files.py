"""Reads files on the queue's host for a command here: the results root, and jobs' folders.

The first request starts a reader there, which stays for the command's life, so that following a log
costs one round trip for each read. If the connection breaks, the next request connects again. It
does not fetch again what was handed on already, since each request names an offset.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mlq.errors import StorageError, TunnelError
from mlq.files.metrics_files import ALL, Bounds
from mlq.files.strict_files import Missing
from mlq_cli.remote.far_python import (
    BROKEN,
    Open,
    exactly,
    line,
    missing_of,
    program_text,
    start_program,
)
from mlq_cli.remote.far_reader import Log
from mlq_cli.remote.far_shell import FarShell

_MODULES = (
    "mlq.files.strict_files",
    "mlq.threads",
    "mlq.files.side_by_side",
    "mlq.files.metrics_files",
    "mlq_cli.render.style",
    "mlq_cli.render.clean",
    "mlq_cli.render.rows",
    "mlq_cli.remote.log_search",
    "mlq_cli.remote.far_reader",
)


class FarFiles:
    """Reads on the queue's host.

    Args:
        root: the results root, by the path that the machines use.
        host: the queue's host, for messages.
        open_shell: starts a command there (`mlq_cli.remote.far_shell.open_far_shell`).
    """

    def __init__(self, root: Path, host: str, open_shell: Open) -> None:
        self._root, self._host, self._open = root, host, open_shell
        self._shell: FarShell | None = None
        self._has_root = False

    def open_log(self, path: Path, offset: int, rows: int | None = None) -> Log | Missing:
        """Open a log; see `mlq_cli.remote.far_reader.open_log`.

        The caller must read its pieces to the end before the next request.

        Raises:
            MlqError: the host cannot be reached, or has no such root; also while pieces are read.
        """
        return self._log(path, {"log": str(path), "offset": offset, "rows": rows})

    def search_log(self, path: Path, offset: int, pattern: str, rows: int = 0) -> Log | Missing:
        """Look for rows where the log lies; see `mlq_cli.remote.far_reader.search_log`.

        As `open_log`.
        """
        asked = {"log": str(path), "offset": offset, "rows": rows, "search": pattern}
        return self._log(path, asked)

    def _log(self, path: Path, asked: dict[str, Any]) -> Log | Missing:
        head = self._ask(asked)
        self._check_root(path)
        missing = missing_of(head)
        if missing is not None:
            return missing
        return Log(int(head["size"]), self._pieces(path), int(head["begin"]))

    def missing_folders(self, folders: Sequence[str]) -> list[str]:
        """Return which of these paths are not folders on that host.

        Raises:
            MlqError: the host cannot be reached.
        """
        return [str(one) for one in self._ask({"folders": list(folders)})["missing"]]

    def metrics(
        self, folders: Sequence[str], bounds: Bounds = ALL
    ) -> Iterator[list[tuple[int, bytes]]]:
        """Yield for each job's folder the metrics files of its attempts; in one request.

        Raises:
            MlqError: the host cannot be reached, or has no such root; also between jobs.
        """
        self._ask({"metrics": list(folders), "bounds": bounds})
        self._check_root(f"the metrics of {len(folders)} jobs")
        shell, whole = self._started(), False
        try:
            found: list[tuple[int, bytes]] = []
            for _ in folders:
                while "bytes" in (head := line(shell)):
                    packed = exactly(shell, int(head["bytes"]))
                    found.append((int(head["attempt"]), zlib.decompress(packed)))
                yield found
                found = []
            whole = True
        except (*BROKEN, zlib.error):
            raise TunnelError(
                f"the connection to {self._host} broke while metrics were read"
            ) from None
        finally:
            if not whole:
                self.close()

    def close(self) -> None:
        """End the connection; the next request makes another one."""
        shell, self._shell = self._shell, None
        if shell is not None:
            with suppress(OSError):
                shell.close()

    def _check_root(self, what: object) -> None:
        if not self._has_root:
            raise StorageError(
                f"cannot read {what}",
                why=f"the results root {self._root} is neither here nor on {self._host}",
                fix=f"is it mounted on {self._host}, and is `root` right (`mlq config`)?",
            )

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        for again in (True, False):
            anew = self._shell is None
            shell = self._started()
            try:
                shell.stdin.write(json.dumps(request).encode() + b"\n")
                shell.stdin.flush()
                return line(shell)
            except BROKEN:
                # An old connection may have died meanwhile; a new one should not have.
                why = shell.why_ended() if anew or not again else None
                self.close()
                if why is not None:
                    raise why from None
        raise AssertionError

    def _started(self) -> FarShell:
        if self._shell is not None:
            return self._shell
        root = str(self._root)
        text = program_text(_MODULES, f"last.serve({root!r}, sys.stdin.buffer, sys.stdout.buffer)")
        shell, first = start_program(self._open, root, self._host, text)
        self._has_root = bool(first.get("root"))
        self._shell = shell
        return shell

    def _pieces(self, path: Path) -> Iterator[bytes]:
        shell = self._started()
        whole = False
        try:
            while (head := line(shell))["bytes"]:
                yield exactly(shell, int(head["bytes"]))
            whole = True
            if "why" in head:
                raise StorageError(f"cannot read {path} on {self._host}", why=str(head["why"]))
        except BROKEN:
            raise TunnelError(
                f"the connection to {self._host} broke while {path} was read"
            ) from None
        finally:
            if not whole:
                self.close()  # the rest of this reply must not be taken for the next reply
