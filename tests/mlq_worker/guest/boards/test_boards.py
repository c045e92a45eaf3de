"""Which boards are believed: of real users and processes, and of whatever lies at such a name."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from disks import may_mount
from people import Person, strangers
from waiting import wait_for

from mlq_worker.guest.boards.board import (
    MOST_BYTES,
    Board,
    BoardJob,
    BoardName,
    Process,
    Waits,
    render,
)
from mlq_worker.guest.boards.boards import HIDDEN, BoardReader, owner_of_process
from mlq_worker.guest.boards.own_board import OwnBoard, own_process
from mlq_worker.ipc import procfs

OWN = BoardName(os.getuid(), "ours")
OTHER = BoardName(os.getuid(), "other")
JOB = BoardJob("a", 2, 100)


def reader(folder: Path, **changes: object) -> BoardReader:
    return BoardReader(folder, OWN, **changes)  # type: ignore[arg-type]


def put(folder: Path, text: bytes, name: str = str(OTHER)) -> Path:
    path = folder / name
    path.write_bytes(text)
    return path


def why(folder: Path) -> str:
    found = reader(folder).read()
    assert not found.posted
    (one,) = found.unbelieved
    return one[1]


def good() -> bytes:
    return render(Board(own_process(), (JOB,)), "guest of kt42")


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with asleep() as process:
        yield process


@contextmanager
def asleep(**options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process that only lives."""
    with subprocess.Popen(["sleep", "600"], **options) as process:
        try:
            yield process
        finally:
            process.kill()


def named(pid: int) -> Process:
    seen = procfs.look_at(pid)
    assert seen is not None
    return Process(pid, seen.start)


def test_another_queue_of_ours_is_a_neighbour_and_ours_is_not(tmp_path: Path) -> None:
    put(tmp_path, good())
    put(tmp_path, good(), str(OWN))
    put(tmp_path, good(), str(OWN._replace(is_next=True)))
    put(tmp_path, good(), "mlq-turn.board")
    (posted,) = reader(tmp_path).read().posted
    assert posted.name == OTHER
    assert posted.board.jobs == (JOB,)


def test_read_anew_when_it_changes(tmp_path: Path) -> None:
    boards = reader(tmp_path)
    other = OwnBoard(tmp_path, OTHER, "guest of kt42")
    for count in range(3):
        board = Board(own_process(), (JOB,) * count)
        other.show(board, count)
        assert [one.board for one in boards.read().posted] == [board]
    other.take_down()
    assert boards.read() == ((), ())


def test_a_folder_without_changes_is_not_listed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, good())
    boards = reader(tmp_path, utc_s=lambda: time.time() + 1)  # as if some time had passed
    assert len(boards.read().posted) == 1
    with monkeypatch.context() as patch:
        patch.delattr(os, "listdir")
        assert len(boards.read().posted) == 1
    put(tmp_path, good(), str(OTHER._replace(queue="third")))
    assert len(boards.read().posted) == 2


def test_replaced_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is opened has no name any more then: the next one counts, and it is no forgery."""
    other = OwnBoard(tmp_path, OTHER, "guest of kt42")
    other.show(Board(own_process(), (JOB,)), 0)
    opened, really = [], os.open

    def replacing(path: str, *rest: int, **more: int) -> int:
        descriptor = really(path, *rest, **more)
        if str(path).endswith(f"/{OTHER}") and not opened:
            opened.append(path)
            other.show(Board(own_process(), (JOB, JOB)), 1)
        return descriptor

    boards = reader(tmp_path)
    monkeypatch.setattr(os, "open", replacing)
    (posted,) = boards.read().posted
    assert opened
    assert posted.board.jobs == (JOB, JOB)


def test_no_folder(tmp_path: Path) -> None:
    assert reader(tmp_path / "none").read() == ((), ())


def test_a_link(tmp_path: Path) -> None:
    target = put(tmp_path, good(), "board")
    (tmp_path / str(OTHER)).symlink_to(target)
    assert why(tmp_path) == "it is a symbolic link"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / str(OTHER))
    assert why(tmp_path) == "it is a named pipe"


def test_a_folder(tmp_path: Path) -> None:
    (tmp_path / str(OTHER)).mkdir()
    assert why(tmp_path) == "it is a folder"


def test_another_name(tmp_path: Path) -> None:
    os.link(put(tmp_path, good()), tmp_path / "other")
    assert why(tmp_path) == "it has another name, too"


def test_3_mb(tmp_path: Path) -> None:
    put(tmp_path, good() + b" " * 3_000_000)
    assert why(tmp_path) == f"it is larger than {MOST_BYTES} bytes"


def test_endless_brackets(tmp_path: Path) -> None:
    put(tmp_path, b"guest of a\n" + b"[" * 65000)
    assert why(tmp_path) == "it is nested more than 6 deep"


def test_another_users_file(everybodys: Path) -> None:
    ann, _ = strangers()
    name = str(BoardName(ann.uid + 2, "q"))
    ann.own(put(everybodys, good(), name))
    assert why(everybodys) == f"it belongs to user {ann.uid}"


def test_another_users_process(everybodys: Path) -> None:
    ann, _ = strangers()
    ann.own(put(everybodys, good(), str(BoardName(ann.uid, "q"))))
    assert why(everybodys) == "its process belongs to user 0"


def test_a_dead_process(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    put(tmp_path, render(Board(named(sleeper.pid)), "guest of kt42"))
    boards = reader(tmp_path)
    assert boards.read().posted
    os.kill(sleeper.pid, signal.SIGKILL)
    wait_for(lambda: not boards.read().posted)  # also while it is a zombie
    assert why(tmp_path) == "its process has ended"


def test_a_reused_pid(tmp_path: Path) -> None:
    process = own_process()
    put(tmp_path, render(Board(process._replace(start=process.start - 1)), "guest of kt42"))
    assert why(tmp_path) == "its process has ended"


def test_jobs_without_a_living_process_of_that_user_do_not_count(
    everybodys: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    ann, _ = strangers()
    with asleep(**ann.identity) as hers:
        mine, theirs = named(sleeper.pid), named(hers.pid)
        jobs = (
            BoardJob("unstarted", 1),
            BoardJob("living", 1, process=theirs),
            BoardJob("stolen", 1, process=mine),
            BoardJob("dead", 1, process=theirs._replace(start=1)),
        )
        text = render(Board(theirs, jobs, Waits("w", 1, 1)), "guest of ann")
        ann.own(put(everybodys, text, str(BoardName(ann.uid, "q"))))
        (posted,) = reader(everybodys).read().posted
        assert [job.key for job in posted.board.jobs] == ["unstarted", "living"]
        assert posted.board.waits == Waits("w", 1, 1)


def test_nobody_crowds_out_others(everybodys: Path) -> None:
    ann, eve = strangers()
    for count in range(20):  # under her number, which must not count as hers
        eve.own(put(everybodys, good(), str(BoardName(ann.uid, f"a{count:02}"))))
    with asleep(**ann.identity) as hers:
        text = render(Board(named(hers.pid)), "guest of ann")
        ann.own(put(everybodys, text, str(BoardName(ann.uid, "q"))))
        for count in range(40):
            ann.own(put(everybodys, text, str(BoardName(ann.uid, f"z{count:02}"))))
        found = reader(everybodys).read()
        assert found.posted[0].name.queue == "q"
        assert len(found.posted) == 16
        assert found.unbelieved[-1] == (f"mlq-{ann.uid}.z39.board", "its user has too many")


# Another /proc: to remount this one would hide the processes from everybody on the machine.
_HIDE = "mount -t proc -o hidepid={} proc /proc"


@pytest.mark.parametrize("hidepid", [1, 2])
def test_hidden_processes(hidepid: int, everybodys: Path) -> None:
    """Under hidepid a board of a process that exists is believed while it is fresh."""
    ann, eve = strangers()
    if not may_mount():
        pytest.skip("needs the right to mount file systems (root)")
    name = BoardName(eve.uid, "q")
    with asleep(**eve.identity) as hers:
        board = Board(named(hers.pid), (BoardJob("a", process=named(hers.pid)),))
        eve.own(put(everybodys, render(board, "guest of eve"), str(name)))
        script = (
            "import os, sys\n"
            "from pathlib import Path\n"
            "from mlq_worker.guest.boards.board import BoardName, Process\n"
            "from mlq_worker.guest.boards.boards import BoardReader, owner_of_process\n"
            f"os.setgroups([]); os.setresgid({ann.gid},{ann.gid},{ann.gid})\n"
            f"os.setresuid({ann.uid},{ann.uid},{ann.uid})\n"
            f"folder, own = Path({str(everybodys)!r}), BoardName({ann.uid}, 'q')\n"
            f"print(owner_of_process(Process({hers.pid}, {board.process.start})))\n"
            "print(owner_of_process(Process(4194000, 1)))\n"
            "print(len(BoardReader(folder, own).read().posted[0].board.jobs))\n"
            "import time\n"
            "late = BoardReader(folder, own, utc_s=lambda: time.time() + 600)\n"
            "print(late.read().unbelieved[0][1])\n"
        )
        hide = _HIDE.format(hidepid)
        done = subprocess.run(
            [
                "unshare",
                "--mount",
                "sh",
                "-ec",
                f'{hide}; exec "$0" -c "$1"',
                sys.executable,
                script,
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.stdout.splitlines() == [
        str(HIDDEN),
        "None",
        "1",
        "its process is hidden, and it is old",
    ], done


def test_owner_of_a_process(sleeper: subprocess.Popen[bytes]) -> None:
    assert owner_of_process(named(sleeper.pid)) == os.getuid()
    assert owner_of_process(Process(sleeper.pid, 1)) is None
    assert owner_of_process(Process(4_194_000, 1)) is None


def test_of_real_users(everybodys: Path) -> None:
    """Each of two users sees the other's board."""
    ann, eve = strangers()
    with asleep(**ann.identity) as hers:
        board = Board(named(hers.pid), (JOB,))
        own = OwnBoard(everybodys, BoardName(ann.uid, "q"), "guest of ann")
        assert ann.call(lambda: own.show(board, 0)) == ""
        assert eve.call(lambda: seen_by(eve, everybodys)) == [[ann.uid, "q", False]]
        assert ann.call(lambda: seen_by(ann, everybodys)) == []


def seen_by(person: Person, folder: Path) -> list[BoardName]:
    return [one.name for one in BoardReader(folder, BoardName(person.uid, "q")).read().posted]
