"""Turns what `ssh` says into mlq's errors: what happened, why, and what to do.

Pure text to error, so that each message is written and tested once. The lines are those of OpenSSH
under LC_ALL=C; an unknown line is passed on unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from mlq.errors import TunnelError
from mlq.tunnel.offered_key import Offered
from mlq.tunnel.target import Target

_AskForKey = Callable[[], Offered]

_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/=]+")
_OFFENDING = re.compile(r"Offending (\S+) key in (\S+)")
_KEY_HOST = re.compile(
    r"key for (\S+) has changed|host key is known for (\S+) and|for (\S+) was re"
)
_NOISE = re.compile(r"^(debug\d|Warning: |\*\*|Authenticated to|.*channel \d+: open failed)")


def explained(said: str, target: Target, ask_for_key: _AskForKey) -> TunnelError:
    """Turn the last words of an `ssh` into an error.

    Args:
        said: what it wrote to standard error.
        target: where it was to lead.
        ask_for_key: returns type and fingerprint of the key that the host offers; called only if
            that key is not known.
    """
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    for pattern, explain in _KNOWN:
        match = next((line for line in lines if re.search(pattern, line)), None)
        if match:
            return explain(match, said, target, ask_for_key)
    last = next((line for line in reversed(lines) if not _NOISE.match(line)), "")
    return TunnelError(
        f"no connection to {target.way}",
        why=last or "ssh ended without a word",
        fix=f"try it by hand: {target.by_hand}",
    )


def not_forwarded(target: Target) -> TunnelError:
    """Return the error for an sshd that does not forward to the server's socket or port."""
    if target.port:
        return TunnelError(
            f"{target.host} does not forward to {target.remote}",
            why="its sshd forbids it (AllowTcpForwarding, PermitOpen)",
            fix="ask its administrator, or keep the queue on another host",
        )
    return TunnelError(
        f"{target.host} does not forward to the unix socket {target.socket}",
        why="the socket is there, so its sshd forbids it (AllowStreamLocalForwarding, "
        "DisableForwarding), or the queue's server has died",
        fix="if `mlq server status` there says that it runs: ask the administrator, or keep the "
        "queue on another host; the last resort is redis_tcp = true, here and there (everybody "
        "logged in there can then try passwords; see docs/tunnels.md)",
    )


def unknown_key(host: str, offered: Offered, by_hand: str) -> TunnelError:
    """Return the error for a host whose key is not in known_hosts."""
    offers = f"; it offers {offered.key}" if offered.key else ""
    compare = "compare that with what its administrator says; if it is right, "
    yes = f"type `{by_hand}` once and answer yes"
    keep = (
        "give this host in your ssh configuration a list that lasts (`UserKnownHostsFile "
        f"~/.ssh/known_hosts`), and {yes} if you are asked"
    )
    forgets = "" if offered.is_kept else ", and your ssh configuration forgets what you accept"
    return TunnelError(
        f"the ssh host key of {host} is not known",
        why=f"known_hosts has none to compare it with{offers}{forgets}",
        fix=compare + (yes if offered.is_kept else keep),
    )


def changed_key(host: str, offered_key: str, place: str) -> TunnelError:
    """Return the error for a host whose key differs from the one in known_hosts."""
    return TunnelError(
        f"the ssh host key of {host} has changed: connecting is refused",
        why=f"it offers {offered_key or 'another key'}, which is not the one in {place}: the host "
        "was set up anew, or another machine sits between you and it",
        fix=f"ask its administrator for the right fingerprint; if it is this one: ssh-keygen -R "
        f"'{host}' and then connect once by hand",
    )


def denied(host: str, why: str, by_hand: str) -> TunnelError:
    """Return the error for a host that does not let us in."""
    return TunnelError(
        f"{host} does not let you in",
        why=why,
        fix=f"it must work without a question asked: `{by_hand}`; is the key in the agent "
        "(`ssh-add -l`), is the ticket valid (`klist`), is the user name right?",
    )


def unknown_host(name: str, why: str) -> TunnelError:
    """Return the error for a name that means no host."""
    return TunnelError(
        f"there is no host {name}",
        why=why,
        fix="see queue_host and gateway in `mlq config`, and the network: is the VPN up?",
    )


def unreachable_host(name: str, why: str) -> TunnelError:
    """Return the error for a host that does not answer."""
    return TunnelError(
        f"{name} cannot be reached",
        why=why,
        fix="is it on, and are you on a network from which it answers (VPN)?",
    )


def behind_gateway(target: Target, why: str) -> TunnelError:
    """Return the error for a gateway that cannot reach the queue's host."""
    return TunnelError(
        f"the gateway cannot reach {target.host}",
        why=why,
        fix="is that host on, and does the gateway allow jumps (AllowTcpForwarding)?",
    )


_Explain = Callable[[str, str, Target, _AskForKey], TunnelError]


def _resolve(line: str, _said: str, _target: Target, _ask: _AskForKey) -> TunnelError:
    found = re.search(r"[Rr]esolve hostname ([^:\s]+):?\s*(.*)", line)
    return unknown_host(found[1], found[2]) if found else unknown_host("of that name", line)


def _unknown(line: str, _said: str, target: Target, ask_for_key: _AskForKey) -> TunnelError:
    return unknown_key(_key_host(line) or target.host, ask_for_key(), target.by_hand)


def _changed(_line: str, said: str, target: Target, _ask: _AskForKey) -> TunnelError:
    fingerprint, place = _FINGERPRINT.search(said), _OFFENDING.search(said)
    return changed_key(
        _key_host(said) or target.host,
        fingerprint[0] if fingerprint else "",
        place[2] if place else "known_hosts",
    )


def _revoked(line: str, _said: str, target: Target, _ask: _AskForKey) -> TunnelError:
    return TunnelError(
        f"the ssh host key of {_key_host(line) or target.host} is revoked: connecting is refused",
        why=line,
        fix="ask its administrator",
    )


def _key_host(text: str) -> str:
    found = _KEY_HOST.search(text)
    return next((name for name in found.groups() if name), "") if found else ""


def _denied(line: str, said: str, target: Target, _ask: _AskForKey) -> TunnelError:
    who, colon, methods = line.partition(": Permission denied")
    agent = re.search(r"^.*(agent refused operation|signing failed).*$", said, re.MULTILINE)
    why = f"permission denied {methods.strip(' .')}".strip()
    return denied(
        who if colon else target.host,
        f"{why}; {agent[0].strip()}" if agent else why,
        target.by_hand,
    )


def _unreachable(line: str, _said: str, target: Target, _ask: _AskForKey) -> TunnelError:
    found = re.search(r"connect to host (\S+) port (\d+): (.*)", line)
    if found:
        return unreachable_host(f"{found[1]} port {found[2]}", found[3])
    return unreachable_host(target.way, line)


def _jump_failed(line: str, _said: str, target: Target, _ask: _AskForKey) -> TunnelError:
    return behind_gateway(target, re.sub(r"^.*open failed: ", "", line))


# The first pattern that occurs anywhere counts: a jump host's own message precedes ssh's.
_KNOWN: tuple[tuple[str, _Explain], ...] = (
    (r"IDENTIFICATION HAS CHANGED|key for \S+ has changed", _changed),
    (r"host key is known for \S+ and you have requested strict", _unknown),
    (r"[Hh]ost key for \S+ was revoked|REVOKED HOST KEY", _revoked),
    (r"[Cc]ould not resolve hostname", _resolve),
    (r"connect to host \S+ port \d+: ", _unreachable),
    (r"Permission denied", _denied),
    (r"Too many authentication failures", _denied),
    (r"^channel 0: open failed: |stdio forwarding failed", _jump_failed),
    (r"Timeout, server \S+ not responding|Connection (timed out|reset)", _unreachable),
)
