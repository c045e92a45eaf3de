"""Another user switches mlq off with `touch`: a real supervisor, real jobs, a real stranger."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from people import Person, strangers
from supervising import Bench, is_stopped, process_runs
from waiting import wait_for

from mlq_worker.guest.off import HAND_BACK_S
from mlq_worker.guest.off_file import guest_words
from mlq_worker.guest.rules import GuestRules
from mlq_worker.ipc.messages import Manners

TRAINS = """\
import os, signal, subprocess, sys, time
def told(*_):
    open(os.environ["HERE"] + "/told", "w").write("saved")
    sys.exit(0)
signal.signal(signal.SIGTERM, told)
subprocess.Popen(["sleep", "1000"], start_new_session=True)
open(os.environ["HERE"] + "/ready", "w").write("ready")
while True:
    time.sleep(0.01)
"""


@pytest.fixture
def stranger() -> Iterator[Person]:
    person, _ = strangers()
    yield person
    person.kill_all()


@pytest.fixture
def bench(stranger: Person) -> Iterator[Bench]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)  # a stranger gets as far as `shared`
        made = Bench(Path(folder))
        made.shared.chmod(0o1777)
        try:
            yield made
        finally:
            made.end()


def start(bench: Bench, rules: GuestRules) -> int:
    bench.link.send(Manners(rules.as_json()).to_json())
    bench.python("1", TRAINS)
    bench.file("ready")
    return bench.running("1")


def switch(stranger: Person, bench: Bench, program: str = "touch") -> None:
    done = stranger.run([program, str(bench.shared / "mlq-off")])
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("program", ["touch", "mkdir", "mkfifo"])
def test_all_processes_stop_and_go_on(bench: Bench, stranger: Person, program: str) -> None:
    leader = start(bench, GuestRules())
    assert len(bench.alive()) == 2
    switch(stranger, bench, program)
    wait_for(lambda: all(is_stopped(pid) for pid in bench.alive()), what="the pause")
    (bench.shared / "mlq-off").rename(bench.shared / "gone")
    wait_for(lambda: not any(is_stopped(pid) for pid in bench.alive()), what="the end of it")
    assert process_runs(leader)


def test_a_machine_of_ones_own_heeds_its_user_alone(bench: Bench, stranger: Person) -> None:
    leader = start(bench, GuestRules(guest="mine"))
    switch(stranger, bench)
    (bench.shared / "mlq-off.2").touch()  # our own
    wait_for(lambda: is_stopped(leader), what="the pause")
    (bench.shared / "mlq-off.2").unlink()
    wait_for(lambda: not is_stopped(leader), what="the end of it")


def test_none_starts(bench: Bench, stranger: Person) -> None:
    bench.link.send(Manners(GuestRules().as_json()).to_json())
    switch(stranger, bench)
    told = bench.until(lambda: [one for one in bench.guest if one["closed"]], "the news")
    assert told[0]["closed"].startswith(f"off by {stranger.uid} until ")
    bench.start(bench.order("1", "true"), bench.order("2", "true", lane="short"))
    for job_id in ("1", "2"):
        result = bench.result(job_id)
        assert (result["outcome"], result["started_at"]) == ("released", None)
        assert result["reason"] == f"handed back: {told[0]['closed']}"


@pytest.mark.slow
def test_jobs_are_handed_back_after_a_minute(bench: Bench, stranger: Person) -> None:
    leader = start(bench, GuestRules())
    switch(stranger, bench)
    wait_for(lambda: is_stopped(leader), what="the pause")
    since = time.monotonic()
    result = wait_for(
        lambda: (bench.hear(), bench.results.get("1"))[1], 3 * HAND_BACK_S, what="its end"
    )
    assert time.monotonic() - since > HAND_BACK_S - 3
    assert result["outcome"] == "released"
    assert result["reason"] == f"handed back: {stranger.uid} has switched mlq off on m1"
    assert bench.file("told") == "saved"
    assert not bench.alive()


def test_ps_says_whose_they_are_and_how_to_stop_them(bench: Bench) -> None:
    bench.end()
    words = guest_words("kt42", bench.shared)
    bench.options = replace(bench.options, words=words)
    bench.connect()
    # Asked by ourselves: some machines show nobody the processes of others (hidepid).
    ps = ["ps", "-ww", "-o", "comm=,args=", "-p", str(bench.pid)]
    said = subprocess.run(ps, capture_output=True, text=True, check=True).stdout.strip()
    assert said.startswith("mlq-guest ")
    assert said.endswith(f"guest of kt42; to stop its jobs: touch {bench.shared}/mlq-off")
