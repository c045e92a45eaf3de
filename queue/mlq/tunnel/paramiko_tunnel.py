"""A tunnel in Python: the sshtunnel package, with its security gaps closed.

By itself the package listens on all interfaces, never checks host keys, ignores ProxyJump, refuses
remote unix sockets, makes its own socket open to others, takes a dead connection to be alive for
minutes, and shows the password in its `repr`. Here host keys are checked at every hop, both ends
are unix sockets (ours 0600), the far end must answer every few seconds, and there is no password at
all.
"""

from __future__ import annotations

import contextlib
import logging
import shlex
import socket
import threading
import time
from pathlib import Path
from typing import Any

import paramiko
import sshtunnel

from mlq.errors import TunnelError
from mlq.tunnel.hops import hops
from mlq.tunnel.openssh_errors import not_forwarded
from mlq.tunnel.python_ssh import TIMEOUT_S, Transport, close_all, connected
from mlq.tunnel.target import LOOPBACK, NOT_OURS, Target, ask_folder, not_ours

BEAT_S = 8.0
SILENCE_S = 24.0

_BACKLOG = 128
_CHUNK = 65536
_PROHIBITED = 1  # SSH_OPEN_ADMINISTRATIVELY_PROHIBITED, RFC 4254 section 5.1
_UNUSED = (LOOPBACK, 1)

# Both packages log every failure as an error with a traceback; mlq reports it in one message.
logging.getLogger("paramiko").setLevel(logging.CRITICAL)
_quiet = logging.getLogger("mlq.tunnel.sshtunnel")
_quiet.setLevel(logging.CRITICAL)


class ParamikoConnector:
    """Makes connections by sshtunnel.

    Args:
        target: where to.
        folder: private to this tunnel.
        beat_s: between two questions to the far end.
        silence_s: after so long without an answer, the connection is given up.
    """

    def __init__(
        self,
        target: Target,
        folder: Path,
        *,
        beat_s: float = BEAT_S,
        silence_s: float = SILENCE_S,
    ) -> None:
        self._target, self._socket = target, folder / "sock"
        self._beat_s, self._silence_s = beat_s, silence_s

    def __call__(self, halt: threading.Event) -> ParamikoLink:
        """Connect and forward; see `mlq.tunnel.reconnect.Connector`."""
        self._socket.unlink(missing_ok=True)
        with connected(hops(self._target), self._target.by_hand) as transports:
            if halt.is_set():
                raise TunnelError("the tunnel was stopped")
            self._try_forwarding(transports[-1])
            forwarder = Forwarder(self._target, self._socket, transports[-1])
            forwarder.start()
            return ParamikoLink(forwarder, transports, self._beat_s, self._silence_s)

    def _try_forwarding(self, transport: Transport) -> None:
        asked = "" if self._target.port else ask_folder(self._target)
        if asked and _exit_code(transport, asked) == NOT_OURS:
            raise not_ours(self._target)
        try:
            open_remote(transport, self._target).close()
        except paramiko.ChannelException as error:
            refused = error.code == _PROHIBITED
            if refused or (not self._target.port and _is_socket_there(transport, self._target)):
                raise not_forwarded(self._target) from None
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise TunnelError(f"no connection to {self._target.way}", why=str(error)) from None


def open_remote(transport: Transport, target: Target) -> paramiko.Channel:
    """Open a channel to the queue's server."""
    if target.port:
        to = (LOOPBACK, target.port)
        return transport.open_channel("direct-tcpip", to, (LOOPBACK, 0), timeout=TIMEOUT_S)
    return transport.open_socket(target.socket, TIMEOUT_S)


def _is_socket_there(transport: Transport, target: Target) -> bool:
    # sshd's reply is the same for a refusal and for a missing socket.
    return _exit_code(transport, f"test -S {shlex.quote(target.socket)}") == 0


def _exit_code(transport: Transport, command: str) -> int:
    """Run a command there; -1 if that cannot be done."""
    try:
        with contextlib.closing(transport.open_session(timeout=TIMEOUT_S)) as session:
            session.settimeout(TIMEOUT_S)
            session.exec_command(command)
            # `recv_exit_status` itself would wait for ever.
            return session.recv_exit_status() if session.status_event.wait(TIMEOUT_S) else -1
    except (paramiko.SSHException, EOFError, OSError):
        return -1


class Forwarder(sshtunnel.SSHTunnelForwarder):  # type: ignore[misc] # the package has no types
    """Serves a unix socket and carries each connection over an existing transport.

    Args:
        target: where connections lead.
        path: of the socket; nothing may be there.
        transport: connected, the host's key checked, logged in.
    """

    def __init__(self, target: Target, path: Path, transport: Transport) -> None:
        self._target, self._ready = target, transport
        super().__init__(
            target.host,
            ssh_config_file=None,
            local_bind_address=str(path),
            remote_bind_address=_UNUSED,
            set_keepalive=0.0,
            logger=_quiet,
        )

    @staticmethod
    def _read_ssh_config(ssh_host: str, *_: object, **__: object) -> tuple[Any, ...]:
        return ssh_host, "", None, 22, None, False  # `hops` has read the configuration

    @staticmethod
    def _consolidate_auth(*_: object, **__: object) -> tuple[None, list[Any]]:
        return None, []  # `python_ssh` has logged in; no secret is kept here

    def _connect_to_gateway(self) -> None:
        self._transport = self._ready

    def _make_ssh_forward_handler_class(self, remote_address: object) -> type[Any]:
        return type("Handler", (_Handler,), {"forwarder": self, "remote_address": remote_address})

    def _make_stream_ssh_forward_server_class(self, _: object) -> type[Any]:
        return _Server

    def open(self) -> paramiko.Channel:
        """Open a channel to the queue's server."""
        return open_remote(self._ready, self._target)

    def __repr__(self) -> str:
        return f"<tunnel to {self._target}>"

    __str__ = __repr__


class _Server(sshtunnel._ThreadingStreamForwardServer):  # type: ignore[misc] # noqa: SLF001 - its base
    request_queue_size = _BACKLOG

    def server_bind(self) -> None:
        super().server_bind()
        # The folder is ours alone, so no other user could connect before this.
        Path(self.server_address).chmod(0o600)

    def handle_error(self, *_: object) -> None:
        """Log nothing: the client sees the connection end."""


class _Handler(sshtunnel._ForwardHandler):  # type: ignore[misc] # noqa: SLF001 - its base
    forwarder: Forwarder

    def handle(self) -> None:
        """Carry one connection, both ways at once: a client may send long before it reads."""
        try:
            channel = self.forwarder.open()
        except (paramiko.SSHException, EOFError, OSError):
            return
        back = threading.Thread(target=_carry_back, args=(channel, self.request), daemon=True)
        back.start()
        with contextlib.suppress(OSError, EOFError):
            while data := self.request.recv(_CHUNK):
                channel.sendall(data)
            channel.shutdown_write()
            back.join()
        channel.close()
        with contextlib.suppress(OSError):
            self.request.shutdown(socket.SHUT_RDWR)
        back.join()


def _carry_back(channel: paramiko.Channel, request: socket.socket) -> None:
    with contextlib.suppress(OSError, EOFError):
        while data := channel.recv(_CHUNK):
            request.sendall(data)
    # The server has closed, so close this end, too; that wakes the thread that reads from it.
    with contextlib.suppress(OSError):
        request.shutdown(socket.SHUT_RDWR)


class ParamikoLink:
    """A running forwarder; see `mlq.tunnel.reconnect.Link`.

    Asks the far end for a reply every `beat_s`: TCP knows only the first hop, and paramiko's own
    keepalive does not wait for an answer.
    """

    def __init__(
        self, forwarder: Forwarder, transports: list[Transport], beat_s: float, silence_s: float
    ) -> None:
        self._forwarder, self._transports = forwarder, transports
        self._beat_s, self._silence_s = beat_s, silence_s
        self._heard_s = time.monotonic()
        self._ended = threading.Event()
        threading.Thread(target=self._ask, name="ssh alive", daemon=True).start()

    def lost(self, timeout_s: float) -> str:
        """Wait so many seconds for its end; return why it ended, "" while it holds."""
        self._ended.wait(timeout_s)
        if not self._transports[-1].is_active():
            return "the ssh connection ended"
        silent_s = time.monotonic() - self._heard_s
        return f"no answer for {silent_s:.0f} s" if silent_s > self._silence_s else ""

    def close(self) -> None:
        """End it."""
        self._ended.set()
        close_all(self._transports)
        self._forwarder.stop()

    def _ask(self) -> None:
        transport = self._transports[-1]
        while transport.is_active():
            with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
                transport.global_request("keepalive@openssh.com", wait=True)
            if not transport.is_active():
                break
            self._heard_s = time.monotonic()
            if self._ended.wait(self._beat_s):
                return
        self._ended.set()
