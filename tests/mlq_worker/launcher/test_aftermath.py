"""What is said of an attempt beside its end: an emptied log, what it left in /dev/shm."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from supervising import Bench

from mlq_worker.launcher.aftermath import KEPT_BYTES, LogWatch
from mlq_worker.launcher.shared_memory import Segment, choose

# Holds a segment of Python's, a file of its own, one of its user's and one that it shares, and
# ignores SIGTERM as long as it may.
STUBBORN = """
import mmap, os, signal, sys
from multiprocessing.shared_memory import SharedMemory
signal.signal(signal.SIGTERM, lambda *_: None)
own = SharedMemory(create=True, size=3 << 20)
own.buf[:] = bytes(own.size)
cache, users, shared = sys.argv[1:]
held = [open(path, "w+b") for path in (f"/dev/shm/{cache}", f"/dev/shm/{users}")]
both = SharedMemory(name=shared, create=True, size=1 << 20)
name = os.environ["HERE"] + "/segment"
open(name + ".new", "w").write(own.name)
os.replace(name + ".new", name)
while True: signal.sigtimedwait((), 0.1)
"""


@pytest.fixture
def names() -> Iterator[list[str]]:
    """Of a cache, of a file of the user's and of a shared segment; none is left."""
    names = [f"{kind}{uuid4().hex[:12]}" for kind in ("cache-", "psm_", "psm_")]
    yield names
    for name in names:
        shm(name).unlink(missing_ok=True)


def shm(name: str) -> Path:
    return Path("/dev/shm", name)


def test_only_what_a_killed_job_alone_made_and_held_is_removed(
    bench: Bench, names: list[str]
) -> None:
    cache, users, shared = names
    shm(users).write_bytes(b"mine")
    bench.start(bench.order("1", sys.executable, "-c", STUBBORN, *names, stop_grace_s=1))
    segment = bench.file("segment")
    with shm(shared).open("rb"):  # as another job would
        bench.stop("1")
        notes = bench.result("1")["notes"]
        assert shm(shared).exists()
    assert f"removed what it had left in /dev/shm: {segment} (3M)" in notes
    assert not shm(segment).exists()
    assert shm(users).exists()
    assert shm(cache).exists()
    (named,) = (note for note in notes if note.startswith("new in /dev/shm since it began"))
    assert cache in named
    assert users not in named


def test_a_choice_takes_no_chances() -> None:
    lying = [
        Segment("psm_1", 1, 5, ours=True),
        Segment("psm_2", 2, 5, ours=True),  # never seen in its hands
        Segment("psm_3", 3, 5, ours=True),  # in use
        Segment("psm_4", 4, 5, ours=True),  # there before
        Segment("psm_5", 5, 5, ours=False),
        Segment("imagenet", 6, 5, ours=True),
    ]
    remove, name = choose(lying, frozenset({4}), {1, 3, 4, 5, 6}, {3})
    assert [one.name for one in remove] == ["psm_1"]
    assert [one.name for one in name] == ["psm_2", "imagenet"]


def test_the_text_of_a_log_that_its_job_empties_is_kept(bench: Bench) -> None:
    kept = bench.layout.log_file("1", 1).with_suffix(".log.before")
    script = f"n=0; until [ -s {kept} ]; do n=$((n+1)); echo $n > /dev/stderr; sleep 0.1; done"
    bench.start(bench.order("1", "sh", "-c", script), bench.order("2", "true"))
    (note,) = bench.result("1")["notes"]
    assert note.startswith("its log was emptied while it ran; what was in it a second before is in")
    assert int(kept.read_bytes().split()[0]) < int(bench.log("1"))
    assert "notes" not in bench.result("2")


def test_what_is_kept_of_a_log_is_its_end(tmp_path: Path) -> None:
    log, kept = tmp_path / "log", tmp_path / "log.before"
    watch = LogWatch(str(log))
    watch.look()
    text = b"".join(b"%08d" % number for number in range(KEPT_BYTES // 4))
    log.write_bytes(text)
    watch.look()
    log.write_bytes(b"a longer one " + text)  # as long as before, and longer
    watch.look()
    assert kept.read_bytes() == text[-KEPT_BYTES:]
    with log.open("ab") as file:
        file.write(b"more")
    assert not watch.say()[0].endswith("is lost")
    assert kept.stat().st_size == KEPT_BYTES
    log.unlink()
    log.symlink_to("/dev/zero")
    watch.look()  # what a job puts in its log's place is left alone
