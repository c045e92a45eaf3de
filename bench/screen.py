"""How quick `mlq top` is: its first frame, and what it costs while it runs.

The lab has 8 machines and 300 jobs, 40 of which run and report progress every two seconds, so that
there is always something to draw. The screen is on a terminal of its own, and the first frame is
there once it shows the last job and the last machine that fit.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.installation import MLQ, Installation, installation
from bench.processes import cpu
from bench.report import Row, spread
from mlq import Queue
from mlq.store.operations import Claimant

JOBS, MACHINES, RUNNING = 300, 8, 40
COLUMNS, ROWS = 140, 40
_LEASE_S, _EVERY_S, _DEADLINE_S = 3600.0, 2.0, 20.0
_SETTLE_S = 5.0
_ESCAPES = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_=>]|\][^\x07]*\x07)")
_WORDS = (b"queued", b"gpu03", b"quit", b"started", b"log of")  # of each part of the screen
_IMPORT = "import textual.app, textual.scroll_view, textual.containers"


def measure(rounds: int, seconds: float) -> list[Row]:
    """Return milliseconds to the first frame, interleaved, and CPU over so many seconds."""
    with installation() as made:
        queue = made.queue()
        _fill(queue)
        commands = {"python -c pass": "pass", "import textual": _IMPORT}
        names = ("mlq top, first frame", "of that, CPU time", *commands)
        times: dict[str, list[float]] = {name: [] for name in names}
        for run in range(rounds + 1):
            took = dict(zip(names, _first_frame(made), strict=False))
            for name, code in commands.items():
                began = time.perf_counter()
                subprocess.run([sys.executable, "-c", code], check=True)
                took[name] = 1000 * (time.perf_counter() - began)
            if run:  # the first fills the caches
                for name, ms in took.items():
                    times[name].append(ms)
        busy = 100 * _cpu_share(made, queue, seconds)
    note = f"{MACHINES} machines, {JOBS} jobs, {COLUMNS} columns"
    rows = [Row(name, spread(taken), "ms", note) for name, taken in times.items()]
    return [*rows, Row("mlq top, CPU", (busy, busy, busy), "% of a core", f"over {seconds:g} s")]


def _fill(queue: Queue) -> None:
    """Make the lab: jobs of which some run, and machines that say something of themselves."""
    queue.enqueue_many([["python", "train.py", "--lr", str(n)] for n in range(JOBS)], name="rate")
    for number in range(MACHINES):
        name = f"gpu{number:02}"
        gpus = [
            {"uuid": f"{name}-{at}", "name": "NVIDIA RTX A5000", "index": at}
            | {"free_mib": 6000 * at, "total_mib": 24576}
            for at in range(2)
        ]
        record = {
            "machine": name,
            "cores_total": 16,
            "cores_free": number,
            "mem_total_mib": 128000,
            "mem_free_mib": 9000 * number,
            "gpus": gpus,
        }
        queue.store.renew(name, [], _LEASE_S, time.time())
        queue.store.roles.record_machine(name, record, {"name": name})
        claimant = Claimant(name, f"boot-of-{name}", "supervisor")
        (job,) = queue.views(["1"])
        queue.store.claim([(job.class_name, RUNNING // MACHINES)], claimant, _LEASE_S, time.time())


@contextmanager
def _screen(made: Installation) -> Iterator[tuple[int, int]]:
    """Start `mlq top` on a terminal; yield its process id and our end of the terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    environ = {**made.environ, "TERM": "xterm-256color"}
    process = subprocess.Popen(
        [MLQ, "top"],
        env=environ,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield process.pid, ours
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _first_frame(made: Installation) -> tuple[float, float]:
    """Return how many milliseconds passed until the first frame, and how many it computed."""
    began = time.perf_counter()
    with _screen(made) as (pid, terminal):
        shown = b""
        while time.perf_counter() - began < _DEADLINE_S:
            if select.select([terminal], [], [], 0.1)[0]:
                shown += os.read(terminal, 1 << 16)
                plain = _ESCAPES.sub(b"", shown)
                if all(word in plain for word in _WORDS):
                    return 1000 * (time.perf_counter() - began), 1000 * cpu(pid).own_s
    raise RuntimeError(f"no frame after {_DEADLINE_S} s: {shown[-2000:]!r}")


def _cpu_share(made: Installation, queue: Queue, seconds: float) -> float:
    """Return which share of a core it takes while jobs report progress."""
    ended = threading.Event()
    with _screen(made) as (pid, terminal):
        drain = threading.Thread(target=_drain, args=(terminal, ended))
        drain.start()
        try:
            _report(queue, _SETTLE_S)
            before, began = cpu(pid), time.perf_counter()
            _report(queue, seconds)
            return (cpu(pid) - before).own_s / (time.perf_counter() - began)
        finally:
            ended.set()
            drain.join()


def _report(queue: Queue, seconds: float) -> None:
    until_s = time.monotonic() + seconds
    while (left_s := until_s - time.monotonic()) > 0:
        share = repr(1 - left_s / seconds)
        for number in range(1, RUNNING + 1):
            queue.store.client.call("HSET", f"rq:job:{number}", "mlq_progress", share)
        for number in range(MACHINES):
            queue.store.renew(f"gpu{number:02}", [], _LEASE_S, time.time())
        time.sleep(min(_EVERY_S, max(0.0, until_s - time.monotonic())))


def _drain(terminal: int, ended: threading.Event) -> None:
    while not ended.is_set():
        if select.select([terminal], [], [], 0.2)[0]:
            os.read(terminal, 1 << 16)
