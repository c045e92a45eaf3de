"""A results root belongs to one queue, and remembers how far its jobs were numbered."""

import stat
from pathlib import Path

import pytest

from mlq.errors import EmptiedQueueError, StorageError, UnsafePathError
from mlq.files.layout import Layout
from mlq.files.root import (
    LastLook,
    WrongRootError,
    absurd_folders,
    claim_root,
    largest_number,
    pinned,
    what_is_wrong,
)


def test_a_root_belongs_to_the_queue_that_came_first(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "root")
    claim_root(layout, "q1")
    claim_root(layout, "q1")
    assert layout.root.stat().st_mode & 0o777 == 0o700
    with pytest.raises(StorageError, match="another queue: it says q1, this queue is q2"):
        claim_root(layout, "q2")
    with pytest.raises(EmptiedQueueError, match="belongs to queue q1"):
        claim_root(layout, "")


def test_a_queue_that_has_a_root_is_given_no_other(tmp_path: Path) -> None:
    # As where the share is not mounted: an empty folder of ours.
    folder = tmp_path / "root"
    folder.mkdir(mode=0o700)
    with pytest.raises(StorageError, match=r"not the queue's results root.*at /vol/mlq"):
        claim_root(Layout(folder), "q1", "/vol/mlq")
    with pytest.raises(StorageError, match="not the queue's results root"):
        claim_root(Layout(tmp_path / "none"), "q1", "/vol/mlq")
    assert list(folder.iterdir()) == []
    assert not (tmp_path / "none").exists()
    claim_root(Layout(folder), "q1")
    claim_root(Layout(folder), "q1", "/vol/mlq")


def test_what_is_pinned_is_the_folder_that_was_looked_at(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "root", "q1")
    assert what_is_wrong(layout) == f"there is no {layout.root}; is the share mounted?"
    claim_root(layout, "q1")
    assert what_is_wrong(layout) == ""
    with pinned(layout) as root:
        layout.root.rename(tmp_path / "away")
        layout.root.mkdir()
        (root.root / "file").write_text("")
        with pytest.raises(FileNotFoundError) as caught, pinned(Layout(tmp_path)) as other:
            (other.root / "none").read_bytes()
    assert caught.value.filename == f"{tmp_path}/none"
    assert (tmp_path / "away" / "file").exists()
    assert what_is_wrong(layout) == f"{layout.root} has no queue.json; is the share mounted?"
    assert "another queue: it says q1, this queue is q2" in what_is_wrong(
        Layout(tmp_path / "away", "q2")
    )
    (tmp_path / "away" / "queue.json").unlink()
    (tmp_path / "away" / "queue.json").symlink_to("/dev/zero")
    assert what_is_wrong(Layout(tmp_path / "away", "q1")) == "its queue.json is a symbolic link"


def test_who_looked_just_now_believes_the_same_folder_for_a_moment_and_no_other(
    tmp_path: Path,
) -> None:
    now_s = 0.0
    layout, look = Layout(tmp_path / "root", "q1"), LastLook(lambda: now_s)
    claim_root(layout, "q1")
    with pinned(layout, look):
        pass
    layout.queue_file.write_text("[]")  # in place: the folder itself is as it was
    with pinned(layout, look):
        pass
    now_s = 1.0
    with pytest.raises(WrongRootError, match="damaged"), pinned(layout, look):
        pass
    layout.queue_file.write_text('{"queue": "q1", "format": 1}')
    with pinned(layout, look):
        pass
    layout.root.rename(tmp_path / "away")
    layout.root.mkdir()
    with pytest.raises(WrongRootError, match=r"no queue\.json"), pinned(layout, look):
        pass
    layout.root.rmdir()
    (tmp_path / "away").rename(layout.root)
    with pinned(layout, look):
        pass
    layout.queue_file.unlink()
    with pytest.raises(WrongRootError, match=r"no queue\.json"), pinned(layout, look):
        pass


def test_a_damaged_or_newer_root_is_refused(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    claim_root(layout, "q1")
    layout.queue_file.write_text('{"queue": "q1", "format": 99}')
    with pytest.raises(StorageError, match="newer mlq"):
        claim_root(layout, "q1")
    layout.queue_file.write_text("[]")
    with pytest.raises(StorageError, match="damaged"):
        claim_root(layout, "q1")


def test_a_root_that_is_a_file_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "root").write_text("")
    with pytest.raises(StorageError, match="cannot be used"):
        claim_root(Layout(tmp_path / "root"), "q1")


def test_a_restored_queue_counts_on_above_what_lies_in_the_root(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    claim_root(layout, "q1")
    assert largest_number(layout) == 0
    for name in ("7", "1042", "notes", "99999999999999999999"):
        (layout.jobs_dir / name / "attempts").mkdir(parents=True)
    # Nothing of a job is in them.
    for name in ("2000", "999999999998"):
        (layout.jobs_dir / name).mkdir()
    (layout.jobs_dir / "3000").write_text("")
    (layout.jobs_dir / "4000").symlink_to("/dev/null")
    assert largest_number(layout) == 1042
    assert absurd_folders(layout) == [
        "2000",
        "3000",
        "4000",
        "999999999998",
        "99999999999999999999",
    ]


def test_a_root_that_others_can_use_is_refused_and_not_repaired(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "root")
    claim_root(layout, "q1")
    for mode in (0o755, 0o770, 0o777):
        layout.root.chmod(mode)
        with pytest.raises(UnsafePathError, match="chmod 700"):
            claim_root(layout, "q1")
        assert stat.S_IMODE(layout.root.stat().st_mode) == mode
    layout.root.chmod(0o700)
    (tmp_path / "link").symlink_to(layout.root)  # a volume may have a short name
    claim_root(Layout(tmp_path / "link"), "q1")
