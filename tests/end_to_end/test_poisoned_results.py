"""Jobs leave rubbish where results belong, and their machines die: each ends with that reason, what
ran beside it recovers, and the workers that are left live on."""

from __future__ import annotations

import os
import signal

from local_lab import Lab
from waiting import wait_for

# What a job does in its folder, and what is then said of its result. More kinds are tried on the
# reader itself, in tests/mlq_worker/agent/test_nfs.py.
RUBBISH = {
    """result '{"outcome": []}'""": "it has no text as outcome",
    """result '{"exit_code": {}}'""": "it has no whole number as exit_code",
    "mkfifo result.json": "it is a named pipe",
    "cd ..; mv 1 was; ln -s was 1": "it is a symbolic link",
    "printf '[%.0s' $(seq 9999) >result.json": "it is nested more than 16 deep",
}
SCRIPT = r"""
[ "$MLQ_ATTEMPT" = 2 ] && exit 7
cd "$(dirname "$MLQ_PROGRESS_FILE")"
result() { python3 -c '
import json, os, sys
good = dict(id=os.environ["MLQ_JOB_ID"], attempt=1, machine="m", outcome="exited", exit_code=0,
    reason="", ended_at="2026-11-23T22:15:01.123456Z")
json.dump({**good, **json.loads(sys.argv[1])}, open("result.json", "w"))
' "$1"; }
RUBBISH
touch DONE
exec sleep 1000
"""


def spoil(lab: Lab, rubbish: str, name: str) -> str:
    """Enqueue a job that leaves rubbish and then runs on."""
    return lab.sh(SCRIPT.replace("RUBBISH", rubbish).replace("DONE", f"{lab.folder}/{name}"))


def until_spoilt(lab: Lab, name: str) -> None:
    wait_for((lab.folder / name).exists, what=f"the rubbish of {name}")


def test_rubbish_ends_its_own_job_and_nothing_else(lab: Lab) -> None:
    dying = [lab.machine(f"lab0{number}") for number in (1, 2, 3)]
    jobs = {spoil(lab, one, f"done{at}"): why for at, (one, why) in enumerate(RUBBISH.items())}
    other = spoil(lab, "true", "other")
    for name in (*(f"done{at}" for at in range(len(jobs))), "other"):
        until_spoilt(lab, name)
    survivors = [lab.machine(name) for name in ("lab04", "lab05")]
    workers = [one.pid("worker") for one in survivors]
    for machine in dying:
        machine.cut_power()
    recovered = lab.until(other, "failed", attempt=2, timeout_s=60)
    assert (recovered.exit_code, recovered.losses) == (7, 1)
    for job, why in jobs.items():
        ended = lab.until(job, "failed", timeout_s=60)
        assert ended.reason == f"its result.json is not a result: {why}"
        assert (ended.attempt, ended.losses, ended.exit_code) == (1, 0, None)
    assert [one.pid("worker") for one in survivors] == workers


def test_while_an_attempt_may_still_run_rubbish_ends_nothing(lab: Lab) -> None:
    machine = lab.machine("lab01")
    job = spoil(lab, "mkfifo result.json", "done")
    until_spoilt(lab, "done")
    lab.machine("lab02")
    os.kill(machine.pid("worker"), signal.SIGSTOP)  # its lease runs out; its beat goes on
    machine.until_beats(20)
    assert lab.job(job).state == "started"
    os.kill(machine.pid("worker"), signal.SIGCONT)
    # Its end is told by its supervisor, and its result replaces the rubbish.
    lab.queue.cancel([job])
    lab.until(job, "canceled")
    assert lab.layout.result_file(job, 1).is_file()


def test_the_machine_itself_tells_the_same_after_its_supervisor_was_killed(lab: Lab) -> None:
    machine = lab.machine("lab01")
    job = spoil(lab, "mkfifo result.json", "done")
    until_spoilt(lab, "done")
    worker = machine.pid("worker")
    machine.kill("supervisor")
    ended = lab.until(job, "failed", timeout_s=40)
    assert ended.reason == "its result.json is not a result: it is a named pipe"
    lab.until(lab.sh("true"), "finished")
    assert machine.pid("worker") == worker
