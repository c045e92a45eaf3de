"""Files of the queue's host as a command here sees them: the results root, and jobs' folders.

The reader that runs there is started with the first request and stays for the command's life, so
that following a log costs a round trip for each look. A connection that breaks is made anew at the
next look; what was handed on already is not asked for again, since each request names an offset.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from typing import Any

from mlq.errors import MlqError, StorageError, TunnelError
from mlq.files.layout import CURRENT, SOFTWARE
from mlq.files.strict_files import Absent, Missing, Refused, Unreadable
from mlq_cli.remote.far_reader import Log
from mlq_cli.remote.far_shell import FarShell

Open = Callable[[Sequence[str]], FarShell]

_MODULES = ("mlq.files.strict_files", "mlq_cli.remote.far_reader")
_NO_PYTHON = {"python": False}
_CHECK = "import sys; sys.exit(sys.version_info < (3, 10))"
_LOAD = "import sys; exec(sys.stdin.buffer.read(int(sys.stdin.buffer.readline())))"
_SCRIPT = (
    f'for p in "$1/{SOFTWARE}/{CURRENT}/bin/python" python3 python3.14 python3.13 python3.12 '
    f"python3.11 python3.10; do \"$p\" -c '{_CHECK}' 2>/dev/null && exec \"$p\" -Ic '{_LOAD}'; "
    f"done; echo '{json.dumps(_NO_PYTHON)}'"
)
_BROKEN = (OSError, ValueError, EOFError, KeyError)


class FarFiles:
    """Reads on the queue's host.

    Args:
        root: the results root, as machines call it.
        host: the queue's host, for messages.
        open_shell: starts a command there (`mlq_cli.remote.far_shell.open_far_shell`).
    """

    def __init__(self, root: Path, host: str, open_shell: Open) -> None:
        self._root, self._host, self._open = root, host, open_shell
        self._shell: FarShell | None = None
        self._has_root = False

    def open_log(self, path: Path, offset: int) -> Log | Missing:
        """Look at a log; see `mlq_cli.remote.far_reader.open_log`.

        Its pieces must be read to the end before the next request.

        Raises:
            MlqError: the host cannot be reached, or has no such root; also while pieces are read.
        """
        head = self._ask({"log": str(path), "offset": offset})
        if not self._has_root:
            raise StorageError(
                f"cannot read {path}",
                why=f"the results root {self._root} is neither here nor on {self._host}",
                fix=f"is it mounted on {self._host}, and is `root` right (`mlq config`)?",
            )
        why = str(head.get("why", ""))
        match head["found"]:
            case "Absent":
                return Absent()
            case "Unreadable":
                return Unreadable(why)
            case "Refused":
                return Refused(why)
        return Log(int(head["size"]), self._pieces(path))

    def missing_folders(self, folders: Sequence[str]) -> list[str]:
        """Return which of these are no folders on that host.

        Raises:
            MlqError: the host cannot be reached.
        """
        return [str(one) for one in self._ask({"folders": list(folders)})["missing"]]

    def close(self) -> None:
        """End the connection; the next request makes another one."""
        shell, self._shell = self._shell, None
        if shell is not None:
            with suppress(OSError):
                shell.close()

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        for again in (True, False):
            anew = self._shell is None
            shell = self._started()
            try:
                shell.stdin.write(json.dumps(request).encode() + b"\n")
                shell.stdin.flush()
                return _line(shell)
            except _BROKEN:
                # One that was there may have died meanwhile; one that was made now should not.
                why = shell.why_ended() if anew or not again else None
                self.close()
                if why is not None:
                    raise why from None
        raise AssertionError

    def _started(self) -> FarShell:
        if self._shell is not None:
            return self._shell
        shell = self._open(["sh", "-c", _SCRIPT, "sh", str(self._root)])
        try:
            text = _program(str(self._root))
            with suppress(BrokenPipeError):  # then it has said why
                shell.stdin.write(b"%d\n%b" % (len(text), text))
                shell.stdin.flush()
            first = _line(shell)
            if first == _NO_PYTHON:
                raise MlqError(
                    f"{self._host} cannot read files for us",
                    why="it has no Python 3.10 or newer in its PATH",
                    fix="`mlq deploy` puts one there; or mount the results root here",
                )
            self._has_root = bool(first["root"])
        except _BROKEN:
            why = shell.why_ended()
            shell.close()
            raise why from None
        except BaseException:
            shell.close()
            raise
        self._shell = shell
        return shell

    def _pieces(self, path: Path) -> Iterator[bytes]:
        shell = self._started()
        whole = False
        try:
            while (head := _line(shell))["bytes"]:
                yield _exactly(shell, int(head["bytes"]))
            whole = True
            if "why" in head:
                raise StorageError(f"cannot read {path} on {self._host}", why=str(head["why"]))
        except _BROKEN:
            raise TunnelError(
                f"the connection to {self._host} broke while {path} was read"
            ) from None
        finally:
            if not whole:
                self.close()  # what is left of the reply must not be taken for the next one


def _line(shell: FarShell) -> dict[str, Any]:
    line = shell.stdout.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    found = json.loads(line)
    if isinstance(found, dict):
        return found
    raise EOFError  # whatever speaks there is not our reader


def _exactly(shell: FarShell, length: int) -> bytes:
    data = shell.stdout.read(length)
    if len(data) != length:
        raise EOFError
    return data


def _program(root: str) -> bytes:
    """Return what the Python there runs: our modules, whatever mlq it may have, and `serve`."""
    texts = {name: _text_of(name) for name in _MODULES}
    parents = ("mlq", "mlq_cli", "mlq_cli.remote")
    lines = [
        "import sys, types",
        f"for name in {parents!r}: sys.modules[name] = types.ModuleType(name)",
        f"for name, text in {texts!r}.items():",
        "    sys.modules[name] = types.ModuleType(name)",
        "    exec(compile(text, name, 'exec'), sys.modules[name].__dict__)",
        f"sys.modules[{_MODULES[-1]!r}].serve({root!r}, sys.stdin.buffer, sys.stdout.buffer)",
    ]
    return "\n".join(lines).encode()


def _text_of(module: str) -> str:
    package, _, name = module.rpartition(".")
    return files(package).joinpath(f"{name}.py").read_text(encoding="utf-8")
