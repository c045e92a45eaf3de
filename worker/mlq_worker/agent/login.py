"""What a login on this machine gives a process: the variables that every job here begins with.

A worker is started from a user's shell, from a conda environment, with a password or an ssh agent
in its variables. None of that is the job's. So a job begins with what the files of the machine say
(pam_env's and login's own), who the user is, and a few variables of the worker that a login would
have set alike. Invariant: what is not named here reaches no job from the worker.
"""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from mlq.settings.settings import CONFIG_VARIABLE, Settings, variable

_OF_THE_LOGIN = re.compile(
    r"HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_[A-Z]+|TZ|TMPDIR|XDG_RUNTIME_DIR"
)
# A job that calls mlq means the queue that it came from.
_OF_MLQ = frozenset(
    (CONFIG_VARIABLE, "XDG_CONFIG_HOME", "XDG_DATA_HOME", *map(variable, Settings._fields))
)
_ASSIGNED = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)")
_PLAIN_PATH = "/usr/local/bin:/usr/bin:/bin"


class Machine(NamedTuple):
    """What this machine says of logins.

    Args:
        environment: the text of /etc/environment.
        locale: of /etc/default/locale, or of /etc/locale.conf.
        defs: of /etc/login.defs.
        account: HOME, USER, LOGNAME and SHELL; empty if the user has no account.
        is_root: whether the user is root.
    """

    environment: str = ""
    locale: str = ""
    defs: str = ""
    account: Mapping[str, str] = {}
    is_root: bool = False


def look() -> Machine:
    """Read what this machine says of logins; what cannot be read says nothing."""
    uid, account = os.getuid(), {}
    with suppress(KeyError):
        one = pwd.getpwuid(uid)
        account = {
            "HOME": one.pw_dir,
            "USER": one.pw_name,
            "LOGNAME": one.pw_name,
            "SHELL": one.pw_shell,
        }
    locale = _text("/etc/default/locale") or _text("/etc/locale.conf")
    return Machine(_text("/etc/environment"), locale, _text("/etc/login.defs"), account, uid == 0)


def login_environment(own: Mapping[str, str], machine: Machine) -> dict[str, str]:
    """Return the variables that jobs begin with.

    Args:
        own: the worker's own.
        machine: what this machine says of logins.
    """
    files = {**_assigned(machine.locale), **_assigned(machine.environment)}
    taken = {name: one for name, one in own.items() if _OF_THE_LOGIN.fullmatch(name)}
    mlqs = {name: own[name] for name in _OF_MLQ if name in own}
    env = {**files, **machine.account, **taken, **mlqs}
    path = files.get("PATH") or _path_of(machine.defs, is_root=machine.is_root)
    # Where pip, pipx and uv put a user's programs; the profiles of most systems add it.
    env["PATH"] = f"{env['HOME']}/.local/bin:{path}" if env.get("HOME") else path
    return env


def _assigned(text: str) -> dict[str, str]:
    """Return what a file of pam_env assigns."""
    found = {}
    for line in text.splitlines():
        match = _ASSIGNED.fullmatch(line.strip())
        if match:
            value = match[2].strip()
            quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
            found[match[1]] = value[1:-1] if quoted else value
    return found


def _path_of(defs: str, *, is_root: bool) -> str:
    wanted = "ENV_SUPATH" if is_root else "ENV_PATH"
    for line in defs.splitlines():
        words = line.split()
        if len(words) == 2 and words[0] == wanted:
            return words[1].removeprefix("PATH=")
    return _PLAIN_PATH


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
