"""Somebody sits down at a machine with jobs: what pauses, what goes elsewhere, what is shown."""

from __future__ import annotations

import json
import os
import re
import signal
from typing import Any

import pytest
from local_lab import PATIENT, Lab, alive
from supervising import is_stopped
from waiting import wait_for
from watched_machine import WatchedMachine, nfs

pytestmark = [pytest.mark.slow, pytest.mark.root]

SETTINGS = {"MLQ_DESK_RESUME_S": "4", "MLQ_DESK_IDLE_S": "6"}
IMPATIENT = {"MLQ_DESK_RESUME_S": "400", "MLQ_DESK_IDLE_S": "500"} | {
    f"MLQ_DESK_{name}_S": "4" for name in ("EVICT", "KEEP")
}
ENDLESS = "while :; do sleep 0.2; done"

# One process in a session of its own, one whose parent has ended.
FAMILY = """\
sleep 1000 &
setsid sleep 1000 &
(sleep 1000 &)
echo $$ > {name}
until [ -e gate ]; do sleep 0.1; done
"""
# It saves a step at a time, and goes on from the last.
TRAINS = """\
trap 'echo saved; exit 0' USR1
step=$(cat $MLQ_CHECKPOINT_DIR/step 2>/dev/null || echo 0)
echo from $step
until [ -e gate ]; do
    step=$((step + 1)); echo $step > $MLQ_CHECKPOINT_DIR/.step
    mv $MLQ_CHECKPOINT_DIR/.step $MLQ_CHECKPOINT_DIR/step; sleep 0.1
done
"""


def are_stopped(machine: WatchedMachine, *jobs: str) -> bool:
    processes = machine.processes(*jobs)
    return len(processes) >= 4 * len(jobs) and all(map(is_stopped, processes))


def test_a_key_stops_every_process_of_every_job(lab: Lab) -> None:
    machine = WatchedMachine(lab, "lab07")
    machine.start()
    jobs = [lab.sh(FAMILY.format(name=name)) for name in ("one", "two")]
    for name in ("one", "two"):
        lab.pid(name)
    machine.type_until(lambda: are_stopped(machine, *jobs), "all to stop")
    seen = wait_for(
        lambda: (one := machine.seen(jobs[0]))["paused_by"] and one, what="the news of it"
    )
    assert (seen["paused_by"], seen["state"]) == (["desk"], "started")
    wait_for(lambda: not any(map(is_stopped, machine.processes(*jobs))), what="all to go on")
    lab.open("gate")
    for job in jobs:
        assert lab.until(job, "finished").attempt == 1
        assert lab.ends(job) == [""]


def test_it_needs_neither_worker_nor_queue_nor_storage(lab: Lab) -> None:
    with nfs(lab) as root:
        machine = WatchedMachine(lab, "lab07", environ=PATIENT, mounts=root.mounts)
        machine.start()
        job = lab.sh(FAMILY.format(name="one"))
        lab.pid("one")
        machine.machine.kill("worker")
        kill_server(lab)
        root.set("hang")
        machine.type_until(lambda: are_stopped(machine, job), "all to stop")
        wait_for(lambda: not any(map(is_stopped, machine.processes(job))), what="all to go on")
        lab.open("gate")
        wait_for(lambda: not machine.processes(job), what="its end")
        root.set("ok")
        lab.sandbox.ok("server", "start")
        machine.start()
        ended = lab.until(job, "finished")
        assert (ended.attempt, ended.losses) == (1, 0)


def test_who_is_paused_for_long_goes_on_elsewhere(lab: Lab) -> None:
    machine = WatchedMachine(lab, "lab07", environ=IMPATIENT)
    machine.start()
    words = ("--mem", "50M", "--signal", "USR1", "--grace", "1m", "--", "sh", "-c")
    job = lab.sandbox.ok("enqueue", *words, TRAINS).strip()
    step = lab.layout.checkpoint_dir(job) / "step"
    wait_for(lambda: step.exists() and step.read_text(), what="a checkpoint")
    later = lab.sandbox.ok("enqueue", "-c", "2", "--mem", "50M", "--", "true").strip()
    machine.type_until(lambda: machine.seen(job)["paused_by"], "the pause")
    back = lab.until(job, "queued")
    assert back.reason == "handed back: somebody is at the desk of lab07"
    assert (back.attempt, back.losses, back.failures) == (1, 0, 0)
    assert lab.log(job).decode().splitlines() == ["from 0", "saved"]
    saved = int(step.read_text())
    assert "lab07    later  desk in use" in lab.sandbox.ok("explain", job)
    assert [one["id"] for one in rows(lab, "ls")] == [job, later]
    other = lab.machine("lab08")
    assert lab.until(job, "started", attempt=2).machine == "lab08"
    assert lab.job(later).state == "queued"
    wait_for(lambda: int(step.read_text()) > saved, what="more steps")
    lab.open("gate")
    ended = lab.until(job, "finished")
    assert (ended.losses, ended.failures) == (0, 0)
    assert lab.log(job, 2).startswith(f"from {saved}\n".encode())
    assert lab.until(later, "finished").machine == "lab08"
    other.stop()


def test_what_is_shown(lab: Lab) -> None:
    machine = WatchedMachine(lab, "lab07", environ={"MLQ_DESK_IDLE_S": "400"})
    machine.start()
    job = lab.sandbox.ok("enqueue", "-c", "2", "--mem", "50M", "--", "sh", "-c", ENDLESS).strip()
    lab.until(job, "started")
    waits = lab.sandbox.ok("enqueue", "--mem", "50M", "--", "true").strip()
    machine.type_until(lambda: machine.seen(job)["paused_by"] == ["desk"], "the pause")
    said = "paused: somebody is at the desk"
    for words in (("ls",), ("show", job), ("explain", job)):
        assert said in lab.sandbox.on_terminal(*words, columns=140).out
        assert rows(lab, *words)[0]["paused_by"] == ["desk"]
    assert said in shown(lab, "ls", columns=140)
    assert "paused: somebody" in shown(lab, "ls", columns=80)
    for columns in (80, 140):
        assert "desk in use" in shown(lab, "machines", columns=columns)
        assert "desk in use" in shown(lab, "explain", waits, columns=columns)
    wait_for(lambda: not machine.seen(job)["paused_by"], what="its end")
    free = re.compile(r"desk free for \d+s, jobs start after 6m")
    machine.lab.until_shown("lab07", lambda row: free.match(row["guest_closed"]))
    for words in (("machines",), ("explain", waits)):
        assert free.search(shown(lab, *words, columns=80))
    assert said not in shown(lab, "ls", columns=140)


def rows(lab: Lab, *words: str) -> list[dict[str, Any]]:
    """Return what a command says with --json."""
    found: list[dict[str, Any]] = json.loads(lab.sandbox.ok(*words, "--json"))
    return found


def shown(lab: Lab, *words: str, columns: int) -> str:
    """Return what a command shows on a terminal; no line may be wider than that."""
    text = re.sub(r"\x1b\[\d*m", "", lab.sandbox.on_terminal(*words, columns=columns).out)
    assert all(len(line) <= columns for line in text.splitlines()), text
    return text


def kill_server(lab: Lab) -> None:
    """Kill the queue's server, as a power cut does."""
    (status,) = rows(lab, "server", "status")
    os.kill(status["pid"], signal.SIGKILL)
    wait_for(lambda: not alive(status["pid"]), what="its death")
