"""Whether an attempt has saved anything, with a file server that may hang."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from mlq.jobs.attempt import AttemptId
from mlq_worker.guest.asker import Asker
from mlq_worker.guest.saved import EVERY_S, Listing, Saved, list_folder
from mlq_worker.guest.watch import GuestAttempt
from mlq_worker.ipc.procfs import Target
from mlq_worker.ipc.values import Share


class AtOnce(Asker[str, Listing]):
    """Answers before the next look, as long as the file server does."""

    def __init__(self) -> None:
        super().__init__(list_folder)
        self.hangs, self.asked = False, 0

    def ask(self, question: str) -> None:
        self.asked += 1
        if not self.hangs:
            self._answers[question] = list_folder(question)


class Job:
    def __init__(self, folder: Path) -> None:
        self.folder, self.boot_s, self.number = folder, 0.0, 1
        self.asker = AtOnce()
        self.saved = Saved(self.asker)

    def look(self) -> float | None:
        """Look in two seconds on end, a minute after the last time."""
        self.boot_s += EVERY_S
        one = AttemptId("7", self.number)
        seen = GuestAttempt(one, Target(11, 1), Share(), 0.0, str(self.folder))
        for second in range(2):
            self.saved.look([seen], self.boot_s + second)
        return self.saved.saved_at(one)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


def test_what_is_there_at_the_start_is_not_its_own(job: Job) -> None:
    (job.folder / "model.pt").write_text("earlier")
    assert job.look() is None
    assert job.look() is None
    (job.folder / "model.pt").write_text("rewritten in place")
    assert job.look() == job.boot_s + 1
    before = job.boot_s + 1
    assert job.look() == before
    (job.folder / "step2").mkdir()
    (job.folder / "step2" / "model.pt").write_text("later")
    assert job.look() == job.boot_s + 1


@pytest.mark.parametrize("name", ["model.pt.tmp", ".model.pt", "empty"])
def test_what_is_unfinished_or_empty_is_nothing(job: Job, name: str) -> None:
    job.look()
    (job.folder / name).write_text("" if name == "empty" else "half")
    (job.folder / "folder").mkdir()
    (job.folder / "link").symlink_to("/etc/passwd")
    os.mkfifo(job.folder / "fifo")
    assert job.look() is None


def test_what_is_removed_is_nothing_saved(job: Job) -> None:
    (job.folder / "model.pt").write_text("earlier")
    job.look()
    (job.folder / "model.pt").unlink()
    assert job.look() is None


def test_the_next_attempt_begins_anew(job: Job) -> None:
    job.look()
    (job.folder / "model.pt").write_text("1")
    assert job.look() is not None
    job.number = 2
    assert job.look() is None
    (job.folder / "model.pt").write_text("22")
    assert job.look() is not None


def test_no_answer_counts_as_no(job: Job) -> None:
    job.asker.hangs = True
    assert job.look() is None
    (job.folder / "model.pt").write_text("1")
    assert job.look() is None
    job.asker.hangs = False
    assert job.look() is None  # it is there at the first answer: whose it is nobody knows
    (job.folder / "model.pt").write_text("22")
    assert job.look() is not None


def test_a_folder_that_fails_is_no_answer(job: Job) -> None:
    with pytest.raises(OSError, match="No such file"):
        list_folder(str(job.folder / "missing"))


def test_it_is_asked_once_a_minute(job: Job) -> None:
    one = GuestAttempt(AttemptId("7", 1), Target(11, 1), Share(), 0.0, str(job.folder))
    for second in range(600):
        job.saved.look([one], float(second))
    assert job.asker.asked == 10


def test_a_server_that_hangs_for_ever_takes_one_thread(tmp_path: Path) -> None:
    hang, before = threading.Event(), threading.active_count()

    def listing(folder: str) -> Listing:
        hang.wait()
        return list_folder(folder)

    saved = Saved(Asker(listing))
    many = [
        GuestAttempt(AttemptId(str(number), 1), Target(11, 1), Share(), 0.0, f"{tmp_path}/{number}")
        for number in range(30)
    ]
    for minute in range(20):
        saved.look(many, minute * EVERY_S)
    assert threading.active_count() == before + 1
    assert all(saved.saved_at(one.id) is None for one in many)
    hang.set()


def test_a_large_folder_is_not_listed_whole(tmp_path: Path) -> None:
    for number in range(2100):
        (tmp_path / str(number)).write_text("x")
    assert len(list_folder(str(tmp_path))) == 2000
