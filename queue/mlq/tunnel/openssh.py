"""A tunnel by the user's own `ssh`: if the user can reach the host by hand, so can mlq.

One `ssh` child holds the connection as a master (`ControlMaster`), and mlq asks it for the
forwarding afterwards (`ssh -O forward`). So `ClearAllForwardings` can disable the forwardings of
the user's configuration, which would occupy the user's ports and could make our connection fail; a
forwarding given with `-L` would be cleared as well.

The options that every connection needs, jump hosts included, are in a small configuration of our
own that includes the user's: ssh takes the first value it finds, and hands the file on to the `ssh`
it starts for a jump host. All paths are relative to the tunnel's folder, where ssh runs, since the
paths of unix sockets must be short and ssh adds to the name while it creates one.
"""

from __future__ import annotations

import ctypes
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from mlq.errors import TunnelError
from mlq.files.layout import write_atomically
from mlq.tunnel.interface import Answer, ask
from mlq.tunnel.offered_key import Offered, ask_for_key
from mlq.tunnel.openssh_errors import explained, not_forwarded
from mlq.tunnel.target import NOT_OURS, Target, ask_folder, not_ours

CONNECT_S = 10
ALIVE_S = 8
ALIVE_COUNT = 2

_READY_S = 45.0
_SHORT_S = 15.0
_POLL_S = 0.02
_REASON_S = 1.0
_SYSTEM_CONFIG = "/etc/ssh/ssh_config"
_PR_SET_PDEATHSIG = 1  # prctl(2)


def config_text(user_config: str, alive_s: int = ALIVE_S) -> str:
    """Return the configuration under which every `ssh` of a tunnel runs.

    A silent loss is noticed after at most `alive_s` * (`ALIVE_COUNT` + 1) seconds.
    """
    options = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "ConnectTimeout": str(CONNECT_S),
        "ServerAliveInterval": str(alive_s),
        "ServerAliveCountMax": str(ALIVE_COUNT),
        "TCPKeepAlive": "yes",
        "StreamLocalBindMask": "0177",
        "StreamLocalBindUnlink": "yes",
        # An existing master of the user's may carry a jump; a connection of ours must not become
        # one.
        "ControlMaster": "no",
        "ForwardAgent": "no",
        "ForwardX11": "no",
        "GatewayPorts": "no",
        "Tunnel": "no",
        "PermitLocalCommand": "no",
        "RemoteCommand": "none",
        "RequestTTY": "no",
        "LogLevel": "INFO",
    }
    lines = [f"{name} {value}" for name, value in options.items()]
    return "\n".join([*lines, f"Include {user_config}", f"Include {_SYSTEM_CONFIG}", ""])


class OpensshConnector:
    """Makes connections by `ssh`.

    Args:
        target: where to.
        folder: private to this tunnel.
        program: the `ssh` to run.
        alive_s: see `config_text`.
    """

    def __init__(
        self, target: Target, folder: Path, *, program: str = "ssh", alive_s: int = ALIVE_S
    ) -> None:
        self._target, self._folder = target, folder
        self._program, self._alive_s = program, alive_s
        self._environ = {**os.environ, "LC_ALL": "C", "SSH_ASKPASS_REQUIRE": "never"}

    def __call__(self, halt: threading.Event) -> OpensshLink:
        """Connect and forward; see `mlq.tunnel.reconnect.Connector`."""
        self._clear_remains()
        text = config_text(self._target.ssh_config or "~/.ssh/config", self._alive_s)
        write_atomically(self._folder / "ssh_config", text.encode())
        link = OpensshLink(self._start_master(), self._explained)
        try:
            self._wait_for_master(link, halt)
            self._forward(link)
        except BaseException:
            link.close()
            (self._folder / "new").unlink(missing_ok=True)
            raise
        return link

    def _clear_remains(self) -> None:
        # If the system cannot make a child die with its parent, a killed parent may have left one.
        if (self._folder / "ctl").exists():
            self._ask_master("-O", "exit")
        for name in ("ctl", "new", "sock"):
            (self._folder / name).unlink(missing_ok=True)

    def _start_master(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self._ssh(), "-M", "-N", "-T", "-S", "./ctl", "--", self._target.host],
            cwd=self._folder,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,  # no terminal to ask at, and no Ctrl-C for other programs
            preexec_fn=_dying_with_parent(),  # noqa: PLW1509 - it makes only one system call
        )

    def _ssh(self) -> list[str]:
        jump = ["-J", self._target.gateway] if self._target.gateway else []
        clear = ["-o", "ClearAllForwardings=yes", "-o", "ControlPersist=no"]
        return [self._program, "-F", "./ssh_config", *clear, *jump]

    def _wait_for_master(self, link: OpensshLink, halt: threading.Event) -> None:
        until_s = time.monotonic() + _READY_S
        while not (self._folder / "ctl").exists():
            why = link.lost(_POLL_S)
            if why or halt.is_set():
                raise self._explained(link.said())
            if time.monotonic() > until_s:
                raise TunnelError(
                    f"no connection to {self._target.way}",
                    why=f"ssh is not through after {_READY_S:g} s",
                    fix=f"try it by hand: {self._target.by_hand}",
                )

    def _forward(self, link: OpensshLink) -> None:
        asked = None if self._target.port else [ask_folder(self._target)]
        if asked and self._ask_master(command=asked).returncode == NOT_OURS:
            raise not_ours(self._target)
        done = self._ask_master("-O", "forward", "-L", f"./new:{self._target.remote}")
        if done.returncode != 0:
            raise self._explained(done.stderr + link.said())
        if ask(self._folder / "new", CONNECT_S) is Answer.CLOSED:
            self._check_forwarding(link)
        # A command that sees the socket may use it, so it appears only once it is known to work.
        (self._folder / "new").rename(self._folder / "sock")

    def _check_forwarding(self, link: OpensshLink) -> None:
        # Either sshd does not forward, and waiting will not help, or no server runs there yet, and
        # the tunnel is fine. sshd's reply is the same in both cases.
        refused = "administratively prohibited" in self._said_on_failure(link)
        if refused or (not self._target.port and self._is_socket_there()):
            raise not_forwarded(self._target)

    @staticmethod
    def _said_on_failure(link: OpensshLink) -> str:
        # ssh closes the connection first and says why a moment later.
        until_s = time.monotonic() + _REASON_S
        while "open failed" not in (said := link.said()) and time.monotonic() < until_s:
            if link.lost(_POLL_S):
                break
        return said

    def _is_socket_there(self) -> bool:
        test = f"test -S {shlex.quote(self._target.socket)}"
        return self._ask_master(command=[test]).returncode == 0

    def _ask_master(
        self, *words: str, command: Sequence[str] = ()
    ) -> subprocess.CompletedProcess[str]:
        argv = [self._program, "-F", "none", "-S", "./ctl", *words, "--", self._target.host]
        try:
            return subprocess.run(
                [*argv, *command],
                cwd=self._folder,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_SHORT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(argv, 255, "", "ssh did not answer")

    def _explained(self, said: str) -> TunnelError:
        def ask() -> Offered:
            argv = [*self._ssh(), "-v", "-N", "--", self._target.host]
            return ask_for_key(argv, self._environ, self._folder)

        return explained(said, self._target, ask)


class OpensshLink:
    """A running `ssh` master; see `mlq.tunnel.reconnect.Link`."""

    def __init__(
        self, process: subprocess.Popen[str], explain: Callable[[str], TunnelError]
    ) -> None:
        self._process, self._explain = process, explain
        self._lines: deque[str] = deque(maxlen=100)
        self._silent = threading.Event()
        self._reader = threading.Thread(target=self._read, name="ssh says", daemon=True)
        self._reader.start()

    def lost(self, timeout_s: float) -> str:
        """Wait so many seconds for its end; return why it ended, "" while it holds."""
        # `Popen.wait` with a timeout looks twenty times a second; this sleeps.
        self._silent.wait(timeout_s)
        if self._process.poll() is None:
            return ""
        error = self._explain(self.said())
        return error.why or error.what

    def said(self) -> str:
        """Return the latest output of ssh."""
        if self._process.poll() is not None:
            self._reader.join(1.0)
        return "".join(list(self._lines))

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(1.0)

    def _read(self) -> None:
        stream = self._process.stderr
        if stream is None:
            return
        with stream, suppress(ValueError):
            for line in stream:
                self._lines.append(line)
        self._silent.set()


def _dying_with_parent() -> Callable[[], None] | None:
    """Return what a child does to get SIGTERM when the thread that started it is gone."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def set_death_signal() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return set_death_signal
