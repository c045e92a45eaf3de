"""The probe of the queue: its connection, its server, and the server's folder if that is here."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from mlq.errors import MlqError, QueueRefusedError, QueueUnreachableError
from mlq.files.paths import read_password
from mlq.lenient import text_of
from mlq.machines.health import offset_s
from mlq.server.files import explained
from mlq.settings.settings import Settings
from mlq.store import keys
from mlq.store.client import Client
from mlq.store.identity import server_time
from mlq.store.wire import UnixClient
from mlq.tunnel import reach
from mlq_cli.doctor.facts import QueueFacts


def queue(settings: Settings) -> QueueFacts:
    """Look at the queue, through a tunnel if it is on another host."""
    where = f"{settings.queue_host} (by ssh)" if settings.is_remote else str(settings.redis_socket)
    try:
        path, wire = reached(settings)
        began_s = time.monotonic()
        wire.call("PING")
        took_s = time.monotonic() - began_s
        asked_utc_s, asked_s = time.time(), time.monotonic()
        server_s = server_time(wire)
        answer_s = time.monotonic() - asked_s
        info = str(wire.call("INFO"), errors="replace")
        fields = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
        paused = wire.call("GET", keys.PAUSED)
        missing = "" if settings.is_remote else _missing(settings, wire)
    except MlqError as error:
        if isinstance(error, QueueUnreachableError) and not settings.is_remote:
            error = explained(error, settings)
        return QueueFacts(where, error, passed_over=_passed_over(settings))
    kind = "Valkey" if "valkey_version" in fields else "Redis"
    statuses = [fields.get("aof_last_write_status"), fields.get("aof_last_bgrewrite_status")]
    return QueueFacts(
        where,
        version=f"{kind} {fields.get('valkey_version') or fields.get('redis_version')}",
        user=settings.redis_user,
        confined=_is_refused(lambda: wire.call("CONFIG", "GET", "dir")),
        default_off=_is_refused(lambda: UnixClient(path, "default", "").call("PING")),
        aof=fields.get("aof_enabled") == "1" and set(statuses) == {"ok"},
        took_s=took_s,
        missing=missing,
        paused=text_of(paused or b""),
        clock_off_s=offset_s(asked_utc_s, answer_s, server_s) or 0.0,
        passed_over=_passed_over(settings),
    )


def reached(settings: Settings) -> tuple[Path, UnixClient]:
    """Return the queue's socket, through a tunnel if necessary, and a connection to it.

    Raises:
        MlqError: the queue cannot be reached, or there is no password.
    """
    path = reach(settings)
    return path, UnixClient(path, settings.redis_user, read_password(settings.password_file))


def _missing(settings: Settings, wire: Client) -> str:
    """Return what is missing in the server's data, as far as its folder shows that."""
    from mlq.server.witness import Witness, count, shortfall

    folder = settings.server_dir
    error = shortfall(count(wire), Witness(folder).expected(), folder)
    return error.why if error else ""


def _passed_over(settings: Settings) -> tuple[str, ...]:
    """Return the server programs that failed their trial on this machine."""
    from mlq.server.files import ServerFiles
    from mlq.server.trial import Trials

    if settings.is_remote:
        return ()
    return tuple(Trials(ServerFiles(settings.server_dir).trials).faults())


def _is_refused(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except QueueRefusedError:
        return True
    return False
