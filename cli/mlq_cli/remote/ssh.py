"""Runs one command on one machine, by the user's own `ssh`.

As for the tunnel, a small configuration of our own includes the user's and sets what must hold on
every hop: ssh asks for no password and checks host keys. The login shell there may be any shell, so
a command is one list of words, quoted once, that starts `sh` itself. This `sh` first writes a mark,
which separates the command's output from that of login scripts and ssh.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from mlq.errors import MlqError, TunnelError
from mlq.files.layout import write_atomically
from mlq.files.paths import private_dir
from mlq.settings.settings import Settings
from mlq.tunnel.offered_key import Offered, ask_for_key
from mlq.tunnel.openssh import config_text
from mlq.tunnel.openssh_errors import explained
from mlq.tunnel.target import Target

SSH_FAILED = 255  # ssh(1), "EXIT STATUS"

MARK = "mlq:connected"
# The mark is on a line of its own, even if a login script has written no final newline.
_BEGIN = f"printf '\\n%s\\n' {MARK}; exec \"$@\""
_END_S = 5.0

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Ran:
    """The exit code and the output of a command on another machine."""

    code: int
    out: str
    err: str


class Ssh:
    """Runs commands on machines; several threads may use one object.

    Args:
        settings: which gateway to jump through and which ssh configuration to use.
    """

    def __init__(self, settings: Settings) -> None:
        program = shutil.which("ssh")
        if program is None:
            raise TunnelError("there is no `ssh` in the PATH", fix="install OpenSSH's client")
        self._program, self._settings = program, settings
        text = config_text(settings.ssh_config or "~/.ssh/config")
        name = hashlib.sha256(text.encode()).hexdigest()[:12]
        self._config = private_dir(private_dir(settings.runtime_dir) / "remote") / f"{name}.conf"
        write_atomically(self._config, text.encode())
        self.environ = {**os.environ, "LC_ALL": "C", "SSH_ASKPASS_REQUIRE": "never"}
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._ended = False

    def run(
        self,
        host: str,
        words: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout_s: float | None,
        connected: Callable[[], None] = lambda: None,
        told: Told = lambda _: None,
    ) -> Ran:
        """Run a command and wait for its end.

        Args:
            host: as typed after `ssh`.
            words: the command, a list of words for any shell there.
            stdin: its standard input.
            timeout_s: after this time `run` gives up; the command there is not ended.
            connected: called once the login has succeeded.
            told: called with each line that the command writes.

        Raises:
            TunnelError: the machine cannot be reached, or the connection was lost.
            MlqError: the command does not end in time, or the host runs no commands.
        """
        argv = [*self.argv(host), line_of(words)]
        child = self._start(argv)
        output = _Output(child, stdin, connected, told)
        try:
            in_time = output.wait(timeout_s)
        finally:
            _end(child)
            with self._lock:
                self._running.discard(child)
        if not in_time:
            raise _too_slow(host, timeout_s or 0.0, output)
        if child.returncode == SSH_FAILED or (child.returncode < 0 and not output.connected):
            raise self.explained(host, output.err)
        if not output.connected:
            raise MlqError(
                f"{host} runs no commands",
                why=_last(output.err) or _last(output.out) or f"exit {child.returncode}",
                fix=f"try it by hand: {self._target(host).by_hand} true",
            )
        return Ran(child.returncode, output.out, output.err)

    def end(self) -> None:
        """End all `ssh` processes here; what they started on other machines is not ended."""
        with self._lock:
            self._ended = True
            running = list(self._running)
        for child in running:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGTERM)

    def by_hand(self, host: str) -> str:
        """Return the command with which the user can connect the same way by hand."""
        return self._target(host).by_hand

    def _start(self, argv: list[str]) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._ended:
                raise MlqError("interrupted")
            child = subprocess.Popen(
                argv,
                env=self.environ,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                # So ssh has no terminal to ask on, and `end` ends its jump hosts with it.
                start_new_session=True,
            )
            self._running.add(child)
            return child

    def argv(self, host: str, *options: str) -> list[str]:
        """Return the `ssh` command for a host; the caller appends the command to run there."""
        gateway = self._target(host).gateway
        jump = ["-J", gateway] if gateway else []
        clear = ["-o", "ClearAllForwardings=yes", "-o", "ControlPersist=no"]
        return [self._program, "-F", str(self._config), *clear, *jump, "-T", *options, "--", host]

    def _target(self, host: str) -> Target:
        gateway = "" if host == self._settings.gateway else self._settings.gateway
        return Target(host, gateway, "", ssh_config=self._settings.ssh_config)

    def explained(self, host: str, said: str) -> TunnelError:
        """Return the error for the last words of an `ssh` to a host."""

        def ask() -> Offered:
            return ask_for_key([*self.argv(host, "-v"), "true"], self.environ)

        return explained(said, self._target(host), ask)


def line_of(words: Sequence[str]) -> str:
    """Return the line with which any shell writes the mark and runs a command."""
    return shlex.join(["sh", "-c", _BEGIN, "sh", *words])


class _Output:
    """Reads both outputs of a child, and feeds it, each in a thread."""

    def __init__(
        self,
        child: subprocess.Popen[bytes],
        stdin: bytes,
        connected: Callable[[], None],
        told: Told,
    ) -> None:
        self._child, self._connected, self._told = child, connected, told
        self.connected = False
        self._out: list[str] = []
        self._err: list[str] = []
        self._threads = [
            threading.Thread(target=work, args=arguments, daemon=True)
            for work, arguments in (
                (self._read_out, (child.stdout,)),
                (self._read_err, (child.stderr,)),
                (_feed, (child.stdin, stdin)),
            )
        ]
        for thread in self._threads:
            thread.start()

    @property
    def out(self) -> str:
        """The output after the mark; all output if the mark has not come yet."""
        return "".join(self._out)

    @property
    def err(self) -> str:
        """The output on standard error."""
        return "".join(self._err)

    def wait(self, timeout_s: float | None) -> bool:
        """Wait until the child has ended and all is read; return False on timeout."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(None if until is None else max(0.0, until - time.monotonic()))
            if thread.is_alive():
                return False
        try:
            self._child.wait(None if until is None else max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            return False
        return True

    def _read_out(self, stream: IO[bytes]) -> None:
        for line in stream:
            text = line.decode(errors="replace")
            if not self.connected and text.strip() == MARK:
                self.connected = True
                self._out.clear()  # what a login script wrote
                self._connected()
                continue
            self._out.append(text)
            if self.connected:
                self._told(text.rstrip("\n"))

    def _read_err(self, stream: IO[bytes]) -> None:
        for line in stream:
            text = line.decode(errors="replace")
            self._err.append(text)
            if self.connected:
                self._told(text.rstrip("\n"))


def _feed(stream: IO[bytes], data: bytes) -> None:
    with suppress(BrokenPipeError), stream:
        stream.write(data)


def _end(child: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        if child.poll() is not None:
            break
        with suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        with suppress(subprocess.TimeoutExpired):
            child.wait(_END_S)


def _too_slow(host: str, timeout_s: float, output: _Output) -> MlqError:
    if not output.connected:
        return TunnelError(
            f"{host} cannot be reached",
            why=f"it has not let us in after {timeout_s:g} s",
            fix="is it on, and does its home folder answer (NFS)?",
        )
    return MlqError(
        f"{host} is not through after {timeout_s:g} s",
        why=_last(output.err) or "it has said nothing; perhaps its file server (NFS) hangs",
        fix="what was begun there may still go on",
    )


def _last(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
