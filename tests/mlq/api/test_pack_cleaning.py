"""Packs go when no listed job needs them, and never while somebody enqueues with them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from packs import write_pack

from mlq.api.pack_cleaning import remove, unneeded
from mlq.code.storing import FRESH_S
from mlq.files.layout import Layout

NOW_S = 2e9
OLD_S = NOW_S - FRESH_S - 10


@pytest.fixture
def root(tmp_path: Path) -> Layout:
    """A root with three packs, one of which is new, and what somebody left who was interrupted."""
    for content, at_s in ((b"one", OLD_S), (b"two", OLD_S), (b"new", NOW_S - 10)):
        write_pack(tmp_path, {"x.py": content}, live=[f"data-{content.decode()}"])
        for path in (tmp_path / "code").iterdir():
            if path.stat().st_mtime > NOW_S or path.stat().st_mtime < OLD_S - 1:
                os.utime(path, (at_s, at_s))
    left = tmp_path / "code" / ".x.tgz.1-2.tmp"
    left.touch()
    os.utime(left, (OLD_S, OLD_S))
    (tmp_path / "code" / "README").touch()
    return Layout(tmp_path)


def names(root: Layout) -> set[str]:
    return {one.name for one in (root.root / "code").iterdir()}


def test_what_nobody_needs_goes_and_what_is_new_stays(root: Layout, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    one = write_pack(tmp_path / "other", {"x.py": b"one"}, live=["data-one"])
    two = write_pack(tmp_path / "other", {"x.py": b"two"}, live=["data-two"])
    found = unneeded(root, lambda: frozenset({one.pack, one.links}), NOW_S)
    assert {pack.digest for pack in found} == {"", two.pack, two.links}
    assert all(remove(root, pack, NOW_S) for pack in found)
    assert f"{one.pack}.tgz" in names(root)
    assert f"{two.pack}.tgz" not in names(root)
    assert len(names(root)) == 3 + 3 + 1
    assert unneeded(root, frozenset, NOW_S + FRESH_S) != []


def test_what_is_touched_meanwhile_stays(root: Layout) -> None:
    found = unneeded(root, frozenset, NOW_S)
    pack = next(one for one in found if any(name.endswith(".tgz") for name in one.files))
    before = names(root)
    for name in pack.files:
        os.utime(root.root / "code" / name, (NOW_S, NOW_S))
    assert not remove(root, pack, NOW_S)
    assert names(root) == before


def test_a_root_without_packs_has_none(tmp_path: Path) -> None:
    assert unneeded(Layout(tmp_path), frozenset, NOW_S) == []
