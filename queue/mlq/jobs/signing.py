"""Signatures of jobs: a worker runs nothing that this queue's key has not signed.

Otherwise anybody who can write to Redis could run code as the owner of the workers. The signature
covers the exact text of a job as it is stored (its canonical JSON, id included), never a value read
back from it, so no two texts of different meaning share a signature.
"""

from __future__ import annotations

import base64
import hmac
import os
from pathlib import Path

from mlq.errors import SignatureError
from mlq.files.paths import read_secret, write_secret

KEY_BYTES = 32
_HEX_LETTERS = 64


def create_key(path: Path) -> bytes:
    """Make a new random key, or return the one that is there already.

    Raises:
        UnsafePathError: the file is open to others, or cannot be written.
        SignatureError: the file that is there holds no key.
    """
    key = os.urandom(KEY_BYTES)
    try:
        write_secret(path, key.hex().encode() + b"\n")
    except FileExistsError:
        return load_key(path)
    return key


def load_key(path: Path) -> bytes:
    """Return the key.

    Raises:
        SecretMissingError: there is no such file.
        UnsafePathError: the file is open to others.
        SignatureError: the file holds no key.
    """
    text = read_secret(path).strip()
    try:
        key = bytes.fromhex(text.decode())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise SignatureError(
            f"{path} holds no signing key",
            why=f"a key is {2 * KEY_BYTES} hexadecimal digits",
            fix="copy it anew from the queue's host with scp -p",
        )
    return key


def fingerprint(key: bytes) -> str:
    """Return a digest that identifies the key and reveals nothing of it."""
    return _digest(key, b"mlq: which key is this?").hex()[:12]


def sign(key: bytes, text: bytes) -> str:
    """Return the signature of a text: HMAC-SHA256 (RFC 2104) in base64 (RFC 4648, section 5)."""
    return base64.urlsafe_b64encode(_digest(key, text)).rstrip(b"=").decode()


def verify(key: bytes, text: bytes, signature: str) -> None:
    """Check the signature of a text, in a time that reveals nothing about the right one.

    Raises:
        SignatureError: it is not the signature of this text by this key.
    """
    # Until 0.1.0 signatures were hexadecimal; jobs with such signatures may still wait.
    is_hex = len(signature) == _HEX_LETTERS
    right = _digest(key, text).hex() if is_hex else sign(key, text)
    if not hmac.compare_digest(right.encode(), signature.encode(errors="replace")):
        raise SignatureError(
            "the job's signature is wrong",
            why="it was altered after it was signed, or signed with another key",
            fix="is key_file the same file here and where the job was enqueued? See `mlq config`",
        )


def _digest(key: bytes, text: bytes) -> bytes:
    return hmac.digest(key, text, "sha256")
