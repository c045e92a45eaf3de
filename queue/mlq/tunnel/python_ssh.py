"""Connects by ssh in Python: through every hop, checking each host key and asking no questions.

Used where there is no `ssh`. It never asks for or keeps a password or passphrase: keys come from
files without a passphrase and from the ssh agent, as under `ssh -o BatchMode=yes`.
"""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import paramiko

from mlq.errors import TunnelError
from mlq.tunnel import known_hosts
from mlq.tunnel.hops import Hop
from mlq.tunnel.openssh_errors import denied, unknown_host, unreachable_host

TIMEOUT_S = 10.0
UNACKNOWLEDGED_S = 25

_STREAMLOCAL = "direct-streamlocal@openssh.com"  # OpenSSH's PROTOCOL file, section 2.4


class Transport(paramiko.Transport):
    """A transport that can also open a channel to a unix socket at the far end."""

    def __init__(self, sock: Any) -> None:
        super().__init__(sock)
        self._opening = threading.local()

    def open_socket(self, path: str, timeout_s: float) -> paramiko.Channel:
        """Open a channel to a unix socket.

        Raises:
            paramiko.ChannelException: the far end refuses.
        """
        self._opening.path = path
        try:
            return self.open_channel(_STREAMLOCAL, timeout=timeout_s)
        finally:
            self._opening.path = None

    def _send_user_message(self, message: paramiko.Message) -> None:
        # Only here can a channel of a kind unknown to paramiko get its own fields; paramiko calls
        # this in the thread that opens the channel.
        path = getattr(self._opening, "path", None)
        if path is not None:
            message.add_string(path)
            message.add_string("")  # reserved
            message.add_int(0)  # reserved
        sender: Any = super()
        sender._send_user_message(message)  # noqa: SLF001 - see above


@contextlib.contextmanager
def connected(way: list[Hop], by_hand: str) -> Iterator[list[Transport]]:
    """Connect to the last host of a way; close all hops again if any step fails.

    Args:
        way: the hosts to go through.
        by_hand: the command that does the same on a terminal, for messages.

    Yields:
        One transport a hop.

    Raises:
        TunnelError: it cannot connect; the message says why.
    """
    transports: list[Transport] = []
    try:
        for hop in way:
            transports.append(_open(hop, transports))
            _check_host(hop, transports[-1], by_hand)
            _authenticate(hop, transports[-1], by_hand)
        yield transports
    except BaseException:
        close_all(transports)
        raise


def close_all(transports: list[Transport]) -> None:
    """Close all hops, the nearest first: closing one behind a dead link would wait for a reply."""
    for transport in transports:
        transport.close()


def _open(hop: Hop, before: list[Transport]) -> Transport:
    try:
        sock: Any
        if before:
            sock = before[-1].open_channel(
                "direct-tcpip", (hop.address, hop.port), ("127.0.0.1", 0), timeout=TIMEOUT_S
            )
        elif hop.proxy_command:
            sock = paramiko.ProxyCommand(hop.proxy_command)
        else:
            sock = _tcp(hop)
        transport = Transport(sock)
    except socket.gaierror as error:
        raise unknown_host(hop.address, error.strerror or str(error)) from None
    except OSError as error:
        why = error.strerror or str(error)
        raise unreachable_host(f"{hop.address} port {hop.port}", why) from None
    except paramiko.SSHException as error:
        raise TunnelError(
            f"the gateway cannot reach {hop.name}",
            why=_plain(error),
            fix="is that host on, and does the gateway allow jumps (AllowTcpForwarding)?",
        ) from None
    transport.daemon = True
    transport.banner_timeout = transport.auth_timeout = TIMEOUT_S
    return transport


def _tcp(hop: Hop) -> socket.socket:
    sock = socket.create_connection((hop.address, hop.port), TIMEOUT_S)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; see also `Heart`
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_S * 1000)
    return sock


def _check_host(hop: Hop, transport: Transport, by_hand: str) -> None:
    known = known_hosts.known_keys(hop.known_hosts, hop.key_name)
    options = transport.get_security_options()
    options.key_types = known_hosts.preferred(options.key_types, known)
    try:
        transport.start_client(timeout=TIMEOUT_S)
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise unreachable_host(f"{hop.address} port {hop.port}", _plain(error)) from None
    key = transport.get_remote_server_key()
    kept = hop.known_hosts[:1] != (Path("/dev/null"),)
    name, blob = key.get_name(), key.asbytes()
    known_hosts.check(hop.key_name, name, blob, known, by_hand, is_kept=kept)


def _authenticate(hop: Hop, transport: Transport, by_hand: str) -> None:
    tried = []
    for label, key in _keys(hop):
        tried.append(label)
        if key is None:
            continue
        try:
            if not transport.auth_publickey(hop.user, key):
                return
        except paramiko.AuthenticationException:
            continue
        except (paramiko.SSHException, EOFError) as error:
            raise denied(f"{hop.user}@{hop.name}", _plain(error), by_hand) from None
    why = f"none of these keys was accepted: {', '.join(tried)}" if tried else "there is no key"
    raise denied(f"{hop.user}@{hop.name}", why, by_hand)


def _keys(hop: Hop) -> Iterator[tuple[str, paramiko.PKey | None]]:
    for path in hop.key_files:
        if path.exists():
            yield _from_file(path)
    if hop.with_agent:
        listed = _public_keys(hop.key_files) if hop.only_listed else None
        for key in paramiko.Agent().get_keys():
            if listed is None or key.asbytes() in listed:
                yield f"{key.get_name()} of the agent", key


def _public_keys(key_files: Iterable[Path]) -> set[bytes]:
    """Return the public halves of these keys, from the .pub files or the key files themselves."""
    found = set()
    for path in key_files:
        for public in (path, path.with_name(f"{path.name}.pub")):
            with contextlib.suppress(OSError, ValueError, IndexError):
                found.add(base64.b64decode(public.read_bytes().split()[1], validate=True))
    return found


def _from_file(path: Path) -> tuple[str, paramiko.PKey | None]:
    try:
        return str(path), paramiko.PKey.from_path(path)
    except TypeError:  # raised by the cryptography package
        return f"{path} (needs its passphrase: ssh-add it)", None
    except (OSError, ValueError, paramiko.SSHException, paramiko.pkey.UnknownKeyType):
        return f"{path} (cannot be read)", None


def _plain(error: Exception) -> str:
    if isinstance(error, paramiko.ChannelException):
        return str(error.text)
    return str(error) or type(error).__name__
