"""The queue's own Redis server: started, found and stopped without root.

One rule tells whether it runs: `server.lock` in its data folder is locked. The server inherits the
lock from whoever started it, so the kernel drops it with the server's last process, whatever ended
it; a pid file or a socket left behind by `kill -9` therefore fools nobody, and of two commands that
start it at once one gets the lock and the other waits for the same server.

`appendfsync always` is the default because it is affordable. Measured on two busy cores and a
virtual disk (Valkey 9.1, ext4): one enqueue takes 0.8 ms (everysec: 0.35 ms), ten thousand in one
call go in at 11,000 a second (everysec: 14,000).
"""

from __future__ import annotations

import os
import secrets
import signal
import socket as sockets
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from mlq.errors import (
    QueueRefusedError,
    QueueSilentError,
    QueueUnreachableError,
    ServerError,
    UnsafePathError,
)
from mlq.layout import write_atomically
from mlq.mounts import network_file_system
from mlq.paths import check_socket_path, private_dir, read_secret, write_secret
from mlq.server.config import acl_text, config_text, find_program
from mlq.server.files import ServerFiles
from mlq.server.status import connect
from mlq.settings import Settings
from mlq.signing import create_key

START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 60.0
_POLL_S = 0.01
_DYING_S = 1.0


def start(
    settings: Settings, *, timeout_s: float = START_TIMEOUT_S, extra_users: Sequence[str] = ()
) -> bool:
    """Start the server in the background and wait until it answers.

    The first start also makes the queue's password and its signing key.

    Args:
        settings: of this installation.
        timeout_s: a long log takes a while to load.
        extra_users: see `mlq.server.config.acl_text`.

    Returns:
        True if it was started, False if it ran already (or somebody else started it just now).

    Raises:
        ServerError: it cannot be started; names the log file if the server said why.
        UnsafePathError: a folder or secret is open to others.
        SettingsError: the socket's path is too long.
    """
    files = _prepare(settings)
    deadline_s = time.monotonic() + timeout_s
    while True:
        said_before = files.log_size()
        with files.locked() as lock:
            if lock is not None:
                _launch(settings, files, lock, extra_users)
        if _wait_until_up(settings, files, deadline_s):
            return lock is not None
        if lock is not None:
            raise files.why_ended(said_before)
        # The one that held the lock is gone: now it is our turn.


def stop(settings: Settings, *, timeout_s: float = STOP_TIMEOUT_S) -> bool:
    """Stop the server and wait until it has ended; all it holds is on disk.

    Returns:
        True if it was stopped, False if it did not run.

    Raises:
        ServerError: it did not end in time.
    """
    files = ServerFiles(settings.server_dir)
    deadline_s = time.monotonic() + timeout_s
    if not files.is_running():
        return False
    pid = None
    while files.is_running():
        if pid is None and (pid := files.pid()) is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        if time.monotonic() >= deadline_s:
            raise ServerError(
                f"the server has not ended after {timeout_s:g} s",
                why=f"it is process {pid}" if pid else "it has not even finished starting",
                fix=_if_stuck(files),
            )
        time.sleep(_POLL_S)
    return True


def _prepare(settings: Settings) -> ServerFiles:
    for name, path in ("server_dir", settings.server_dir), ("redis_socket", settings.redis_socket):
        kind = network_file_system(path)
        if kind:
            raise ServerError(
                f"the queue's server cannot use {path}",
                why=f"it lies on a network file system ({kind}), which does not keep its promises",
                fix=f"set {name} (MLQ_{name.upper()}) to a path on a local disk of this machine",
            )
    check_socket_path(settings.redis_socket)
    private_dir(settings.redis_socket.parent)
    return ServerFiles(private_dir(settings.server_dir))


def _launch(settings: Settings, files: ServerFiles, lock: int, extra_users: Sequence[str]) -> None:
    _refuse_foreign_server(settings.redis_socket)
    program = find_program()
    password = _password(settings.password_file)
    create_key(settings.key_file)
    port = settings.redis_port if settings.redis_tcp else 0
    fsync = program.fsync(settings.redis_fsync)
    config = config_text(files.folder, settings.redis_socket, fsync, port)
    users = acl_text(settings.redis_user, password, extra_users)
    said_before = files.log_size()
    try:
        files.pid_file.unlink(missing_ok=True)
        write_atomically(files.users, users.encode())
        write_atomically(files.config, os.fsencode(config))
        files.log.touch(mode=0o600)
        with files.log.open("ab") as log:
            ran = subprocess.run(
                [program.path, files.config],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=files.folder,
                umask=0o077,
                pass_fds=[lock],
                check=False,
            )
    except OSError as error:
        raise ServerError(
            f"cannot start {program.path} in {files.folder}", why=error.strerror or str(error)
        ) from None
    if ran.returncode != 0:
        raise files.why_ended(said_before)


def _wait_until_up(settings: Settings, files: ServerFiles, deadline_s: float) -> bool:
    """Wait until the server answers; False if it is gone."""
    why = "it does not answer"
    while True:
        if not files.is_running():
            return False
        try:
            client = connect(settings)
            try:
                client.call("PING")
            finally:
                client.close()
        except QueueSilentError:
            raise ServerError(
                "the queue's server runs but does not answer",
                why=f"it is process {files.pid()}",
                fix=_if_stuck(files),
            ) from None
        except QueueUnreachableError as error:
            why = error.why
        except UnsafePathError as error:
            # Whoever starts the server for the first time makes its password just before.
            if files.pid() is not None:
                raise
            why = error.why
        except QueueRefusedError as error:
            raise ServerError(
                "the queue's server runs but refuses to work",
                why=error.why,
                fix=f"see {files.log}",
            ) from None
        else:
            return True
        if time.monotonic() >= deadline_s:
            raise ServerError("the queue's server is not ready", why=why, fix=f"see {files.log}")
        time.sleep(_POLL_S)


def _if_stuck(files: ServerFiles) -> str:
    pid = files.pid()
    ends = f"; `kill -9 {pid}` ends it, and what is on its disk stays" if pid else ""
    return f"see {files.log}{ends}"


def _password(path: Path) -> str:
    # An existing one stays: it outlives the server, and other machines have a copy.
    with suppress(FileExistsError):
        write_secret(path, secrets.token_hex(32).encode() + b"\n")
    return read_secret(path).decode().strip()


def _refuse_foreign_server(path: Path) -> None:
    # Of a server that was killed just now the kernel may drop the lock before the socket.
    until_s = time.monotonic() + _DYING_S
    while _answers(path):
        if time.monotonic() >= until_s:
            raise ServerError(
                f"another server answers at {path}",
                why="it keeps its data in another folder than server_dir",
                fix="stop it first, or set redis_socket or server_dir; see `mlq config`",
            )
        time.sleep(_POLL_S)


def _answers(path: Path) -> bool:
    with sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
