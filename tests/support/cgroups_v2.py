"""Cgroups of version 2 for tests, where root may make them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from ci import require
from waiting import wait_for

ROOTS = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"))


@contextmanager
def new_cgroup() -> Iterator[Path]:
    """Yield the folder of a new cgroup, without controllers; or skip."""
    made = _made()
    require(made, "the right to make cgroups of version 2 (root)")
    assert made is not None
    try:
        yield made
    finally:
        wait_for(lambda: not _procs(made), what="an empty cgroup")
        _remove(made)


def _made() -> Path | None:
    for root in ROOTS:
        folder = root / f"mlq-test-{uuid4().hex[:12]}.scope"
        with suppress(OSError):
            folder.mkdir()
            if (folder / "cgroup.freeze").exists():
                return folder
            folder.rmdir()
    return None


def _procs(folder: Path) -> str:
    return "".join(one.read_text() for one in folder.rglob("cgroup.procs"))


def _remove(folder: Path) -> None:
    for below in folder.iterdir():
        if below.is_dir():
            _remove(below)
    folder.rmdir()
