"""Packs on the root: written once, used again only if they are whole."""

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from mlq.code.manifest import Manifest, PackedFile, links_text, parse_manifest
from mlq.code.storing import FRESH_S, Shelf
from mlq.errors import UnsafePathError
from mlq.files.layout import Layout

MANIFEST = Manifest((PackedFile("a.py", 0o644, 3, hashlib.sha256(b"one").hexdigest()),))
LINKS = links_text(["data"])
NAME = f"{MANIFEST.digest}.tgz"


class Stored:
    """A root, and what one machine remembers of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.known: dict[str, list[Any]] = {}
        self.packed = 0

    def keep(self, now_s: float = 0.0) -> tuple[str, str]:
        shelf = Shelf(Layout(self.root), self.known, lambda: now_s)
        return shelf.keep(MANIFEST, LINKS, self._content)

    def _content(self, path: str) -> bytes:
        self.packed += 1
        return {"a.py": b"one"}[path]


@pytest.fixture
def stored(tmp_path: Path) -> Stored:
    return Stored(tmp_path)


def test_a_pack_its_manifest_and_its_links(stored: Stored) -> None:
    digest, links = stored.keep()
    folder = stored.root / "code"
    assert {path.name for path in folder.iterdir()} == {
        f"{digest}.tgz",
        f"{digest}.manifest",
        f"{links}.links",
    }
    assert parse_manifest((folder / f"{digest}.manifest").read_bytes(), digest) == MANIFEST
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_it_is_written_once(stored: Stored) -> None:
    stored.keep()
    before = (stored.root / "code" / NAME).stat()
    stored.keep()
    assert stored.packed == 1
    assert (stored.root / "code" / NAME).stat().st_ino == before.st_ino


def test_another_machine_checks_it_and_uses_it(stored: Stored) -> None:
    stored.keep()
    other = Stored(stored.root)
    other.keep()
    assert other.packed == 0


@pytest.mark.parametrize("remembers", [True, False])
def test_a_pack_that_was_cut_short_or_swapped_is_replaced(stored: Stored, remembers: bool) -> None:
    stored.keep()
    path = stored.root / "code" / NAME
    whole = path.read_bytes()
    for damaged in (whole[:-9], b"", whole[:-1] + b"!"[:1]):
        path.write_bytes(damaged)
        os.utime(path, (99, 99))
        again = stored if remembers else Stored(stored.root)
        again.keep()
        assert path.read_bytes() == whole


def test_a_damaged_manifest_is_replaced(stored: Stored) -> None:
    digest, _ = stored.keep()
    path = stored.root / "code" / f"{digest}.manifest"
    path.write_text("[]\n")
    stored.keep()
    assert parse_manifest(path.read_bytes(), digest) == MANIFEST


def test_what_is_used_again_is_touched_now_and_then(stored: Stored) -> None:
    stored.keep()
    path = stored.root / "code" / NAME
    before = path.stat().st_mtime
    stored.keep(before + 60)
    assert path.stat().st_mtime == before
    os.utime(path, (before - FRESH_S, before - FRESH_S))
    stored.keep(before)
    assert path.stat().st_mtime > before - 60
    assert stored.packed == 1


def test_a_folder_that_is_open_to_others_is_refused(stored: Stored) -> None:
    (stored.root / "code").mkdir(mode=0o755)
    with pytest.raises(UnsafePathError, match="open to others"):
        stored.keep()
    assert not list((stored.root / "code").iterdir())


def test_a_pack_that_is_cleaned_away_meanwhile_is_written_anew(stored: Stored) -> None:
    stored.keep()

    def cleaned() -> float:
        for path in (stored.root / "code").iterdir():
            path.unlink()
        return 4e9  # so late that what is there is touched

    digest, _ = Shelf(Layout(stored.root), stored.known, cleaned).keep(
        MANIFEST, b"", lambda _: b"one"
    )
    assert (stored.root / "code" / f"{digest}.tgz").exists()
