"""The other job queues, each as its own documentation would set it up for this load.

All run the same no-op command in two slots. They are installed into bench/.venv, apart from mlq.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from shutil import which

from bench.folders import new_folder
from mlq.server.programs import find_programs

HERE = Path(__file__).parent
APPS = HERE / "apps"
VENV = HERE / ".venv"
PACKAGES = [
    "huey>=3,<4",
    "dramatiq>=2,<3",
    "celery>=5.4,<6",
    "jug>=2.4,<3",
    "hyperqueue>=0.20,<1",
    "rq>=2.12,<3",
    "redis>=5",
    "tensorboard>=2.18,<3",
    "packaging",  # celery needs it and does not say so
]
SLOTS = 2


class UnavailableError(Exception):
    """A peer cannot be measured on this machine; the text says why."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A job queue: `seconds` runs so many jobs and returns how long that took."""

    name: str
    how: str
    seconds: Callable[[int], float]


def install() -> None:
    """Make bench/.venv with the peers, unless it is there."""
    ready = VENV / ".ready"
    wanted = "\n".join(PACKAGES)
    if ready.exists() and ready.read_text(encoding="utf-8") == wanted:
        return
    print(f"installing into {VENV}: {', '.join(PACKAGES)}", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    pip = [_bin("python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *PACKAGES], check=True)
    ready.write_text(wanted, encoding="utf-8")


def _bin(name: str) -> str:
    return str(VENV / "bin" / name)


def bare_spawn(count: int) -> float:
    """A loop that keeps two processes running: what no queue can beat."""
    with Path(os.devnull).open("r+b") as null:
        files = [(os.POSIX_SPAWN_DUP2, null.fileno(), number) for number in (0, 1, 2)]
        began = time.perf_counter()
        running = 0
        for _ in range(count):
            if running == SLOTS:
                os.wait()
                running -= 1
            os.posix_spawn("/bin/true", ["true"], os.environ, file_actions=files)
            running += 1
        for _ in range(running):
            os.wait()
        return time.perf_counter() - began


def task_spooler(count: int) -> float:
    """`tsp`: a process for each enqueue, output kept in files, as is its way."""
    program = which("tsp")
    if program is None:
        raise UnavailableError("no tsp in PATH (Debian: apt install task-spooler)")
    folder = new_folder()
    environ = {**os.environ, "TMPDIR": str(folder), "TS_SOCKET": f"{folder}/s"}
    call = partial(subprocess.run, env=environ, check=True, stdout=subprocess.DEVNULL)
    call([program, "-S", str(SLOTS)])
    script = f'i=0; while [ $i -lt {count} ]; do "{program}" true; i=$((i+1)); done'
    began = time.perf_counter()
    try:
        call(["/bin/sh", "-c", script])
        for number in (count - 1, count - 2):
            call([program, "-w", str(number)])
        return time.perf_counter() - began
    finally:
        call([program, "-K"])


def jug(count: int) -> float:
    """Two `jug execute` on one jugfile; it has no server, so their start is part of the time."""
    folder = new_folder()
    command = [_bin("jug"), "execute", str(APPS / "jug_app.py"), f"--jugdir={folder}/data"]
    environ = {**os.environ, "BENCH_COUNT": str(count), "PYTHONPATH": str(APPS)}
    began = time.perf_counter()
    with ExitStack() as stack:
        for _ in range(SLOTS):
            stack.enter_context(_running(command, environ, folder, let_end=True))
    return time.perf_counter() - began


def hyperqueue(count: int) -> float:
    """A server and a worker with two cores, in the Python package's local cluster."""
    return _app("hyperqueue_app.py", count, os.environ, APPS)


def with_redis(app: str, *workers: str) -> Callable[[int], float]:
    """A queue on Redis: a fresh server, its workers, then the program that enqueues and waits."""

    def seconds(count: int) -> float:
        folder = new_folder()
        with ExitStack() as stack:
            socket = f"{folder}/redis.sock"
            environ = {**os.environ, "BENCH_REDIS": socket, "PYTHONPATH": str(APPS)}
            server = [
                str(find_programs().usable[0].path),
                "--port",
                "0",
                "--unixsocket",
                socket,
                "--save",
                "",
            ]
            stack.enter_context(_running(server, environ, folder))
            _wait_for(Path(socket))
            for worker in workers:
                name, *options = worker.replace("SOCKET", socket).split()
                stack.enter_context(_running([_bin(name), *options], environ, folder))
            return _app(app, count, environ, folder)

    return seconds


def _app(name: str, count: int, environ: Mapping[str, str], folder: Path) -> float:
    done = subprocess.run(
        [_bin("python"), APPS / name, str(count)],
        env=dict(environ),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise UnavailableError(f"{name}: {done.stderr.strip().splitlines()[-1]}")
    return float(done.stdout.split()[-1])


@contextmanager
def _running(
    command: list[str], environ: Mapping[str, str], folder: Path, *, let_end: bool = False
) -> Iterator[None]:
    null = subprocess.DEVNULL
    process = subprocess.Popen(command, env=dict(environ), cwd=folder, stdout=null, stderr=null)
    try:
        yield
        if let_end:
            process.wait()
            if process.returncode:
                raise UnavailableError(f"{command[0]} ends with {process.returncode}")
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + 10
    while not path.exists():
        if time.monotonic() > deadline:
            raise UnavailableError(f"{path} does not appear")
        time.sleep(0.01)


PEERS = [
    Peer("bare posix_spawn", "a loop in Python, two processes at a time, nothing else", bare_spawn),
    Peer(
        "huey",
        "RedisHuey, consumer with 2 processes, results kept",
        with_redis("huey_app.py", "huey_consumer huey_app.huey -k process -w 2 -q -n"),
    ),
    Peer("task-spooler", "tsp -S 2, enqueued from a shell loop", task_spooler),
    Peer("HyperQueue", "local cluster, 2 cores, one job of N tasks, no output files", hyperqueue),
    Peer("jug", "2 x jug execute, file store", jug),
    Peer(
        "dramatiq",
        "Redis broker, 2 processes of 1 thread, no results",
        with_redis("dramatiq_app.py", "dramatiq dramatiq_app -p 2 -t 1"),
    ),
    Peer(
        "celery",
        "Redis, prefork of 2, results kept, prefetch 64, no gossip, mingle or heartbeat",
        with_redis(
            "celery_app.py",
            "celery -A celery_app worker -c 2 -P prefork --without-gossip --without-mingle"
            " --without-heartbeat -l error",
        ),
    ),
    Peer(
        "rq",
        "2 stock workers (a fork a job)",
        with_redis("rq_app.py", *["rq worker --url unix://SOCKET --quiet"] * 2),
    ),
]
