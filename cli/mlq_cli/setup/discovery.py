"""Finds, by ssh, what is on the queue's host: our account, the socket, the secrets, the root.

The host needs only `sh`, since mlq might not be there yet.
"""

from __future__ import annotations

import base64
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path

from mlq.errors import MlqError, StorageError, UnsafePathError
from mlq.files.layout import CURRENT, SOFTWARE
from mlq.tunnel.target import OURS_ALONE
from mlq_cli.remote.ssh import Ssh

_LOOK_S = 60.0
_NO_ROOT, _OPEN_ROOT = 95, 96
_FILE_BYTES = 65536

_WHO = (
    'u=$(id -u); n=$(id -un); echo "uid=$u"; echo "run=$XDG_RUNTIME_DIR"; '
    '[ -e "/var/lib/systemd/linger/$n" ] && [ -d "/run/user/$u" ] && echo linger=yes; '
    '[ -d "/vol/bitbucket/$n" ] && echo "volume=/vol/bitbucket/$n"; '
    'c=${XDG_CONFIG_HOME:-$HOME/.config}/mlq; echo "config=$c"; echo "home=$HOME"; '
    'echo "data=${XDG_DATA_HOME:-$HOME/.local/share}/mlq"; echo "root=$MLQ_ROOT"; '
    f'echo "file=$(head -c {_FILE_BYTES} "$c/config.toml" 2>/dev/null | base64 | tr -d "\\n")"'
)
_SECRETS = 'for f in "$@"; do if [ -e "$f" ]; then echo yes; else echo no; fi; done'
_ROOT = (
    f'umask 077; d=$1/; mkdir -p "$d" || exit {_NO_ROOT}; '
    f"{{ {OURS_ALONE}; }} || exit {_OPEN_ROOT}; "
    't=$1/.mlq-init.$$ && echo probe >"$t" && rm "$t" || '
    f'exit {_NO_ROOT}; m=$1/{SOFTWARE}/{CURRENT}/bin/mlq; if [ -x "$m" ]; then '
    'MLQ_ROOT=$1 "$m" config --json; fi'
)
# `set -C`: the shell never overwrites an existing file.
_PUT = 'umask 077; set -C; mkdir -p "$(dirname "$1")" && cat >"$1"'


@dataclass(frozen=True, slots=True)
class Account:
    """Our account on the queue's host.

    Args:
        socket: where the queue's server answers, or will.
        key_file: where the signing key is, or will be.
        password_file: likewise the password.
        root: the results root that mlq uses, or would use, there.
    """

    socket: str
    key_file: str
    password_file: str
    root: str = ""


def account(ssh: Ssh, host: str) -> Account:
    """Look at our account; this also proves that ssh connects without a question, by a known key.

    Raises:
        TunnelError: ssh does not connect; says why and what to do.
    """
    ran = ssh.run(host, ["sh", "-c", _WHO], timeout_s=_LOOK_S)
    return account_of(dict(line.split("=", 1) for line in ran.out.splitlines() if "=" in line))


def account_of(found: dict[str, str]) -> Account:
    """Return the account from the host's output, by the rules of `mlq.settings.settings`."""
    says = _config_of(found)
    uid, run = found.get("uid", ""), found.get("run", "")
    login_folder = f"/run/user/{uid}"
    if "linger" in found:
        runtime = f"{run or login_folder}/mlq"
    elif run.startswith("/") and run.rstrip("/") != login_folder:
        runtime = f"{run}/mlq"
    else:
        runtime = f"/tmp/mlq-{uid}"  # noqa: S108 - what the server there checks before use
    runtime = says.get("runtime_dir", runtime)
    config = found.get("config", "")
    volume = found.get("volume", "")
    default_root = f"{volume}/mlq" if volume else found.get("data", "")
    return Account(
        socket=says.get("redis_socket", f"{runtime}/redis.sock"),
        key_file=says.get("key_file", f"{config}/signing.key"),
        password_file=says.get("password_file", f"{config}/redis.password"),
        root=found.get("root", "") or says.get("root", default_root),
    )


def _config_of(found: dict[str, str]) -> dict[str, str]:
    """Return the paths that the config file there sets; empty if it cannot be read."""
    try:
        values = tomllib.loads(base64.b64decode(found.get("file", "")).decode())
    except ValueError:
        return {}
    home = found.get("home", "")
    return {
        name: home + value[1:] if value.startswith("~/") else value
        for name, value in values.items()
        if isinstance(value, str)
    }


def check_root(ssh: Ssh, host: str, root: Path, known: Account) -> Account:
    """Make the results root there if it is missing, and write into it.

    Returns:
        The account, with the settings that the mlq deployed there reports.

    Raises:
        StorageError: the root cannot be written.
        UnsafePathError: other users can use the root.
    """
    ran = ssh.run(host, ["sh", "-c", _ROOT, "sh", str(root)], timeout_s=_LOOK_S)
    if ran.code == _OPEN_ROOT:
        raise UnsafePathError(
            f"the results root {root} is open to others on {host}",
            why="its owner or its mode",
            fix=f"choose another, or if no other user has used it: chmod 700 {root}",
        )
    if ran.code == _NO_ROOT:
        lines = ran.err.strip().splitlines()
        raise StorageError(
            f"the results root {root} cannot be written on {host}",
            why=lines[-1] if lines else f"exit {ran.code}",
            fix="choose a folder of yours that all machines share",
        )
    try:
        said = {one["name"]: one["value"] for one in json.loads(ran.out)}
        return Account(said["redis_socket"], said["key_file"], said["password_file"], known.root)
    except (ValueError, TypeError, KeyError):
        return known  # none was deployed yet


def exist(ssh: Ssh, host: str, *paths: str) -> list[bool]:
    """Return, for each path, whether it exists there."""
    ran = ssh.run(host, ["sh", "-c", _SECRETS, "sh", *paths], timeout_s=_LOOK_S)
    return [line == "yes" for line in ran.out.split()]


def fetch(ssh: Ssh, host: str, path: str) -> bytes:
    """Return the content of a secret file; it travels inside ssh only."""
    ran = ssh.run(host, ["cat", path], timeout_s=_LOOK_S)
    if ran.code != 0 or not ran.out:
        raise MlqError(f"cannot read {path} on {host}", why=ran.err.strip() or "it is empty")
    return ran.out.encode()


def put(ssh: Ssh, host: str, path: str, data: bytes) -> None:
    """Write a new secret file there (0600); an existing one stays."""
    ran = ssh.run(host, ["sh", "-c", _PUT, "sh", path], stdin=data, timeout_s=_LOOK_S)
    if ran.code != 0:
        raise MlqError(f"cannot write {path} on {host}", why=ran.err.strip())
