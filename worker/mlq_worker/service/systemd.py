"""The user's own systemd: whether it works here, whether it outlives a logout, and our units in it.

Everything goes through `systemctl --user`, `loginctl` and `busctl`, never through root.

The files in systemd/ work as they are; filled in, they name this mlq by its path, carry the
settings that were given by environment, and start on their own machine only: home folders are
shared, so a unit without that condition would start on every machine its owner logs in to.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mlq.errors import WorkerError
from mlq.files.layout import write_atomically
from mlq.files.paths import make_private_dirs
from mlq.settings.people import home, user_name

_KILL_USER_PROCESSES = (
    "org.freedesktop.login1",
    "/org/freedesktop/login1",
    "org.freedesktop.login1.Manager",
    "KillUserProcesses",
)


def works() -> bool:
    """Return whether this user has a systemd that answers."""
    return _run("systemctl", "--user", "show", "--property=Version").returncode == 0


def lingers() -> bool:
    """Return whether this user's units start at boot, without a login."""
    answer = _run("loginctl", "show-user", user_name(), "--property=Linger", "--value")
    return answer.returncode == 0 and answer.stdout.strip() == "yes"


def make_linger() -> bool:
    """Ask for units to start at boot; return whether they do now. Never ask for a password."""
    return lingers() or (
        _run("loginctl", "--no-ask-password", "enable-linger").returncode == 0 and lingers()
    )


def kills_at_logout() -> bool | None:
    """Return whether a logout ends all that its session started; None if there is no logind."""
    answer = _run("busctl", "get-property", *_KILL_USER_PROCESSES).stdout.split()
    return answer[1] == "true" if len(answer) == 2 else None


def ends_at_logout(cgroup: str, *, lingers: Callable[[], bool], kills: Callable[[], bool]) -> bool:
    """Return whether a process ends when its user logs out: logind.conf(5), KillUserProcesses.

    Args:
        cgroup: its /proc/PID/cgroup.
        lingers: whether the user's systemd outlives a logout.
        kills: whether logind ends what is left of a session.
    """
    if "/user@" in cgroup:
        return not lingers()
    return "/session-" in cgroup and kills()


def unit_path(unit: str) -> Path:
    """Return where a unit of this user lies, or would."""
    config = os.environ.get("XDG_CONFIG_HOME") or home() / ".config"
    return Path(config) / "systemd" / "user" / unit


def put(unit: str, text: str) -> None:
    """Write a unit and have it start at boot.

    Raises:
        WorkerError: systemd does not take it.
    """
    path = unit_path(unit)
    # A user who could write there would have systemd run their program as us.
    make_private_dirs(path.parent)
    write_atomically(path, text.encode())
    _do("daemon-reload")
    # By its path: the user's systemd may not share our XDG_CONFIG_HOME.
    _do("enable", str(path))


def start(unit: str, deadline_s: float | None = None) -> bool:
    """Start a unit and wait until it is ready, for `deadline_s` if given; return whether it is.

    Raises:
        WorkerError: it does not start.
    """
    try:
        _do("start", unit, timeout_s=deadline_s)
    except subprocess.TimeoutExpired:
        return False
    return True


def stop(unit: str) -> None:
    """Stop a unit, and keep it stopped until the next boot.

    Raises:
        WorkerError: it does not stop.
    """
    _do("stop", unit)


def remove(unit: str) -> None:
    """Take a unit away; one that runs goes on until it ends.

    Raises:
        WorkerError: systemd does not let go of it.
    """
    _do("disable", unit)
    unit_path(unit).unlink(missing_ok=True)
    _do("daemon-reload")


def _do(*words: str, timeout_s: float | None = None) -> None:
    done = _run("systemctl", "--user", *words, timeout_s=timeout_s)
    if done.returncode != 0:
        raise WorkerError(
            f"`systemctl --user {' '.join(words)}` failed",
            why=done.stderr.strip() or f"exit {done.returncode}",
            fix="`journalctl --user -n 50` shows more",
        )


def _run(*argv: str, timeout_s: float | None = None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=timeout_s)
    except (FileNotFoundError, PermissionError):  # the latter if a folder in PATH is closed to us
        return subprocess.CompletedProcess(argv, 127, "", f"there is no {argv[0]} here")


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
