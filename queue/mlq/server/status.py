"""The status of the queue's own server; a broken, stuck or missing server has a status too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlq.errors import QueueRefusedError, QueueUnreachableError, ServerError, UnsafePathError
from mlq.files.paths import read_password
from mlq.server.files import ServerFiles, explained
from mlq.server.trial import Trials
from mlq.server.witness import Witness, count, shortfall
from mlq.settings.settings import Settings
from mlq.store.client import Client
from mlq.store.wire import UnixClient

# Seconds. A server that loads its log says so at once; one that says nothing for so long is stuck.
_ANSWER_S = 5.0


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """The queue's server as it is now; unknown values of a stopped server are empty.

    Args:
        running: whether it runs.
        socket: where it answers.
        folder: its data.
        log_file: its log.
        pid: its process.
        version: for example `Valkey 9.1.2`.
        binary: the program.
        memory_mib: how much memory its data take.
        fsync: when it flushes its log: `always` or `everysec`.
        aof: `ok`, or what is wrong with its log on disk, or missing in it.
        jobs: how many jobs it holds, ended ones included.
        note: why it does not answer, or what it last said before it ended.
        passed_over: the server programs of this machine that failed their trial, and why.
    """

    running: bool
    socket: Path
    folder: Path
    log_file: Path
    pid: int | None = None
    version: str = ""
    binary: str = ""
    memory_mib: float | None = None
    fsync: str = ""
    aof: str = ""
    jobs: int | None = None
    note: str = ""
    passed_over: tuple[str, ...] = ()


def status(settings: Settings) -> ServerStatus:
    """Return the server's status; a broken or missing server has one too.

    Raises:
        ServerError: its folder cannot be looked into.
    """
    files = ServerFiles(settings.server_dir)
    at: dict[str, Any] = {
        "socket": settings.redis_socket,
        "folder": files.folder,
        "log_file": files.log,
        "passed_over": tuple(Trials(files.trials).faults()),
    }
    if not files.is_running():
        return ServerStatus(running=False, note=files.last_words(), **at)
    at["pid"] = files.pid()
    try:
        client = connect(settings)
        try:
            info = _info(client)
            found = count(client)
        finally:
            client.close()
    except (QueueUnreachableError, QueueRefusedError, UnsafePathError) as error:
        if type(error) is QueueUnreachableError:
            error = explained(error, settings)
        return ServerStatus(running=True, note=str(error), **at)
    kind = "Valkey" if "valkey_version" in info else "Redis"
    return ServerStatus(
        running=True,
        version=f"{kind} {info.get('valkey_version') or info['redis_version']}",
        binary=info.get("executable", ""),
        memory_mib=int(info["used_memory"]) / 2**20,
        fsync=files.configured_fsync(),
        aof=_aof(info, shortfall(found, Witness(files.folder).expected(), files.folder)),
        jobs=found.jobs,
        **at,
    )


def connect(settings: Settings) -> Client:
    """Return a connection to this machine's server, with a short timeout."""
    password = read_password(settings.password_file)
    return UnixClient(settings.redis_socket, settings.redis_user, password, timeout_s=_ANSWER_S)


def _info(client: Client) -> dict[str, str]:
    text: str = client.call("INFO").decode(errors="replace")
    pairs = (line.partition(":") for line in text.splitlines())
    return {name: value for name, colon, value in pairs if colon}


def _aof(info: Mapping[str, str], missing: ServerError | None) -> str:
    if info.get("loading") == "1":
        return "loading"
    if info.get("aof_enabled") != "1":
        return "off: jobs are lost when the server ends"
    if info.get("aof_last_write_status") != "ok":
        return "the last write failed: is the disk full?"
    if info.get("aof_last_bgrewrite_status") != "ok":
        return "the last rewrite failed: is the disk full?"
    return missing.why if missing else "ok"
