"""Lists and fetches the files of jobs from the queue's host, for a command here.

One program there (`mlq_cli.remote.far_tree`) answers all requests, so that a thousand small files
cost no round trip each. If the connection breaks, the next request makes another one; the caller
asks again for what it lacks.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from mlq.errors import StorageError, TunnelError
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
from mlq_cli.remote.far_shell import FarShell
from mlq_cli.remote.far_tree import Found, Sending, Want
from mlq_cli.remote.far_walk import Listed, Other

_MODULES = (
    "mlq.errors",
    "mlq.files.strict_files",
    "mlq.threads",
    "mlq.files.side_by_side",
    "mlq.code.manifest",
    "mlq.code.as_packed",
    "mlq_cli.remote.far_copies",
    "mlq_cli.remote.far_walk",
    "mlq_cli.remote.far_tree",
)
_WANTS_AT_ONCE = 1000


class FarJobs:
    """The files of jobs on the queue's host.

    Args:
        root: the results root, by the path that the machines use.
        host: the queue's host, for messages.
        open_shell: starts a command there (`mlq_cli.remote.far_shell.open_far_shell`).
    """

    is_far = True

    def __init__(self, root: Path, host: str, open_shell: Open) -> None:
        self._root, self._host, self._open = str(root), host, open_shell
        self._shell: FarShell | None = None

    def list_all(self, places: Sequence[str], found: Found) -> None:
        """List the files of jobs; see `mlq_cli.remote.far_tree.list_all`.

        Raises:
            MlqError: the host cannot be reached, or has no such root.
        """
        shell = self._started()
        try:
            _ask(shell, {"list": list(places)})
            while "end" not in (said := line(shell)):
                files = [_listed(one) for one in said["files"]]
                found(str(said["place"]), files, [Other(*map(str, one)) for one in said["others"]])
        except (*BROKEN, TypeError):
            raise self._broken() from None

    def send_all(self, wants: Iterable[Want]) -> Iterator[Sending | Missing]:
        """Yield each file, in order; the pieces of one must be read before the next is asked for.

        Raises:
            MlqError: the host cannot be reached, or the connection broke; also while pieces are
                read. Those that were yielded are good.
        """
        left = iter(wants)
        while asked := list(islice(left, _WANTS_AT_ONCE)):
            shell = self._started()
            try:
                _ask(shell, {"send": asked})
                for want in asked:
                    yield self._sending(shell, want)
            except (*BROKEN, TypeError):
                raise self._broken() from None
            except GeneratorExit:
                self.close()  # the rest of this reply must not be taken for the next reply
                raise

    def close(self) -> None:
        """End the connection; the next request makes another one."""
        shell, self._shell = self._shell, None
        if shell is not None:
            with suppress(OSError):
                shell.close()

    def _sending(self, shell: FarShell, want: Want) -> Sending | Missing:
        head = line(shell)
        missing = missing_of(head)
        if missing is not None:
            return missing
        start = int(head["start"])
        if start not in (0, want.start):
            raise EOFError  # another program sent that
        last: dict[str, Any] = {}
        return Sending(
            int(head["size"]),
            int(head["mtime_ns"]),
            bool(head["is_program"]),
            start,
            self._pieces(shell, want.path, last),
            lambda: bool(last["is_same"]),
        )

    def _pieces(self, shell: FarShell, path: str, last: dict[str, Any]) -> Iterator[bytes]:
        try:
            while (head := line(shell))["bytes"]:
                yield exactly(shell, int(head["bytes"]))
        except (*BROKEN, TypeError):
            raise self._broken() from None
        last.update(head)
        if "why" in head:
            raise StorageError(f"cannot read {path} on {self._host}", why=str(head["why"]))

    def _started(self) -> FarShell:
        if self._shell is not None:
            return self._shell
        text = program_text(
            _MODULES, f"last.serve({self._root!r}, sys.stdin.buffer, sys.stdout.buffer)"
        )
        shell, first = start_program(self._open, self._root, self._host, text)
        if not first.get("root"):
            shell.close()
            raise StorageError(
                f"cannot read {self._root}",
                why=f"the results root is neither here nor on {self._host}",
                fix=f"is it mounted on {self._host}, and is `root` right (`mlq config`)?",
            )
        self._shell = shell
        return shell

    def _broken(self) -> TunnelError:
        self.close()
        return TunnelError(f"the connection to {self._host} broke while files were read")


def _ask(shell: FarShell, request: dict[str, Any]) -> None:
    shell.stdin.write(json.dumps(request).encode() + b"\n")
    shell.stdin.flush()


def _listed(row: Sequence[Any]) -> Listed:
    path, size, mtime_ns, is_program = row
    return Listed(str(path), int(size), int(mtime_ns), bool(is_program))
