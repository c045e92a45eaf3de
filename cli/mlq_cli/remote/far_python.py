"""Runs a program of ours on the queue's host, under the Python that this host has.

The host may have no mlq, or another version. So the modules that a program needs travel there as
text, and run under its own Python: they use the standard library only, and Python 3.10 is enough.
Program and command then exchange lines of JSON, some followed by bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.resources import files
from typing import Any

from mlq.errors import MlqError
from mlq.files.layout import CURRENT, SOFTWARE
from mlq.files.strict_files import Absent, Missing, Refused, Unreadable
from mlq_cli.remote.far_shell import FarShell

Open = Callable[[Sequence[str]], FarShell]

BROKEN = (OSError, ValueError, EOFError, KeyError)

_NO_PYTHON = {"python": False}
_CHECK = "import sys; sys.exit(sys.version_info < (3, 10))"
_LOAD = "import sys; exec(sys.stdin.buffer.read(int(sys.stdin.buffer.readline())))"
_SCRIPT = (
    f'for p in "$1/{SOFTWARE}/{CURRENT}/bin/python" python3 python3.14 python3.13 python3.12 '
    f"python3.11 python3.10; do \"$p\" -c '{_CHECK}' 2>/dev/null && exec \"$p\" -Ic '{_LOAD}'; "
    f"done; echo '{json.dumps(_NO_PYTHON)}'"
)


def start_program(open_shell: Open, root: str, host: str, text: bytes) -> tuple[FarShell, Any]:
    """Start a program there; return it and the first line that it sends.

    Args:
        open_shell: starts a command there (`mlq_cli.remote.far_shell.open_far_shell`).
        root: the results root; if mlq is deployed there, its Python runs the program.
        host: the queue's host, for messages.
        text: the program (`program_text`).

    Raises:
        MlqError: the host cannot be reached, or has no Python.
    """
    shell = open_shell(["sh", "-c", _SCRIPT, "sh", root])
    try:
        with suppress(BrokenPipeError):  # in that case it has already said why
            shell.stdin.write(b"%d\n%b" % (len(text), text))
            shell.stdin.flush()
        first = line(shell)
        if first == _NO_PYTHON:
            raise MlqError(
                f"{host} cannot read files for us",
                why="it has no Python 3.10 or newer in its PATH",
                fix="`mlq deploy` puts one there; or mount the results root here",
            )
    except BROKEN:
        why = shell.why_ended()
        shell.close()
        raise why from None
    except BaseException:
        shell.close()
        raise
    return shell, first


def program_text(modules: Sequence[str], call: str) -> bytes:
    """Return the text that the Python there runs: these modules, not those of its mlq, and a call.

    Args:
        modules: their names, each after those that it imports.
        call: a statement; it finds the last module as `last`.
    """
    texts = {name: _text_of(name) for name in modules}
    parents: dict[str, None] = {}
    for name in modules:
        words = name.split(".")[:-1]
        parents.update(dict.fromkeys(".".join(words[: n + 1]) for n in range(len(words))))
    lines = [
        "import sys, types",
        f"for name in {list(parents)!r}: sys.modules[name] = types.ModuleType(name)",
        f"for name, text in {texts!r}.items():",
        "    sys.modules[name] = types.ModuleType(name)",
        "    exec(compile(text, name, 'exec'), sys.modules[name].__dict__)",
        f"last = sys.modules[{modules[-1]!r}]",
        call,
    ]
    return "\n".join(lines).encode()


def line(shell: FarShell) -> dict[str, Any]:
    """Return the next line that the program sends; raise one of `BROKEN` if there is none."""
    found = shell.stdout.readline()
    if not found.endswith(b"\n"):
        raise EOFError
    said = json.loads(found)
    if isinstance(said, dict):
        return said
    raise EOFError  # another program sent that


def exactly(shell: FarShell, length: int) -> bytes:
    """Return `length` bytes that the program sends; raise EOFError if there are fewer."""
    data = shell.stdout.read(length)
    if len(data) != length:
        raise EOFError
    return data


def missing_of(head: dict[str, Any]) -> Missing | None:
    """Return why the program sends no file, by the line before it; None if it sends one."""
    why = str(head.get("why", ""))
    match head["found"]:
        case "Absent":
            return Absent()
        case "Unreadable":
            return Unreadable(why)
        case "Refused":
            return Refused(why)
    return None


def _text_of(module: str) -> str:
    package, _, name = module.rpartition(".")
    return files(package).joinpath(f"{name}.py").read_text(encoding="utf-8")
