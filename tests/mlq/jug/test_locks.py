"""Whose lock it is: only those of attempts that are known to be over may go."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlq.jug.lock_files import read_locks, read_notes, remove_lock
from mlq.jug.locks import Lock, Note, Owner, judge, owner_of

MADE = "2026-11-28 (06h27.05)"
ME = ("7", 2, "run-a")
LOCK = Lock("task", Owner("lab01", 41, MADE), has_failed=False)
FAILED = LOCK._replace(has_failed=True)


def note(job_id: str = "6", attempt: int = 1, *, run: str = "run-a", at: str = "06h27.00") -> Note:
    return Note(job_id, attempt, run, "lab01", 41, f"2026-11-28 ({at})")


def over(_: Note) -> bool:
    return True


def lives(_: Note) -> bool:
    return False


def test_jugs_own_text_names_the_process() -> None:
    text = f"PID 41 on HOSTNAME lab01\nLock created on {MADE}\n"
    assert owner_of(text) == Owner("lab01", 41, MADE)
    assert owner_of("PID 41 on HOSTNAME lab01\n") == Owner("lab01", 41)
    for other in ("", "PID x on HOSTNAME lab01\n", "something else", "PID 41 on HOSTNAME \n"):
        assert owner_of(other) is None


def test_the_lock_of_an_attempt_that_is_over_can_go_and_that_of_a_live_one_stays() -> None:
    assert judge(LOCK, [note()], over, ME) == "stale"
    assert judge(LOCK, [note()], lives, ME) == "live"


@pytest.mark.parametrize(
    "lock",
    [
        LOCK._replace(owner=None),
        LOCK._replace(owner=Owner("lab02", 41, MADE)),
        LOCK._replace(owner=Owner("lab01", 42, MADE)),
    ],
)
def test_what_no_attempt_of_ours_holds_stays(lock: Lock) -> None:
    assert judge(lock, [note()], over, ME) == "foreign"


def test_a_process_that_began_after_the_lock_was_made_is_not_its_owner() -> None:
    # The machine restarted, and gave the same number to a process of a later attempt.
    notes = [note("6", at="06h20.00"), note("8", at="06h30.00")]
    assert judge(LOCK, notes, lambda one: one.job_id == "6", ME) == "stale"
    assert judge(LOCK, [note("8", at="06h30.00")], over, ME) == "foreign"


def test_of_two_that_may_have_made_it_the_newest_decides() -> None:
    notes = [note("6", at="06h20.00"), note("8", at="06h27.00")]
    assert judge(LOCK, notes, lambda one: one.job_id == "6", ME) == "live"


def test_a_task_that_failed_is_tried_again_by_a_new_run_or_a_retry_only() -> None:
    assert judge(FAILED, [note("6")], over, ME) == "failed"
    assert judge(FAILED, [note("7", 2)], over, ME) == "failed"
    assert judge(FAILED, [note("7", 1)], over, ME) == "stale"
    assert judge(FAILED, [note("6", run="run-b")], over, ME) == "stale"
    assert judge(FAILED, [note("6", run="run-b")], lives, ME) == "live"


def test_a_lock_that_was_taken_anew_meanwhile_is_put_back(tmp_path: Path) -> None:
    lock = tmp_path / "locks" / "task.lock"
    lock.parent.mkdir()
    lock.write_text("PID 42 on HOSTNAME lab01\n")
    assert not remove_lock(lock, b"PID 41 on HOSTNAME lab01\n")
    assert lock.read_text() == "PID 42 on HOSTNAME lab01\n"
    assert remove_lock(lock, lock.read_bytes())
    assert list(lock.parent.iterdir()) == []
    assert not remove_lock(lock, b"")


def test_locks_and_notes_are_read_whatever_lies_beside_them(tmp_path: Path) -> None:
    locks = tmp_path / "locks"
    locks.mkdir()
    (locks / "a.lock").write_text(f"PID 41 on HOSTNAME lab01\nLock created on {MADE}\n")
    (locks / "b.lock").write_bytes(b"\xff\xfe")
    (locks / "c.lock").symlink_to("/etc/passwd")
    (locks / "d").touch()
    found = read_locks(str(tmp_path))
    assert [(one.name, one.owner) for _, _, one in found] == [
        ("a", Owner("lab01", 41, MADE)),
        ("b", None),
        ("c", None),
    ]
    assert read_locks(f"file_keepalive:{tmp_path}/") == found
    assert read_locks(str(tmp_path / "missing")) == []

    told: list[str] = []
    (locks / "1.json").write_text('{"job_id": "6", "attempt": "1"}')
    (locks / "2.json").write_text("[]")
    assert read_notes(locks, told.append) == {}
    assert len(told) == 2
