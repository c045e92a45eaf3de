"""mlq inside the virtual machine: a queue, a worker, and jobs whose processes are watched."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from debian_tree import MLQ
from waiting import wait_for

from desk.image import HOST, PEOPLE
from desk.seat import INSIDE
from desk.vm import Done, Vm

USER = next(iter(PEOPLE))
HOME = f"/home/{USER}"
NOTES = "/dev/shm/ticks"
# Short spans, so that a test need not wait; memory for several jobs on a small machine.
SETTINGS: dict[str, object] = {
    "root": f"{HOME}/results",
    "machine": HOST,
    "default_mem_mib": 128,
    "desk_idle_s": 6,
    "desk_resume_s": 4,
    "reserve_mem_mib": 64,
    "reserve_cores": 0,
    "poll_s": 1,
}


class Lab:
    """The installation of the user whose jobs run there."""

    def __init__(self, vm: Vm) -> None:
        self.vm = vm
        vm.put_mlq()
        vm.run(["loginctl", "enable-linger", USER])
        for name in ("ticker.py", "hog.py", "spin.py"):
            script = (INSIDE / name).read_text()
            vm.run(["sh", "-c", f"cat > /usr/local/lib/{name}"], stdin=script)
        self.configure()
        self.mlq("server", "start")

    def configure(self, **changed: object) -> None:
        """Write the settings, as they are meant for these tests but for those given."""
        lines = [f"{key} = {json.dumps(value)}\n" for key, value in {**SETTINGS, **changed}.items()]
        folder = f"{HOME}/.config/mlq"
        script = f"umask 077; mkdir -p {folder} {HOME}/results; cat > {folder}/config.toml"
        self.vm.run(["sh", "-c", script], USER, "".join(lines))

    def restart_worker(self, *words: str, **settings: object) -> None:
        """Start the worker with these settings, and none of the jobs from before."""
        self.mlq("cancel", "--all", "--yes", check=False)
        self.mlq("worker", "stop", "--now", check=False)
        self.configure(**settings)
        self.mlq("worker", "start", "--gpus", "none", *words)

    def mlq(self, *words: str, user: str = USER, check: bool = True) -> Done:
        """Type `mlq` there."""
        done = self.vm.try_run([str(MLQ), *words], user)
        assert done.code == 0 or not check, (words, done)
        return done

    def enqueue(self, *words: str) -> str:
        """Enqueue a job; returns its id."""
        return self.mlq("enqueue", "--no-snapshot", *words).out.strip()

    def ticker(self, *options: str, processes: int = 4, lasts_s: float = 3600) -> str:
        """Run a job of processes that tick, and return its id once all of them do."""
        self.vm.shell(f"rm -rf {NOTES}")
        command = ["/usr/bin/python3", "/usr/local/lib/ticker.py", str(processes), str(lasts_s)]
        job = self.enqueue(*options, "--", *command)
        wait_for(lambda: self.ticking() == processes, 90, f"job {job} to tick: {self.view(job)}")
        return job

    def ticking(self) -> int:
        """Return how many of its processes run: have ticked within half a second."""
        return int(
            self.vm.python(
                "import pathlib, time\n"
                f"notes = pathlib.Path({NOTES!r})\n"
                "texts = [one.read_text() for one in notes.iterdir()] if notes.exists() else []\n"
                "print(sum(time.time() - float(one or 0) < 0.5 for one in texts))\n"
            )
        )

    def view(self, job: str) -> Mapping[str, Any]:
        """Return what `mlq ls --json` says of a job."""
        listed = json.loads(self.mlq("ls", "--json", job).out)
        return next(iter(listed), {})

    def until(self, job: str, **wanted: object) -> Mapping[str, Any]:
        """Wait until `mlq ls --json` says this of a job."""

        def said() -> Mapping[str, Any] | None:
            view = self.view(job)
            return view if all(view.get(key) == value for key, value in wanted.items()) else None

        return wait_for(said, 120, f"job {job} to be {wanted}; it is {self.view(job)}")

    def machine(self) -> Mapping[str, Any]:
        """Return what `mlq machines --json` says of this machine."""
        (machine,) = json.loads(self.mlq("machines", "--json").out)
        return dict(machine)
