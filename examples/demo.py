"""The demonstration behind `make demo`: a sweep survives a power cut, before your eyes.

It types the commands that a user would type, against a queue of its own in a temporary folder, and
shortens the times after which silence counts as death, by settings. The power cut is SIGKILL to
every process of one machine at once. Later the sweep grows, is canceled, and is enqueued again.
What it promises it also checks: if a job does not finish on the other machine from its checkpoint,
or what was done runs again, the exit code is 1.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from demo_lab import LIVENESS, Job, Lab, PromiseBrokenError, kill

HERE = Path(__file__).resolve().parent
TRAIN = HERE / "digits" / "train.py"
NAME = "digits"
MACHINES = ("lab01", "lab02")
LEARNING_RATES = ("0.001", "0.01", "0.1", "1")
MORE_LEARNING_RATES = (*LEARNING_RATES, "0.03", "0.3")
EPOCHS, PACE_S = 20, 0.3
CUT_AFTER_EPOCH = 4
DEADLINE_S = 110


class Watch:
    """Prints what happens to the jobs, as it happens."""

    def __init__(self, lab: Lab) -> None:
        self._lab, self._began_s = lab, time.monotonic()
        self._last: dict[str, tuple[str, str]] = {}
        self._quarters: dict[str, int] = {}

    def until(self, condition: Callable[[list[Job]], Any], what: str) -> Any:
        """Watch until the condition gives an answer, and return it.

        Raises:
            PromiseBrokenError: it took too long.
        """
        began_s = time.monotonic()
        while True:
            jobs = self._lab.jobs()
            for job in jobs:
                self._tell(job)
            answer = condition(jobs)
            if answer:
                return answer
            if time.monotonic() - began_s > DEADLINE_S:
                raise PromiseBrokenError(f"waited {DEADLINE_S} s in vain until {what}")
            time.sleep(0.25)

    def say(self, text: str) -> None:
        """Print one line with the time that has passed."""
        print(f"    {time.monotonic() - self._began_s:5.1f} s  {text}", flush=True)

    def _tell(self, job: Job) -> None:
        where = (
            f" on {job['machine']}, attempt {job['attempt']}" if job["state"] == "started" else ""
        )
        now = f"{job['state']}{where}"
        reason = f" ({job['reason']})" if job["reason"] else ""
        if self._last.get(job["id"]) != (now, reason):
            self._last[job["id"]] = (now, reason)
            self.say(f"{label(job)}: {now}{reason}")
        quarter = int((job["progress"] or 0) * 4)
        if job["state"] == "started" and quarter > self._quarters.get(job["id"], 0):
            self._quarters[job["id"]] = quarter
            self.say(f"{label(job)}: {25 * quarter} %")


def demonstrate(lab: Lab) -> None:
    print(
        f"""
mlq in a minute. This machine plays the queue's host and two lab machines, {" and ".join(MACHINES)}.
Everything private lies in {lab.private} and goes away at the end;
results lie in {lab.results} and stay.

1. A queue, and two machines that take jobs from it."""
    )
    lab.type("server", "start")
    for machine in MACHINES:
        lab.type("worker", "start", "--name", machine, "--cores", "2", "--gpus", "none")

    print("\n2. An experiment: the same training with four learning rates.")
    sweep(lab, LEARNING_RATES, "4 members: 4 new; 4 enqueued")

    print("\n3. They run. (From here on, `mlq ls` is asked a few times a second.)\n")
    watch = Watch(lab)
    victim: Job = watch.until(far_enough, "a job has made some checkpoints")

    machine = victim["machine"]
    survivor = next(name for name in MACHINES if name != machine)
    print(f"\n4. Power cut on {machine}: worker, supervisor and jobs are gone, without a word.\n")
    count = lab.cut_power(machine)
    watch.say(f"{count} processes of {machine} killed; its jobs' last checkpoints are on disk")
    silence = f"{LIVENESS['MLQ_DEAD_S']} s of silence"
    watch.say(f"{survivor} will notice {silence} (by default 90 s) and take over")
    watch.until(lambda jobs: is_back(jobs, victim), f"job {victim['id']} is back in the queue")
    lab.type("explain", victim["id"])
    print()
    watch.until(all_ended, "all jobs have ended")

    print("\n5. Two more learning rates: what is done is not run again.")
    sweep(lab, MORE_LEARNING_RATES, "6 members: 2 new, 4 done; 2 enqueued")
    print()
    watch.until(lambda jobs: any(job["state"] == "started" for job in jobs), "one of them runs")
    print("\n   Or better not.")
    lab.type("cancel", NAME)
    print()
    watch.until(all_ended, "the two have stopped")
    print("\n   After all, yes: the same command again runs what was canceled, and nothing else.")
    sweep(lab, MORE_LEARNING_RATES, "6 members: 4 done, 2 canceled; 2 enqueued")
    print()
    watch.until(all_ended, "all jobs have ended")

    print("\n6. What came of it.")
    lab.type("ls")
    lab.type("ls", NAME)
    check(lab, victim, survivor)
    lab.type("worker", "stop", "--drain", "--name", survivor)
    lab.type("server", "stop")


def sweep(lab: Lab, rates: Sequence[str], promised: str) -> None:
    """Enqueue the training with these learning rates.

    Raises:
        PromiseBrokenError: another number of them is new or done than promised.
    """
    options = ["--name", NAME, "--mem", "400M", "--param", f"lr={','.join(rates)}"]
    training = ["python", str(TRAIN.relative_to(HERE.parent)), "--lr", "{lr}"]
    length = ["--epochs", str(EPOCHS), "--pace", str(PACE_S)]
    said = lab.type("enqueue", *options, "--", *training, *length)
    if promised not in said:
        raise PromiseBrokenError(f"the sweep has other members than these: {promised}")


def label(job: Job) -> str:
    """Return a job's id and parameters."""
    return " ".join([job["id"], *(f"{name}={value}" for name, value in job["params"].items())])


def far_enough(jobs: list[Job]) -> Job | None:
    enough = CUT_AFTER_EPOCH / EPOCHS
    return next(
        (j for j in jobs if j["state"] == "started" and (j["progress"] or 0) >= enough), None
    )


def is_back(jobs: list[Job], victim: Job) -> bool:
    now = next(job for job in jobs if job["id"] == victim["id"])
    return now["state"] == "queued" or now["attempt"] > victim["attempt"]


def all_ended(jobs: list[Job]) -> bool:
    return all(job["state"] in {"finished", "failed", "canceled"} for job in jobs)


def check(lab: Lab, victim: Job, survivor: str) -> None:
    """Show the results, and that the promise was kept.

    Raises:
        PromiseBrokenError: it was not.
    """
    print()
    finished = [job for job in lab.jobs() if job["state"] == "finished"]
    if sorted(job["params"]["lr"] for job in finished) != sorted(MORE_LEARNING_RATES):
        raise PromiseBrokenError(f"not each member finished once: {finished}")
    for job in sorted(finished, key=lambda job: float(job["params"]["lr"])):
        result = json.loads((Path(job["directory"]) / "output" / "metrics.json").read_text())
        print(f"    learning rate {result['lr']:<6g} accuracy {result['accuracy']:.3f}")
        if job["id"] == victim["id"]:
            rescued = job
    if (rescued["attempt"], rescued["machine"]) != (2, survivor):
        raise PromiseBrokenError(f"job {victim['id']} was not taken over: {rescued}")
    log = lab.type("logs", victim["id"], lines=3)
    if not log.startswith("resuming after epoch "):
        raise PromiseBrokenError(f"job {victim['id']} began again instead of resuming")
    epoch = log.split()[3].rstrip(",")
    print(
        f"\n    Job {victim['id']} lost {victim['machine']} in its first attempt, went back to the "
        f"queue,\n    and {survivor} resumed it after epoch {epoch} of {EPOCHS} as attempt 2.",
        flush=True,
    )


@contextlib.contextmanager
def private_lab() -> Iterator[Lab]:
    """Yield a lab, and leave nothing of it running."""
    results = HERE.parent / ".demo" / time.strftime("%Y-%m-%d-%H%M%S")
    results.mkdir(mode=0o700, parents=True)
    private = Path(tempfile.mkdtemp(prefix="mlq-demo-"))
    lab = Lab(private, results)
    try:
        yield lab
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave a half
        while left := lab.processes():
            for pid in left:
                kill(pid)
            time.sleep(0.05)
        shutil.rmtree(private)


def main() -> int:
    began_s = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with private_lab() as lab:
            demonstrate(lab)
            left = wait_until_gone(lab)
    except PromiseBrokenError as error:
        print(f"\nThe demonstration failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped; nothing is left running.", file=sys.stderr)
        return 130
    if left:
        print(f"\nThe demonstration failed: left running: {left}", file=sys.stderr)
        return 1
    print(
        f"\nDone in {time.monotonic() - began_s:.0f} s; nothing is left running."
        f"\nResults, logs and checkpoints: {lab.results}/jobs"
    )
    return 0


def wait_until_gone(lab: Lab) -> list[str]:
    """Give what was stopped a moment to end; return the command lines of what has not."""
    until_s = time.monotonic() + 5
    while (left := lab.processes()) and time.monotonic() < until_s:
        time.sleep(0.1)
    return [Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ") for pid in left]


if __name__ == "__main__":
    sys.exit(main())
