"""mlq inside the virtual machine: a queue, a worker, and jobs whose processes are watched."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from debian_tree import MLQ
from waiting import wait_for

from desk.image import HOST, PEOPLE
from desk.seat import INSIDE
from desk.vm import Done, Vm

USER = next(iter(PEOPLE))
HOME = f"/home/{USER}"
NOTES = "/dev/shm/ticks"
PROCESSES = 4  # of the ticker
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
        self._settings: dict[str, object] | None = None  # of the worker that runs
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

    def use_worker(self, **settings: object) -> None:
        """Have a worker with these settings, none of the jobs from before, and nobody's `off`."""
        self.vm.shell("rm -rf /tmp/mlq-off*")
        self.cancel_all()
        if self._settings == settings:
            return
        self.mlq("worker", "stop", "--now", check=False)
        self.configure(**settings)
        self.start_worker()
        self._settings = settings

    def start_worker(self) -> None:
        """Start the worker; on a busy emulated machine it takes longer than the command waits."""
        done = self.mlq("worker", "start", "--gpus", "none", check=False)
        assert done.code == 0 or "it goes on trying" in done.err, done
        status = f"/run/user/{PEOPLE[USER]}/mlq/m/{HOST}/worker.status"
        wait_for(lambda: "held" in self.vm.try_run(["cat", status]).out, 300, "the worker to work")

    def stop_all(self) -> None:
        """Stop worker and queue; the next test starts them anew."""
        self.cancel_all()
        self.mlq("worker", "stop", "--now", check=False)
        self.mlq("server", "stop", check=False)
        self._settings = None

    def mlq(self, *words: str, user: str = USER, check: bool = True) -> Done:
        """Type `mlq` there."""
        done = self.vm.try_run([str(MLQ), *words], user)
        assert done.code == 0 or not check, (words, done)
        return done

    def enqueue(self, *words: str) -> str:
        """Enqueue a job; returns its id."""
        return self.mlq("enqueue", *words).out.strip()

    def cancel_all(self) -> None:
        """Cancel what has not ended."""
        listed = json.loads(self.mlq("ls", "--json").out)
        if left := [one["id"] for one in listed if one["state"] in ("queued", "started")]:
            self.mlq("cancel", *left)
            for job in left:
                self.until(job, state="canceled")

    def ticker(self, *options: str, lasts_s: float = 3600) -> str:
        """Run a job of processes that tick, and return its id once all of them do."""
        self.vm.shell(f"rm -rf {NOTES}")
        command = ["/usr/bin/python3", "/usr/local/lib/ticker.py", str(PROCESSES), str(lasts_s)]
        job = self.enqueue(*options, "--", *command)
        wait_for(lambda: self.ticking() == PROCESSES, 90, f"job {job} to tick: {self.view(job)}")
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

    def stopped_after(self, touch: Callable[[], object], file: str = "") -> float:
        """Touch the desk, and return the seconds from there until the ticker stood still.

        Args:
            touch: presses a key, moves the mouse, or makes a file.
            file: the pattern of the file; "": the kernel's input event counts.
        """
        script = (INSIDE / "stopwatch.py").read_text()
        with self.vm.start(["python3", "-c", script, *([file] if file else [])]) as watch:
            assert watch.stdout
            assert watch.stdout.readline() == "ready\n"
            touch()
            told, _ = watch.communicate()
        assert watch.returncode == 0, told
        seen = json.loads(told)
        assert seen["processes"] == PROCESSES, seen
        return float(seen["took_s"])

    @contextmanager
    def never_still(self, span_s: float) -> Iterator[None]:
        """Make sure that the ticker runs on for so long, whatever the block does."""
        script = (INSIDE / "never_still.py").read_text()
        with self.vm.start(["python3", "-c", script, str(span_s)]) as watch:
            assert watch.stdout
            assert watch.stdout.readline() == "ready\n"
            try:
                yield
            finally:
                told, _ = watch.communicate()
        assert watch.returncode == 0, told

    def until_runs(self) -> None:
        """Wait until all processes of the ticker run again."""
        wait_for(lambda: self.ticking() == PROCESSES, 90, "the job to run again")

    def pid(self, pattern: str) -> str:
        """Return the process of the user whose command line matches."""
        return self.vm.run(["pgrep", "-u", USER, "-f", pattern]).split()[0]

    def view(self, job: str) -> Mapping[str, Any]:
        """Return what `mlq ls --json` says of a job."""
        listed = json.loads(self.mlq("ls", "--json", job).out)
        return next(iter(listed), {})

    def until(self, job: str, patience_s: float = 120, **wanted: object) -> Mapping[str, Any]:
        """Wait until `mlq ls --json` says this of a job."""
        command = ["/opt/mlq/bin/python", "-", job, json.dumps(wanted), str(patience_s)]
        done = self.vm.try_run(command, USER, (INSIDE / "until.py").read_text())
        if done.code:
            why = self.mlq("explain", job, check=False).out
            raise AssertionError(f"job {job} is not {wanted}: {done.out}{done.err}{why}")
        return dict(json.loads(done.out))

    def uptime_s(self) -> float:
        """Return for how long the machine has run."""
        return float(self.vm.run(["cat", "/proc/uptime"]).split()[0])

    def machine(self) -> Mapping[str, Any]:
        """Return what `mlq machines --json` says of this machine."""
        (machine,) = json.loads(self.mlq("machines", "--json").out)
        return dict(machine)
