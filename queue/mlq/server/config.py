"""The configuration of the queue's Redis server, and its users.

Pure text from settings, so that all of it can be read and tested in one place. It uses only what
Redis 6.2 knows, so an older server installed on the machine is enough.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

# The queue's user reads and writes the keys of rq and of mlq, and that is all. Redis classes as
# dangerous the commands that look past the user's keys or affect the server: KEYS, FLUSHALL,
# CONFIG, MIGRATE, CLIENT KILL. Of these, rq's own tools need INFO (a version check) and CLIENT LIST
# (which workers are alive).
RIGHTS = (
    "-@all +@read +@write +@connection +@transaction +@pubsub +@blocking -@dangerous -@scripting "
    "+eval +evalsha +script|load +script|exists +time +info "
    "+client|list +client|setname +client|getname +client|id"
)
REACH = "resetchannels ~rq:* ~mlq:* &rq:* &mlq:*"


def acl_text(user: str, password: str, extra_users: Sequence[str] = ()) -> str:
    """Return the file of users: `default` off, the queue's user, and the extra users.

    `default` is off, so no client can log in as it, but it has every right: most servers replay
    their log as `default`, and silently drop what `default` is not allowed to do (Redis 7.0 and
    Valkey 9.0 to 9.1.1 so drop everything that a script wrote).

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


def config_text(
    folder: Path, socket: Path, fsync: str, port: int = 0, *, one_log: bool = False
) -> str:
    """Return the configuration of a server that keeps all it acknowledged in `folder`.

    The server must not silently drop part of its log (`aof-load-truncated`): a torn end is cut off
    before the server starts; see `mlq.server.torn`.

    Args:
        folder: its data, log and pid file.
        socket: the unix socket on which it answers.
        fsync: `always` or `everysec`.
        port: a TCP port on which it answers too, to its own host only; 0: none.
        one_log: for servers before Redis 7, which keep base and log in one file: the file then
            holds only commands, so that its end can be examined.
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
        "aof-load-truncated": "no",
        "aof-use-rdb-preamble": "no" if one_log else "yes",
        "maxmemory-policy": "noeviction",
        # A job's hash kept in one piece takes a third of the memory (Redis 6.2 knows only this
        # name).
        "hash-max-ziplist-value": "4096",
    }
    return "".join(f"{name} {value}\n" for name, value in lines.items())


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
