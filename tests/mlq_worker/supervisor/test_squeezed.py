"""Another user works: a real supervisor, a real job, a real stranger's load."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from people import Person, strangers
from supervising import Bench
from waiting import wait_for

from mlq_worker.guest.desk.desk_watch import available_mib
from mlq_worker.guest.rules import GuestRules
from mlq_worker.ipc.messages import Manners

MINE = os.sched_getaffinity(0)
pytestmark = pytest.mark.skipif(len(MINE) < 2, reason="this machine has one core")

BUSY = "import os; os.fork()\nwhile True: pass"


@pytest.fixture
def stranger() -> Iterator[Person]:
    person, _ = strangers()
    yield person
    person.kill_all()


@contextmanager
def busy(stranger: Person, cores: int = 1) -> Iterator[None]:
    """Let a stranger keep cores busy, by orphans: what is below a worker is its user's own work."""
    loop = "(while :; do :; done) > /dev/null 2>&1 < /dev/null &"
    assert stranger.run(["/bin/sh", "-c", loop * cores]).returncode == 0
    try:
        yield
    finally:
        stranger.kill_all()


def squeezed_to(bench: Bench) -> int | None:
    """To how many cores job 1 is squeezed, as its worker was told last."""
    for job_id, _, _, _, cores_now in bench.guest[-1]["restrained"] if bench.guest else ():
        if job_id == "1":
            return int(cores_now)
    return None


def test_a_strangers_load_squeezes_a_job_to_one_core(bench: Bench, stranger: Person) -> None:
    bench.link.send(Manners(GuestRules(reserve_cores=len(MINE)).as_json()).to_json())
    bench.python("1", BUSY, share={"cores": len(MINE)})
    leader = bench.running("1")
    with busy(stranger, len(MINE)):
        bench.until(lambda: squeezed_to(bench) == 1, "the squeeze")
        wait_for(lambda: len(os.sched_getaffinity(leader)) == 1, what="the job on one core")
        masks = {frozenset(os.sched_getaffinity(pid)) for pid in bench.alive()}
        assert len(masks) == 1


def test_on_a_machine_of_ones_own_it_does_not(bench: Bench, stranger: Person) -> None:
    bench.link.send(Manners(GuestRules(guest="mine").as_json()).to_json())
    bench.python("1", BUSY, share={"cores": len(MINE)})
    leader = bench.running("1")
    with busy(stranger):
        looks = len(bench.contacts)
        bench.until(lambda: len(bench.contacts) > looks + 4, "some seconds of looking")
        assert squeezed_to(bench) is None
        assert os.sched_getaffinity(leader) == MINE


SAVES = """\
import os, signal, sys
def told(*_):
    open(os.environ["HERE"] + "/told", "w").write("saved")
    sys.exit(0)
signal.signal(signal.SIGTERM, told)
open(os.environ["HERE"] + "/ready", "w").write("ready")
while True:
    signal.sigtimedwait((), 0.1)
"""


@pytest.mark.parametrize(("reserve_mib", "has_grace"), [(0, True), (10**8, False)])
def test_a_job_is_handed_back_when_memory_runs_short(
    bench: Bench, stranger: Person, reserve_mib: int, has_grace: bool
) -> None:
    reserve_mib = reserve_mib or round(available_mib() * 1.5)
    bench.python("1", SAVES, share={"cores": 1})
    bench.file("ready")
    with busy(stranger):
        rules = GuestRules(reserve_mem_mib=reserve_mib)
        bench.link.send(Manners(rules.as_json()).to_json())
        ended = bench.result("1")
    assert ended["outcome"] == "released"
    assert ended["reason"].startswith("handed back: m1 runs out of memory; others use ")
    assert (bench.root.parent / "told").exists() == has_grace
