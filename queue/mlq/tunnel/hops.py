"""Reads the ssh configuration for the tunnel in Python: which hosts to go through, and how.

paramiko reads a configuration but follows neither `Include` nor `ProxyJump`. This module does what
`ssh` would: it follows the chain of jumps, and gives each hop the user, port, keys and known_hosts
files of its own section.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paramiko

from mlq.errors import TunnelError
from mlq.settings.people import user_name
from mlq.tunnel.target import Target

_SYSTEM_CONFIG = Path("/etc/ssh/ssh_config")
_SYSTEM_KNOWN_HOSTS = "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2"
_USER_KNOWN_HOSTS = "~/.ssh/known_hosts ~/.ssh/known_hosts2"
_USER_KEYS = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")
_MOST_JUMPS = 8
_DEEPEST_INCLUDE = 16
_DESTINATION = re.compile(r"^(?:ssh://)?(?:([^@]+)@)?(\[[^\]]+\]|[^:]+)(?::(\d+))?$")


@dataclass(frozen=True, slots=True)
class Hop:
    """One host on the way; holds file names, never a key.

    Args:
        name: as the user calls it, for messages.
        address: what to connect to.
        port: the port to connect to.
        user: the user name there.
        key_name: the name under which known_hosts lists its key.
        known_hosts: the files that hold host keys.
        key_files: private keys to try.
        with_agent: whether the keys of the ssh agent are tried too.
        only_listed: of the agent's keys only those that belong to `key_files` (IdentitiesOnly).
        proxy_command: a command that connects, instead of TCP; "": none.
    """

    name: str
    address: str
    port: int
    user: str
    key_name: str
    known_hosts: tuple[Path, ...]
    key_files: tuple[Path, ...]
    with_agent: bool = True
    only_listed: bool = False
    proxy_command: str = ""


def hops(target: Target) -> list[Hop]:
    """Return the hosts to go through, the queue's own last.

    Raises:
        TunnelError: the configuration cannot be read, or its jumps form a circle.
    """
    config = paramiko.SSHConfig()
    try:
        user_file = Path(target.ssh_config or "~/.ssh/config").expanduser()
        for path in (user_file, _SYSTEM_CONFIG):
            config.parse(_with_includes(path).splitlines())
        return _chain(config, target.host, target.gateway, _MOST_JUMPS)
    except (OSError, RuntimeError, ValueError, ImportError, paramiko.SSHException) as error:
        # ImportError: paramiko needs a package for `Match exec` that mlq does not depend on.
        raise TunnelError("the ssh configuration cannot be read", why=str(error)) from None


def _chain(config: paramiko.SSHConfig, destination: str, jumps: str, left: int) -> list[Hop]:
    if left == 0:
        raise TunnelError(
            f"more than {_MOST_JUMPS} jumps lead to {destination}",
            fix="look for a circle of ProxyJump in the ssh configuration",
        )
    hop, configured_jumps = _hop(config, destination)
    through = jumps or configured_jumps
    if not through:
        return [hop]
    first, *others = through.split(",")
    way = _chain(config, first.strip(), "", left - 1)
    return [*way, *(_hop(config, one.strip())[0] for one in others), hop]


def _hop(config: paramiko.SSHConfig, destination: str) -> tuple[Hop, str]:
    match = _DESTINATION.match(destination)
    if not match:
        raise TunnelError(f"{destination!r} is no ssh host", why="it is [user@]host[:port]")
    user, name, port = match[1], match[2].strip("[]"), match[3]
    found: Mapping[str, Any] = config.lookup(name)
    number = int(port or found.get("port", 22))
    address = found.get("hostname", name)
    alias = found.get("hostkeyalias")
    listed = f"{address}" if number == 22 else f"[{address}]:{number}"
    jump = found.get("proxyjump") or ""
    only_listed = found.get("identitiesonly", "no").lower() == "yes"
    files = found.get("identityfile") or _USER_KEYS
    return (
        Hop(
            name=name,
            address=address,
            port=number,
            user=user or found.get("user") or user_name(),
            key_name=alias or listed,
            known_hosts=_files(
                found.get("userknownhostsfile", _USER_KNOWN_HOSTS),
                found.get("globalknownhostsfile", _SYSTEM_KNOWN_HOSTS),
            ),
            key_files=tuple(Path(one).expanduser() for one in files if one.lower() != "none"),
            with_agent=found.get("identityagent", "").lower() != "none",
            only_listed=only_listed,
            proxy_command=found.get("proxycommand") or "",
        ),
        "" if jump.lower() == "none" else jump,
    )


def _files(*lists: str) -> tuple[Path, ...]:
    names = [one.strip('"') for names in lists for one in names.split()]
    return tuple(Path(one).expanduser() for one in names if one.lower() != "none")


def _with_includes(path: Path, depth: int = 0) -> str:
    """Return a configuration with included files in place of each Include; "" if there is none."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    lines, section = [], "Host *"
    for line in text.splitlines():
        word, _, rest = line.strip().replace("=", " ", 1).partition(" ")
        if word.lower() in {"host", "match"}:
            section = line
        if word.lower() != "include" or depth == _DEEPEST_INCLUDE:
            lines.append(line)
            continue
        for pattern in rest.split():
            included = _matching(pattern.strip('"'), path)
            lines.extend(_with_includes(one, depth + 1) for one in included)
        lines.append(section)  # a section of an included file ends with that file
    return "\n".join(lines)


def _matching(pattern: str, included_by: Path) -> list[Path]:
    at = _SYSTEM_CONFIG.parent if included_by == _SYSTEM_CONFIG else Path("~/.ssh").expanduser()
    path = at / Path(pattern).expanduser()
    return sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
