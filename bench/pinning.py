"""What it takes to keep a job of 300 threads on its cores: a squeeze, and each look."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.report import Row, spread
from mlq.jobs.attempt import AttemptId
from mlq_worker.guest.cores.job_cores import JobCores
from mlq_worker.guest.cores.pinning import Linux
from mlq_worker.guest.own_processes import OwnProcesses
from mlq_worker.guest.room.room_watch import RoomEdges, RoomWatch
from mlq_worker.guest.rules import GuestRules
from mlq_worker.guest.trees import Trees
from mlq_worker.guest.watch import Demand, GuestAttempt, Seen, Together
from mlq_worker.ipc import clock
from mlq_worker.ipc.clock import Moment
from mlq_worker.ipc.procfs import Target
from mlq_worker.ipc.values import Share

THREADS, PROCESSES, LOOKS = 300, 20, 60
_JOB = f"""
import os, threading
for _ in range({PROCESSES - 1}):
    if os.fork() == 0:
        break
for _ in range({THREADS // PROCESSES} - 1):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
print("up", flush=True)
threading.Event().wait()
"""


class _Squeezer:
    """Demands one core, or nothing."""

    is_on = False

    def look(self, *_asked: object) -> Seen:
        """Answer without a look."""
        return Seen({_ID: Demand(cores=1)} if self.is_on else {})


_ID = AttemptId("1", 1)


@contextmanager
def _job() -> Iterator[int]:
    keeper = ["sh", "-c", f"{sys.executable} -c '{_JOB}'; exit"]
    with subprocess.Popen(
        keeper, stdout=subprocess.PIPE, start_new_session=True, text=True
    ) as started:
        try:
            assert started.stdout is not None
            for _ in range(PROCESSES):
                started.stdout.readline()
            yield started.pid
        finally:
            os.killpg(started.pid, 9)


def measure(rounds: int) -> list[Row]:
    """Return how long a squeeze takes, and the CPU time of a look that changes nothing."""
    rules, squeezer, kernel = GuestRules(), _Squeezer(), Linux()
    own = OwnProcesses(Trees())
    room = RoomWatch(RoomEdges(own, kernel.usable), "")
    guest = JobCores(Together((room, squeezer), print), kernel, own)
    squeezes, squeezes_cpu, at = [], [], clock.boottime()
    with _job() as keeper:
        job = GuestAttempt(_ID, Target(keeper), Share(len(kernel.usable())), at, "")
        for number in range(2 * rounds):
            squeezer.is_on = number % 2 == 1
            at += 1
            began, began_s = time.perf_counter(), _cpu_s()
            guest.look([job], rules, Moment(at, ""))
            if squeezer.is_on:
                squeezes.append(1000 * (time.perf_counter() - began))
                squeezes_cpu.append(1000 * (_cpu_s() - began_s))
        began_s = _cpu_s()
        for _ in range(LOOKS):
            at += 1
            guest.look([job], rules, Moment(at, ""))
        look_ms = 1000 * (_cpu_s() - began_s) / LOOKS
    what = f"{THREADS} threads in {PROCESSES} processes"
    return [
        Row("a squeeze", spread(squeezes), "ms", what),
        Row("a squeeze: CPU", spread(squeezes_cpu), "ms", what),
        Row("a look: CPU", (look_ms, look_ms, look_ms), "ms", f"{what}; once a second"),
    ]


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
