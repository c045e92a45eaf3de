"""The systemd user units that come with mlq, filled in for one machine and one user.

The files in systemd/ work as they are; filled in, they name this mlq by its path, carry the
settings that were given by environment, and start on their own machine only: home folders are
shared, so a unit without that condition would start on every machine its owner logs in to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

# In a wheel beside this file; in a checkout at its top.
_FOLDERS = (Path(__file__).parent / "units", Path(__file__).parents[3] / "systemd")
_PLAIN_WORD = re.compile(r"[A-Za-z0-9_@+=:,./-]+")


def template(name: str) -> str:
    """Return a unit file as it comes with mlq, such as `mlq-worker.service`."""
    return (templates() / name).read_text(encoding="utf-8")


def templates() -> Path:
    """Return the folder of the unit files that come with mlq."""
    return next(folder for folder in _FOLDERS if folder.is_dir())


def filled_in(unit: str, host: str, command: Sequence[str], environment: Mapping[str, str]) -> str:
    """Return a unit for one host.

    Args:
        unit: the text of a unit file with one `ExecStart=` and a `[Service]` section.
        host: the host name on which alone the unit starts.
        command: what it starts, the first word being an absolute path.
        environment: variables to set.
    """
    if not _PLAIN_WORD.fullmatch(command[0]):
        command = ["/usr/bin/env", *command]  # systemd takes no quotes in a program's name
    start = "ExecStart=" + " ".join(_exec_word(word) for word in command)
    variables = [f"Environment={_quoted(f'{key}={value}')}" for key, value in environment.items()]
    lines = []
    for line in unit.splitlines():
        if line.startswith("#"):
            continue
        if line.startswith("ExecStart="):
            lines += [*variables, start]
        else:
            lines.append(line)
        if line == "[Unit]":
            lines.append(f"ConditionHost={host}")
    return "\n".join(lines).strip() + "\n"


def _exec_word(word: str) -> str:
    # `$` stands for a variable in commands, and only there: systemd.service(5), "Command lines".
    return word if _PLAIN_WORD.fullmatch(word) else _quoted(word.replace("$", "$$"))


def _quoted(word: str) -> str:
    # systemd.syntax(7), "Quoting"; `%` would start a specifier.
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return '"' + escaped.replace("%", "%%") + '"'
