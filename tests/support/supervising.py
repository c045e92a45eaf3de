"""A supervisor in a folder of its own, and a worker's end of the talk with it."""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

from waiting import wait_for

from mlq.files.layout import Layout
from mlq_worker.agent.supervisor_client import SupervisorLink, ensure_running
from mlq_worker.ipc import processes, procfs
from mlq_worker.ipc.clock import boottime
from mlq_worker.ipc.host import LinuxHost
from mlq_worker.ipc.options import Options
from mlq_worker.liveness.fence import LivenessTimings

HOST = LinuxHost()
CALM = LivenessTimings(10, 45, 60, 90)


class Bench:
    """Starts a supervisor, gives it orders and gathers what it answers; `end` leaves nothing."""

    def __init__(self, folder: Path, timings: LivenessTimings = CALM) -> None:
        self.runtime, self.root = folder / "rt", folder / "root"
        self.runtime.mkdir()
        self.root.mkdir()
        self.layout = Layout(self.root)
        self.own()
        self.prefix = f"mlq:{uuid4().hex[:8]}:m1:"
        self.shared = folder / "shared"
        self.shared.mkdir()
        self.options = Options(
            self.runtime, "m1", self.root, self.prefix, timings, "q1", shared_dir=self.shared
        )
        self.started: dict[str, dict[str, Any]] = {}
        self.results: dict[str, dict[str, Any]] = {}
        self.contacts: list[dict[str, Any]] = []
        self.guest: list[dict[str, Any]] = []
        self.obeyed: dict[str, int] = {}
        self.obeyed: dict[str, int] = {}
        self.link = self.connect()

    def own(self, queue_id: str = "q1") -> None:
        """Makes the folder in the root's place that of a queue; `q1` is the supervisor's."""
        self.layout.queue_file.write_text(json.dumps({"queue": queue_id, "format": 1}))

    def connect(self) -> SupervisorLink:
        """Connects anew, as a restarted worker does."""
        self.link = ensure_running(self.options)
        return self.link

    @property
    def pid(self) -> int:
        """The supervisor's process."""
        return int(self.link.hello["pid"])

    def launcher(self) -> int:
        """The launcher's process, once there is one."""
        return wait_for(lambda: _children(self.pid), what="a launcher")[0]

    def order(self, job_id: str, *argv: str, **changes: Any) -> dict[str, Any]:
        """An order of attempt 1; `changes` replace fields."""
        mark = f"{self.prefix}{job_id}.1"
        return {
            "id": job_id,
            "attempt": 1,
            "mark": mark,
            "argv": list(argv),
            "env": {"PATH": os.environ["PATH"], "MLQ_MARK": mark, "HERE": str(self.root.parent)},
            "cwd": str(self.root.parent),
            "job_dir": str(self.layout.job_dir(job_id)),
            "job_json": '{"argv":[]}',
            "time_limit_s": None,
            "stop_grace_s": 5,
            "lane": None,
            "width": 1,
            **changes,
        }

    def start(self, *orders: dict[str, Any]) -> None:
        """Gives orders."""
        self.link.send({"op": "start", "orders": list(orders)})

    def python(self, job_id: str, code: str, **changes: Any) -> None:
        """Starts a Python program as a job."""
        self.start(self.order(job_id, sys.executable, "-c", code, **changes))

    def stop(self, job_id: str, outcome: str = "canceled", reason: str = "canceled") -> None:
        """Ends a job."""
        message = {"op": "stop", "id": job_id, "attempt": 1}
        self.link.send({**message, "outcome": outcome, "reason": reason})

    def confirm(self, *alive: str, lost: tuple[str, ...] = ()) -> None:
        """Reports a renewal that has just been done."""
        pairs = {"alive": [[i, 1] for i in alive], "lost": [[i, 1] for i in lost]}
        self.link.send({"op": "confirm", "at": boottime(), **pairs})

    def hear(self) -> None:
        """Takes in what has arrived."""
        writable = [self.link] if self.link.wants_write else []
        if not any(select.select([self.link], writable, [], 0)):
            return
        for event in self.link.receive():
            match event["event"]:
                case "started":
                    self.started |= {item["id"]: item for item in event["attempts"]}
                case "ended":
                    self.results |= {item["id"]: item for item in event["results"]}
                case "signaled":
                    self.obeyed |= {item[0]: item[2] for item in event["signals"]}
                case "signaled":
                    self.obeyed |= {item[0]: item[2] for item in event["signals"]}
                case "contact":
                    self.contacts.append(event)
                case "guest":
                    self.guest.append(event)

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        """Listens until the condition holds."""
        return wait_for(lambda: (self.hear(), condition())[1], what=what)

    def result(self, job_id: str) -> dict[str, Any]:
        """The end of a job, once it is reported."""
        found: dict[str, Any] = self.until(lambda: self.results.get(job_id), f"end of {job_id}")
        return found

    def running(self, job_id: str) -> int:
        """The pid of a job's leader, once it runs."""
        keeper = self.keeper(job_id)
        return wait_for(lambda: _children(keeper), what=f"the leader of {job_id}")[0]

    def keeper(self, job_id: str) -> int:
        """The pid of a job's keeper, once the job is reported to run."""
        self.until(lambda: job_id in self.started, f"start of {job_id}")
        return int(self.started[job_id]["pid"])

    def file(self, name: str) -> str:
        """The text a job has written to a file in its working directory, once it is there."""
        path = self.root.parent / name
        return wait_for(lambda: path.exists() and path.read_text(), what=name)

    def log(self, job_id: str) -> bytes:
        """What a job wrote."""
        return self.layout.log_file(job_id, 1).read_bytes()

    def alive(self) -> set[int]:
        """The processes of all jobs, without their keepers."""
        found = processes.marked(HOST, self.prefix, ())
        return {pid for pid in found if not _is_keeper(pid, self.prefix)}

    def end(self) -> None:
        """Kills the supervisor, the launcher and whatever they held."""
        self.link.close()
        pids = {self.pid, *_children(self.pid)}
        for pid in pids:
            seen = procfs.look_at(pid)
            if seen is not None:
                processes.send(HOST, seen, signal.SIGKILL)
        wait_for(
            lambda: not processes.kill_all(HOST, lambda: processes.marked(HOST, self.prefix, ()))
        )
        wait_for(lambda: not any(process_runs(pid) for pid in pids), what="its processes to end")


def _children(pid: int) -> list[int]:
    """The children of a process, the oldest first."""
    found = [one for one in procfs.look().values() if one.parent == pid]
    return [one.pid for one in sorted(found, key=lambda one: (one.start, one.pid))]


def _is_keeper(pid: int, prefix: str) -> bool:
    try:
        return prefix.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return True


def process_runs(pid: int) -> bool:
    """Whether there is such a process and it is no zombie."""
    seen = procfs.look_at(pid)
    return seen is not None and seen.state not in "ZX"


def is_stopped(pid: int) -> bool:
    """Whether the process is stopped by a signal."""
    seen = procfs.look_at(pid)
    return seen is not None and seen.state == "T"
