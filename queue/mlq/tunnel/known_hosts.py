"""Checks that a host's key is the known one; the sshtunnel package never does.

Rules as in sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT": names may be hashed, patterns or negated; a
revoked key is refused even if it is listed as well. Lines for certificate authorities are ignored:
they make no host known here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from mlq.errors import TunnelError
from mlq.tunnel.offered_key import Offered
from mlq.tunnel.openssh_errors import changed_key, unknown_key

_RSA = ("rsa-sha2-512", "rsa-sha2-256")


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A line about a host: `kind` and `blob` as on the wire, and the file and line."""

    kind: str
    blob: bytes
    place: str
    revoked: bool = False


def known_keys(files: Iterable[Path], name: str) -> list[KnownKey]:
    """Return the keys that are listed for a host.

    Args:
        files: known_hosts files; missing ones are ignored.
        name: the host, as `host` or `[host]:port`.
    """
    found = []
    for path in files:
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue  # as in ssh, an unreadable file makes no host known
        for number, line in enumerate(lines, 1):
            key = _key_of(line, name, f"{path}:{number}")
            if key:
                found.append(key)
    return found


def preferred(offered: Iterable[str], known: Iterable[KnownKey]) -> tuple[str, ...]:
    """Return the algorithms to ask a host for: those of its listed keys first, as ssh does."""
    kinds: set[str] = set()
    for key in known:
        kinds.update(_RSA if key.kind == "ssh-rsa" else (key.kind,))
    return tuple(sorted(offered, key=lambda algorithm: algorithm not in kinds))


def check(
    host: str,
    kind: str,
    blob: bytes,
    known: list[KnownKey],
    by_hand: str,
    *,
    is_kept: bool = True,
) -> None:
    """Make sure that this is the key that is listed for a host.

    Args:
        host: its name in the list.
        kind: the type of the key it offers, such as `ssh-ed25519`.
        blob: the key.
        known: the keys listed for it.
        by_hand: the command that connects by hand.
        is_kept: whether ssh writes a key that the user accepts to a file that lasts.

    Raises:
        TunnelError: it is unknown, changed or revoked.
    """
    offered = f"{kind} {fingerprint(blob)}"
    for key in known:
        if key.revoked and key.blob == blob:
            raise TunnelError(
                f"the ssh host key of {host} is revoked: connecting is refused",
                why=f"{key.place} says so of {offered}",
                fix="ask its administrator",
            )
    listed = [key for key in known if not key.revoked]
    if any(hmac.compare_digest(key.blob, blob) for key in listed):
        return
    if not listed:
        raise unknown_key(host, Offered(offered, is_kept), by_hand)
    raise changed_key(host, offered, listed[0].place)


def fingerprint(blob: bytes) -> str:
    """Return the fingerprint of a public key as ssh shows it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def _key_of(line: str, name: str, place: str) -> KnownKey | None:
    words = line.split()
    marker = words.pop(0) if words and words[0].startswith("@") else ""
    if len(words) < 3 or words[0].startswith("#") or marker not in ("", "@revoked"):
        return None
    if not _is_about(words[0], name):
        return None
    try:
        blob = base64.b64decode(words[2], validate=True)
    except binascii.Error:
        return None
    return KnownKey(words[1], blob, place, revoked=bool(marker))


def _is_about(names: str, name: str) -> bool:
    if names.startswith("|1|"):
        return _is_hash_of(names, name)
    found = False
    for pattern in names.lower().split(","):
        # In fnmatch brackets are a set; here they are part of `[host]:port`.
        plain = pattern.removeprefix("!").replace("[", "[[]")
        if fnmatchcase(name.lower(), plain):
            if pattern.startswith("!"):
                return False
            found = True
    return found


def _is_hash_of(names: str, name: str) -> bool:
    try:
        salt, digest = (base64.b64decode(part) for part in names.split("|")[2:4])
    except (binascii.Error, ValueError):
        return False
    # The format requires SHA-1; it hides names and protects nothing.
    return hmac.compare_digest(hmac.new(salt, name.encode(), hashlib.sha1).digest(), digest)
