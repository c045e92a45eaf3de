"""A lab on this box: one queue, and machines whose worker, supervisor and jobs are real processes.

A machine is a name. Its power can be cut, it can boot anew, and its link to the queue and its
results root can fail, each without touching the other machines. The times after which silence
counts are short, by settings.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ci import require
from disks import may_mount
from leftovers import kill_all
from rq.job import Job
from sandbox import MLQ, Completed, Sandbox, new_sandbox
from waiting import wait_for

from mlq.api.queue import Queue
from mlq.files.layout import Layout
from mlq.jobs.lifecycle import ENDED
from mlq.jobs.view import JobView
from mlq.store.connection import open_redis
from mlq_worker.ipc import procfs

BEAT_S, LEASE_S, FENCE_S, DEAD_S = 0.2, 0.8, 1.2, 2.0
SHORT = {
    "MLQ_BEAT_S": str(BEAT_S),
    "MLQ_LEASE_S": str(LEASE_S),
    "MLQ_FENCE_S": str(FENCE_S),
    "MLQ_DEAD_S": str(DEAD_S),
    "MLQ_POLL_S": "0.2",
    "MLQ_RETRY_PAUSE_S": "0.1",
    "MLQ_STOP_GRACE_S": "1",
    # Load on the machine of the tests must not keep jobs waiting, nor what it lacks in memory.
    "MLQ_GUEST": "mine",
    "MLQ_DEFAULT_MEM_MIB": "50",
}
# With these, no silence is ever long enough for a verdict.
PATIENT = {"MLQ_LEASE_S": "300", "MLQ_FENCE_S": "400", "MLQ_DEAD_S": "500"}


class Lab:
    """The queue and its machines."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.folder, self.environ = sandbox.folder, sandbox.environ
        self.layout = Layout(self.folder / "root")
        self._queue: Queue | None = None

    @property
    def queue(self) -> Queue:
        """The queue, as Python code sees it."""
        if self._queue is None:
            self._queue = self.sandbox.queue()
        return self._queue

    def machine(self, name: str, *flags: str, **options: Any) -> Machine:
        """Start the worker of a machine that gives two cores to jobs, unless flags say more."""
        machine = Machine(self, name, ("--cores", "2", "--gpus", "none", *flags), **options)
        machine.start()
        return machine

    def sh(self, script: str, **options: Any) -> str:
        """Enqueue a shell script and return the job's id; options are those of `Submission`."""
        return self.sandbox.submit("/bin/sh", "-c", script, **options)

    def job(self, job_id: str) -> JobView:
        """Return a job as it is now."""
        return self.queue.views([job_id])[0]

    def until(self, job_id: str, state: str, attempt: int = 1, timeout_s: float = 60) -> JobView:
        """Wait until a job is in this state, in this attempt or a later one."""

        seen: list[JobView] = []

        def reached() -> JobView | None:
            job = self.job(job_id)
            seen[:] = [job]
            if job.state in ENDED and job.state != state:
                raise AssertionError(f"job {job_id} is {job.state}, not {state}: {job.reason}")
            return job if job.state == state and job.attempt >= attempt else None

        try:
            return wait_for(reached, timeout_s, what=f"job {job_id} to be {state} ({attempt})")
        except AssertionError as error:
            raise AssertionError(f"{error}; the job: {seen}") from None

    def log(self, job_id: str, attempt: int = 1) -> bytes:
        """Return what an attempt wrote."""
        return self.layout.log_file(job_id, attempt).read_bytes()

    def ends(self, job_id: str) -> list[str]:
        """Return how the attempts of a job ended, the first one first; "" is a good end."""
        with open_redis(self.queue.settings) as client:
            results = Job.fetch(job_id, client, serializer="json").results()
        return [one.exc_string or "" for one in reversed(results)]

    def file(self, name: str) -> str:
        """Return what a job wrote into a file in its folder, once it is there."""
        path = self.folder / name
        return wait_for(lambda: path.exists() and path.read_text(), what=f"the file {name}")

    def pid(self, name: str) -> int:
        """Return the process whose number a job wrote into a file, once it is there."""
        return int(wait_for(lambda: self.file(name).endswith("\n") and self.file(name)))

    def processes(self, job_id: str, attempt: int = 1) -> list[processes.Process]:
        """Return the processes that carry the mark of an attempt, its first one first."""
        # The marks of another lab on this box differ by the queue's id alone.
        queue_id = self.queue.store.client.call("GET", "mlq:queue_id").decode()
        begin, end = f"mlq:{queue_id}:", f":{job_id}.{attempt}"
        seen = sorted(procfs.look().values(), key=lambda process: process.start)
        marks = [(procfs.mark_of(process.pid), process) for process in seen]
        return [one for mark, one in marks if mark.startswith(begin) and mark.endswith(end)]

    def open(self, gate: str) -> None:
        """Let the jobs go on that wait for this gate (`until [ -e GATE ]; do sleep 0.05; done`)."""
        (self.folder / gate).touch()

    def shown(self, machine: str) -> dict[str, Any]:
        """Return what `mlq machines --json` says of a machine."""
        rows = json.loads(self.sandbox.ok("machines", "--json"))
        found: dict[str, Any] = next(row for row in rows if row["machine"] == machine)
        return found

    def doctor(self, topic: str) -> list[dict[str, Any]]:
        """Return what the doctor says on a topic."""
        found = json.loads(self.sandbox.run("doctor", "--json").out)
        return [one for one in found if one["topic"] == topic]

    def until_shown(self, machine: str, condition: Callable[[dict[str, Any]], Any]) -> Any:
        """Wait until a condition on what `mlq machines --json` says of a machine holds."""
        return wait_for(lambda: condition(self.shown(machine)), what=f"{machine} to show it")


class Machine:
    """A machine of the lab.

    Args:
        lab: where it stands.
        name: its name.
        flags: of `mlq worker start`.
        boot_id: its boot id, if not that of this box.
        redis_socket: where it reaches the queue, if not where everybody does.
        own_mounts: whether file systems can be mounted that only its processes see.
        mounts: the shell's commands that mount some before it starts.
        environ: more variables of its worker.
    """

    def __init__(
        self,
        lab: Lab,
        name: str,
        flags: tuple[str, ...],
        *,
        boot_id: str = "",
        redis_socket: Path | None = None,
        own_mounts: bool = False,
        mounts: str = "",
        environ: dict[str, str] | None = None,
    ) -> None:
        self.lab, self.name, self._flags = lab, name, flags
        self._boot_id, self._own_mounts = boot_id, own_mounts or bool(boot_id or mounts)
        self._mounts = mounts
        self.environ = dict(environ or {})
        if redis_socket is not None:
            self.environ["MLQ_REDIS_SOCKET"] = str(redis_socket)
        self.runtime = lab.folder / "run" / "mlq" / "m" / name

    def start(self, *, boot_id: str = "") -> Machine:
        """Start its worker and wait until it works."""
        done = self.try_start(boot_id=boot_id)
        assert done.code == 0, done
        return self

    def try_start(self, *, boot_id: str = "") -> Completed:
        """Type `mlq worker start` on it."""
        self._boot_id = boot_id or self._boot_id
        words = [str(MLQ), "worker", "start", "--name", self.name, *self._flags]
        if self._own_mounts or self._boot_id:
            words = [*self._in_own_mounts(), *words]
        done = subprocess.run(
            words,
            env={**self.lab.environ, **self.environ},
            cwd=self.lab.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Completed(done.returncode, done.stdout, done.stderr)

    def _in_own_mounts(self) -> list[str]:
        require(may_mount(), "the right to mount file systems (root)")
        script = self._mounts
        if self._boot_id:
            file = self.lab.folder / f"boot-{self.name}"
            file.write_text(self._boot_id + "\n")
            script += f"mount --bind {file} /proc/sys/kernel/random/boot_id; "
        return ["unshare", "--mount", "sh", "-ec", script + 'exec "$0" "$@"']

    def stop(self, *how: str) -> str:
        """Type `mlq worker stop` on it; return what it said."""
        done = self.lab.sandbox.run("worker", "stop", "--name", self.name, *how)
        assert done.code == 0, done
        return done.err

    def pid(self, role: str) -> int:
        """Return its `worker`, `supervisor` or `launcher`."""
        if role == "launcher":
            return wait_for(lambda: children_of(self.pid("supervisor")))[0]
        return int((self.runtime / f"{role}.pid").read_text())

    def kill(self, role: str) -> None:
        """SIGKILL its `worker`, `supervisor` or `launcher` and wait until it is dead."""
        _kill(self.pid(role))

    def cut_power(self) -> None:
        """SIGKILL all its processes at once, without a word to anybody."""
        pids = self._tree("worker", "supervisor")  # a worker would start another supervisor
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not any(alive(pid) for pid in pids), what="the machine to be off")

    def signal(self, number: signal.Signals) -> None:
        """Signal all its processes, the supervisor first."""
        for pid in self._tree("supervisor", "worker"):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _tree(self, *roles: str) -> list[int]:
        """Return all its processes: these, then their descendants, parents before children."""
        table = procfs.look()
        tree = [self.pid(role) for role in roles]
        for pid in tree:
            tree += [one.pid for one in table.values() if one.parent == pid]
        return tree

    def beat(self) -> dict[str, Any]:
        """Return its last sign of life on NFS."""
        found: dict[str, Any] = json.loads(self.lab.layout.beat_file(self.name).read_bytes())
        return found

    def until_beats(self, count: int) -> None:
        """Wait until it has shown so many more signs of life on NFS."""
        reached = self.beat()["counter"] + count
        wait_for(lambda: self.beat()["counter"] >= reached, what=f"{count} beats of {self.name}")

    def lose_storage(self) -> None:
        """Let this machine's signs of life fail: a read-only file system covers their folder."""
        self._in_its_mounts("mount", "-t", "tmpfs", "-o", "ro", "tmpfs")

    def regain_storage(self) -> None:
        """Let them succeed again."""
        self._in_its_mounts("umount", "--lazy")

    def _in_its_mounts(self, *words: str) -> None:
        enter = ["nsenter", "--mount", f"--target={self.pid('supervisor')}"]
        subprocess.run([*enter, *words, str(self.lab.layout.workers_dir)], check=True)


def children_of(pid: int) -> list[int]:
    """Return the living children of a process."""
    return [one.pid for one in procfs.look().values() if one.parent == pid]


def alive(pid: int) -> bool:
    """Tell whether there is such a process and it is no zombie."""
    seen = procfs.look_at(pid)
    return seen is not None and seen.state not in "ZX"


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not alive(pid), what=f"the death of process {pid}")


@contextmanager
def new_lab(**settings: str) -> Iterator[Lab]:
    """Make a lab with a running queue, and take it away again with everything that runs in it."""
    with new_sandbox() as sandbox:
        sandbox.environ |= {**SHORT, **settings}
        sandbox.start_server()
        try:
            yield Lab(sandbox)
        finally:
            # Not asked to stop: a test may have left the server frozen, or dead.
            kill_all(sandbox.folder)
            sandbox.served = False
