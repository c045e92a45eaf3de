"""Signatures of jobs."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlq.errors import SignatureError, UnsafePathError
from mlq.files.paths import SecretMissingError, write_secret
from mlq.jobs.signing import KEY_BYTES, create_key, load_key, sign, verify

KEY, OTHER_KEY = b"k" * KEY_BYTES, b"o" * KEY_BYTES


def test_it_is_hmac_sha256() -> None:
    # RFC 4231, test case 2.
    expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    signature = sign(b"Jefe", b"what do ya want for nothing?")
    assert base64.urlsafe_b64decode(signature + "=").hex() == expected


def test_a_signature_in_hexadecimal_is_accepted_too() -> None:
    expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    verify(b"Jefe", b"what do ya want for nothing?", expected)
    with pytest.raises(SignatureError):
        verify(b"Jefe", b"what do ya want for nothing?", "0" * 64)


@given(st.binary())
def test_what_was_signed_passes(text: bytes) -> None:
    verify(KEY, text, sign(KEY, text))


@given(st.binary(min_size=1), st.data())
def test_one_changed_byte_fails(text: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(text) - 1))
    flip = data.draw(st.integers(1, 255))
    altered = text[:at] + bytes([text[at] ^ flip]) + text[at + 1 :]
    with pytest.raises(SignatureError):
        verify(KEY, altered, sign(KEY, text))


@given(st.text())
def test_no_other_text_is_a_signature(signature: str) -> None:
    with pytest.raises(SignatureError):
        verify(KEY, b"job", signature)


def test_surrogates_in_a_signature_are_no_crash() -> None:
    with pytest.raises(SignatureError):
        verify(KEY, b"job", "\ud800")


def test_another_key_fails() -> None:
    with pytest.raises(SignatureError, match="another key"):
        verify(OTHER_KEY, b"job", sign(KEY, b"job"))


def test_a_key_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "config" / "signing.key"
    key = create_key(path)
    assert len(key) == KEY_BYTES
    assert create_key(path) == load_key(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    assert create_key(tmp_path / "other.key") != key


def test_a_missing_or_open_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SecretMissingError):
        load_key(tmp_path / "key")
    create_key(tmp_path / "key")
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(UnsafePathError):
        load_key(tmp_path / "key")


@pytest.mark.parametrize("content", [b"", b"secret", b"ab" * 31, b"zz" * 32, b"\xff" * 64])
def test_a_file_that_holds_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    write_secret(tmp_path / "key", content)
    with pytest.raises(SignatureError, match="holds no signing key"):
        load_key(tmp_path / "key")
