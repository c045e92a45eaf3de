"""Runs one command on the queue's host and talks to it, over the tunnel's connection if it can.

The tunnel of the commands is an `ssh` that holds a connection (`mlq.tunnel.openssh`); a command
over it costs one round trip. If there is no such connection, this module opens a new one: by the
user's own `ssh`, or in Python if the settings say so or there is no `ssh`.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple, Protocol

from mlq.errors import MlqError, TunnelError
from mlq.settings.settings import Settings
from mlq.tunnel.rendezvous import Rendezvous
from mlq.tunnel.target import Target
from mlq_cli.remote.ssh import MARK, SSH_FAILED, Ssh, line_of

_END_S = 5.0
_NOISE_LINES = 10_000


class Writes(Protocol):
    """A stream to write to."""

    def write(self, data: bytes, /) -> object:
        """Write all bytes."""

    def flush(self) -> object:
        """Send what was written."""


class Reads(Protocol):
    """A stream to read from."""

    def read(self, length: int, /) -> bytes:
        """Return `length` bytes, fewer only at the end."""

    def readline(self) -> bytes:
        """Return a line with its newline; only the last line may lack it."""


class FarShell(NamedTuple):
    """A command that runs on another host.

    Args:
        stdin: the command's standard input.
        stdout: the command's standard output.
        why_ended: returns the error that explains an unexpected end.
        close: ends the command.
    """

    stdin: Writes
    stdout: Reads
    why_ended: Callable[[], MlqError]
    close: Callable[[], None]


def open_far_shell(settings: Settings, words: Sequence[str]) -> FarShell:
    """Start a command on the queue's host; its output begins after what login scripts wrote.

    Raises:
        MlqError: the command cannot be started; says why and what to do.
    """
    line = line_of(words)
    by_python = settings.tunnel == "sshtunnel" or shutil.which("ssh") is None
    shell = _in_python(settings, line) if by_python else _by_ssh(settings, line)
    try:
        for _ in range(_NOISE_LINES):
            said = shell.stdout.readline()
            if not said:
                raise shell.why_ended()
            if said.strip() == MARK.encode():
                return shell
        raise MlqError(f"{settings.queue_host} writes without end where a login script should not")
    except BaseException:
        shell.close()
        raise


def _by_ssh(settings: Settings, line: str) -> FarShell:
    ssh, host = Ssh(settings), settings.queue_host
    master = master_folder(settings)
    options = ("-S", "./ctl") if master else ()
    with ExitStack() as stack:
        said = stack.enter_context(tempfile.TemporaryFile())  # an unread pipe could fill up
        child = subprocess.Popen(
            [*ssh.argv(host, *options), line],
            cwd=master,  # a unix socket has a short path
            env=ssh.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            start_new_session=True,  # so that ssh has no terminal to ask on
        )
        if child.stdin is None or child.stdout is None:
            raise AssertionError
        stack.callback(_end, child)

        def why_ended() -> MlqError:
            _end(child, _END_S)
            said.seek(0)
            words = said.read().decode(errors="replace")
            if child.returncode == SSH_FAILED or child.returncode < 0:
                return ssh.explained(host, words)
            return _too_soon(host, words or f"exit {child.returncode}")

        return FarShell(child.stdin, child.stdout, why_ended, stack.pop_all().close)


def master_folder(settings: Settings) -> Path | None:
    """Return the folder of the tunnel that holds a connection, if there is one."""
    folder = Rendezvous.of(settings, Target.of(settings)).folder
    return folder if (folder / "ctl").exists() else None


def _end(child: subprocess.Popen[bytes], within_s: float = 0.0) -> None:
    for stream in (child.stdin, child.stdout):
        with suppress(OSError):
            if stream is not None:
                stream.close()
    for stop in (child.terminate, child.kill, lambda: None):
        with suppress(subprocess.TimeoutExpired):
            child.wait(within_s)
        if child.returncode is not None:
            return
        stop()
        within_s = _END_S


def _in_python(settings: Settings, line: str) -> FarShell:
    import paramiko

    from mlq.tunnel.hops import hops
    from mlq.tunnel.python_ssh import close_all, connected

    target = Target.of(settings)
    with ExitStack() as stack:
        transports = stack.enter_context(connected(hops(target), target.by_hand))
        stack.callback(close_all, transports)
        try:
            channel = transports[-1].open_session()
            channel.exec_command(line.encode())
        except (paramiko.SSHException, EOFError) as error:
            raise TunnelError(f"{target.host} runs no commands", why=str(error)) from None
        stdin, stdout = channel.makefile_stdin("wb"), channel.makefile("rb")

        def why_ended() -> MlqError:
            said = channel.makefile_stderr("rb").read().decode(errors="replace")
            return _too_soon(target.host, said)

        return FarShell(stdin, stdout, why_ended, stack.pop_all().close)


def _too_soon(host: str, said: str) -> TunnelError:
    last = next((one for one in reversed(said.splitlines()) if one.strip()), "")
    return TunnelError(f"a command on {host} ended too soon", why=last or "it says nothing")
