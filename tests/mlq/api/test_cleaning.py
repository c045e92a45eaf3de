"""Folders of jobs that have closed them to their own user: they go all the same."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlq.api.cleaning import open_up

_OTHER = 20_000


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of an ordinary user, who runs the test."""
    with tempfile.TemporaryDirectory() as made:
        is_root = os.geteuid() == 0
        if is_root:
            os.chown(made, _OTHER, _OTHER)
            os.seteuid(_OTHER)
        try:
            yield Path(made)
        finally:
            if is_root:
                os.seteuid(0)


def test_what_a_job_has_closed_can_be_removed(folder: Path) -> None:
    job, live = folder / "7", folder / "live"
    deep = job / "work" / "sub" / "deep"
    deep.mkdir(parents=True)
    live.mkdir(mode=0o500)
    (deep / "file").touch()
    (deep / "live").symlink_to(live)
    for one, mode in ((deep, 0o500), (deep.parent, 0), (job / "work", 0o300)):
        one.chmod(mode)
    with pytest.raises(PermissionError):
        shutil.rmtree(job)
    open_up(job)
    shutil.rmtree(job)
    assert not job.exists()
    assert live.stat().st_mode & 0o777 == 0o500
