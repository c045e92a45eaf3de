"""The queue's own Redis server: started, found and stopped without root.

The server runs if and only if `server.lock` in its data folder is locked. The server inherits the
lock from the command that started it, so the kernel releases it when the server's last process
ends, however it ends. A pid file or a socket left behind by `kill -9` therefore misleads no
command, and of two commands that start the server at once, one gets the lock and the other waits
for the same server. A cleaner may delete the files of a running server: see `files`.

`appendfsync always` is the default because it is affordable. Measured on two busy cores and a
virtual disk (Valkey 9.1, ext4): one enqueue takes 0.8 ms (everysec: 0.35 ms), ten thousand in one
call go in at 11,000 a second (everysec: 14,000).
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from mlq.errors import (
    QueueRefusedError,
    QueueSilentError,
    QueueUnreachableError,
    ServerError,
    UnsafePathError,
)
from mlq.files.mounts import network_file_system
from mlq.files.paths import check_socket_path, private_dir
from mlq.server import known
from mlq.server.data import find_data
from mlq.server.files import ServerFiles, has_lost_socket
from mlq.server.launching import Launch, launch, settle
from mlq.server.status import connect
from mlq.server.witness import Count, Witness, count
from mlq.settings.settings import Settings

START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 60.0
_POLL_S = 0.01


def start(
    settings: Settings,
    *,
    timeout_s: float = START_TIMEOUT_S,
    extra_users: Sequence[str] = (),
    accept_loss: bool = False,
    afresh: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> bool:
    """Start the server in the background and wait until it answers.

    The first start also makes the queue's password and its signing key.

    Args:
        settings: of this installation.
        timeout_s: how long to wait; a long log takes a while to load.
        extra_users: see `mlq.server.config.acl_text`.
        accept_loss: start even if the data hold less than they did, or if there are none although
            this installation had a queue.
        afresh: set existing data aside and start without data, to make the queue anew.
        say: called with each message that the user should see.

    Returns:
        True if this call started it, False if it ran already or another command has just started
        it.

    Raises:
        ServerError: it cannot be started; names the log file if the server said why.
        LostDataError: its data are damaged, or less than they were; they are untouched.
        UnsafePathError: a folder or secret is open to others.
        SettingsError: the socket's path is too long.
    """
    files = _prepare(settings)
    deadline_s = time.monotonic() + timeout_s
    if has_lost_socket(settings.redis_socket, files.is_running):
        say(f"the server's socket {settings.redis_socket} was removed; the server is started again")
        stop(settings)
    while True:
        said_before = files.log_size()
        with files.locked() as lock:
            if lock is not None:
                told = Launch(
                    settings,
                    files,
                    lock,
                    deadline_s,
                    extra_users,
                    accept_loss=accept_loss or afresh,
                    afresh=afresh,
                    say=say,
                )
                launch(told)
        if _wait_until_up(settings, files, deadline_s):
            if lock is not None:
                _settle(settings, files, accept_loss=accept_loss or afresh)
            return lock is not None
        if lock is not None:
            raise files.why_ended(said_before)
        # The process that held the lock is gone: this one may start the server.


def stop(settings: Settings, *, timeout_s: float = STOP_TIMEOUT_S) -> bool:
    """Stop the server and wait until it has ended; all it holds is on disk.

    Returns:
        True if it was stopped, False if it was not running.

    Raises:
        ServerError: it did not end in time.
    """
    files = ServerFiles(settings.server_dir)
    deadline_s = time.monotonic() + timeout_s
    if not files.is_running():
        return False
    last = _count(settings)
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
    if last is not None:
        with suppress(ServerError):
            Witness(files.folder).note(last, find_data(files.folder))
            if not last.is_empty:
                known.remember(settings, last.queue_id)
    return True


def _settle(settings: Settings, files: ServerFiles, *, accept_loss: bool) -> None:
    client = connect(settings)
    try:
        settle(settings, files, count(client), accept_loss=accept_loss)
    except ServerError:
        stop(settings)
        raise
    finally:
        client.close()


def _count(settings: Settings) -> Count | None:
    """Return what the server holds; None if it does not say."""
    try:
        client = connect(settings)
        try:
            return count(client)
        finally:
            client.close()
    except (QueueUnreachableError, QueueRefusedError, UnsafePathError):
        return None


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
            # The first command that starts the server makes its password just before that.
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
