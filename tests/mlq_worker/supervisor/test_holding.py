"""The supervisor when somebody dies: the worker, the launcher, the supervisor itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from supervising import Bench, is_stopped, process_runs
from waiting import wait_for

from mlq.errors import SupervisorError
from mlq_worker.ipc import procfs
from mlq_worker.ipc.clock import boottime

pytestmark = pytest.mark.slow

FOREVER = "import signal; signal.pause()"
HIDDEN_CHILD = (
    "import os, signal\n"
    "if os.fork() == 0:\n"
    "    os.setsid()\n"
    "    if os.fork(): os._exit(0)\n"
    "open(os.environ['HERE'] + '/ready-%d' % os.getpid(), 'w').close()\n"
    "signal.pause()\n"
)


def hide(bench: Bench) -> set[int]:
    """A job with a child that has left its session; the pids of both."""
    bench.python("1", HIDDEN_CHILD)
    wait_for(lambda: len(list(bench.root.parent.glob("ready-*"))) == 2, what="parent and child")
    return bench.alive()


def test_a_new_worker_finds_what_ran_and_what_ended_meanwhile(bench: Bench) -> None:
    bench.python("1", FOREVER, lane="x", time_limit_s=1000, tag={"class": "p0"})
    bench.start(bench.order("2", "true", lane="x"))
    bench.start(bench.order("3", "sh", "-c", "read x < $HERE/pipe; exit 4"))
    os.mkfifo(bench.root.parent / "pipe")
    pid = bench.keeper("1")
    bench.keeper("3")
    bench.link.close()
    (bench.root.parent / "pipe").write_text("go\n")
    wait_for(bench.layout.result_file("3", 1).exists, what="a result while no worker is there")
    bench.connect()
    held = {item["id"]: item for item in bench.link.hello["attempts"]}
    if held["3"]["state"] != "ended":  # its file is there a moment before the launcher says so
        held["3"]["result"] = bench.result("3")
    assert {key: item["state"] for key, item in held.items() if key != "3"} == {
        "1": "running",
        "2": "waiting",
    }
    assert held["3"]["result"]["exit_code"] == 4
    assert held["1"]["pid"] == pid
    seen = procfs.look_at(pid)
    assert seen is not None
    assert held["1"]["pid_start"] == seen.start
    assert held["1"]["order"] == {"lane": "x", "time_limit_s": 1000, "tag": {"class": "p0"}}


def test_what_is_forgotten_is_not_told_again(bench: Bench) -> None:
    bench.start(bench.order("1", "true"))
    bench.result("1")
    bench.link.send({"op": "forget", "attempts": [["1", 1]]})
    bench.connect()
    assert bench.link.hello["attempts"] == []


def test_a_new_worker_takes_the_place_of_the_old(bench: Bench) -> None:
    old, pid = bench.link, bench.pid
    bench.connect()
    assert bench.pid == pid

    def hung_up() -> bool:
        try:
            old.receive()
        except SupervisorError:
            return True
        return False

    wait_for(hung_up, what="the old connection to end")
    old.close()


def test_shutdown_ends_it_when_nothing_is_held(bench: Bench) -> None:
    bench.python("1", FOREVER)
    bench.running("1")
    launcher = bench.launcher()
    bench.link.send({"op": "shutdown"})
    bench.stop("1")
    bench.result("1")
    assert process_runs(bench.pid)
    bench.link.send({"op": "forget", "attempts": [["1", 1]]})
    wait_for(lambda: not process_runs(bench.pid), what="the supervisor to end")
    wait_for(lambda: not process_runs(launcher), what="the launcher to end")
    assert {path.name for path in bench.runtime.iterdir()} == {"supervisor.log", "supervisor.lock"}


def test_without_worker_and_jobs_it_leaves_by_itself(bench: Bench) -> None:
    bench.link.close()
    wait_for(lambda: not process_runs(bench.pid), what="the supervisor to end")


def test_there_is_never_a_second_one(bench: Bench) -> None:
    command = [sys.executable, "-m", "mlq_worker.supervisor", *bench.options.arguments()]
    assert subprocess.run(command, check=False, timeout=20).returncode == 75
    assert bench.connect().hello["pid"] == bench.pid


def test_sigterm_releases_the_jobs_and_ends_it(bench: Bench) -> None:
    bench.python("1", FOREVER)
    bench.running("1")
    os.kill(bench.pid, signal.SIGTERM)
    result = bench.result("1")
    assert (result["outcome"], result["signal"]) == ("released", signal.SIGTERM)
    wait_for(lambda: not process_runs(bench.pid), what="the supervisor to end")


def test_jobs_die_with_the_supervisor(bench: Bench) -> None:
    pids = hide(bench)
    launcher = bench.launcher()
    os.kill(bench.pid, signal.SIGKILL)
    wait_for(lambda: not any(map(process_runs, [*pids, launcher])), what="everything to end")


def test_jobs_die_with_the_launcher_and_another_one_starts(bench: Bench) -> None:
    pids = hide(bench)
    launcher = bench.launcher()
    bench.start(bench.order("2", "true", lane="x", width=1))
    bench.result("2")
    os.kill(launcher, signal.SIGKILL)
    result = bench.result("1")
    assert (result["outcome"], result["reason"]) == ("lost", "lost: the launcher died")
    assert result["started_at"] == bench.started["1"]["started_at"]
    assert not any(map(process_runs, pids))
    bench.start(bench.order("3", "true"))
    assert bench.result("3")["exit_code"] == 0
    assert bench.launcher() != launcher
    wait_for(bench.layout.result_file("1", 1).exists, what="the lost attempt's result.json")


def test_nonsense_costs_the_worker_its_connection_and_nothing_else(bench: Bench) -> None:
    bench.python("1", FOREVER)
    pid = bench.running("1")
    for message in ({"op": "dance"}, {"op": "start", "orders": [{"id": "2"}]}):
        bench.link.send(message)
        with pytest.raises(SupervisorError, match="hung up"):
            bench.until(lambda: False, what="the connection to end")
        bench.connect()
    assert process_runs(pid)


def test_the_beat_names_who_is_alive(fenced: Bench) -> None:
    fenced.python("1", FOREVER)
    fenced.running("1")
    path = fenced.layout.beat_file("m1")
    wait_for(path.exists, what="the first beat")
    first = json.loads(path.read_bytes())

    def later() -> bool:
        beat = json.loads(path.read_bytes())
        return beat["counter"] > first["counter"] and beat["attempts"] == [["1", 1]]

    wait_for(later, what="a later beat with the attempt in it")
    assert {key: first[key] for key in ("machine", "boot_id", "supervisor_id")} == {
        "machine": "m1",
        "boot_id": fenced.link.hello["boot_id"],
        "supervisor_id": fenced.link.hello["supervisor_id"],
    }


def cut_both(bench: Bench, pids: set[int]) -> Path:
    """Takes NFS away and says nothing of Redis; where the root is now."""
    away = bench.root.parent / "away"
    bench.root.rename(away)
    bench.until(lambda: all(map(is_stopped, pids)), "all its processes to stop")
    bench.until(lambda: bench.contacts[-1]["paused"], "the word that it is paused")
    return away


def test_without_any_contact_jobs_pause_and_a_renewal_wakes_them(fenced: Bench) -> None:
    pids = hide(fenced)
    cut_both(fenced, pids)
    fenced.until(lambda: fenced.contacts[-1]["nfs_error"], "the word what is wrong with NFS")
    held = fenced.connect().hello["attempts"]
    assert [item["state"] for item in held] == ["paused"]
    assert fenced.contacts[-1]["nfs_silence_s"] > 0.9
    fenced.confirm("1")
    fenced.until(lambda: not any(map(is_stopped, pids)), "them to go on")
    fenced.until(lambda: all(map(is_stopped, pids)), "them to pause again after that renewal")
    fenced.confirm(lost=("1",))
    assert fenced.result("1")["outcome"] == "lost"
    assert fenced.alive() == set()


def test_a_beat_after_a_short_silence_wakes_them(fenced: Bench) -> None:
    pids = hide(fenced)
    away = cut_both(fenced, pids)
    away.rename(fenced.root)
    fenced.until(lambda: not fenced.contacts[-1]["paused"], "the word that they go on")
    fenced.until(lambda: not any(map(is_stopped, pids)), "them to go on")


def test_a_beat_after_a_long_silence_does_not(fenced: Bench) -> None:
    pids = hide(fenced)
    away = cut_both(fenced, pids)
    fenced.until(lambda: fenced.contacts[-1]["nfs_silence_s"] > 2, "a silence of dead_s")
    away.rename(fenced.root)
    fenced.until(lambda: fenced.contacts[-1]["nfs_silence_s"] < 0.5, "beats that succeed")
    assert all(map(is_stopped, pids))
    fenced.confirm("1")
    fenced.until(lambda: not any(map(is_stopped, pids)), "them to go on")


def test_nothing_starts_and_no_limit_fires_during_a_pause(fenced: Bench) -> None:
    fenced.python("1", FOREVER, time_limit_s=1.8, lane="x")
    pid = fenced.running("1")
    fenced.start(fenced.order("2", "true", lane="x"))
    wait_for(fenced.layout.log_file("2", 1).exists, what="the next of the lane to be prepared")
    cut_both(fenced, {pid})
    fenced.until(lambda: fenced.contacts[-1]["redis_silence_s"] > 3, "the limit to pass")
    assert "1" not in fenced.results
    os.kill(pid, signal.SIGKILL)  # the lane is free now, and the fence is down
    fenced.result("1")
    count = len(fenced.contacts)
    fenced.until(lambda: len(fenced.contacts) > count + 2, "some beats more")
    assert "2" not in fenced.started
    (fenced.root.parent / "away").rename(fenced.root)
    fenced.confirm("2")
    assert fenced.result("2")["exit_code"] == 0


def test_after_the_whole_machine_was_frozen_it_pauses_first(fenced: Bench) -> None:
    pids = hide(fenced)
    frozen = [fenced.pid, fenced.launcher()]
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    frozen_at = boottime()
    fenced.root.rename(fenced.root.parent / "away")
    wait_for(lambda: boottime() > frozen_at + 1.2, what="more than fence_s of silence")
    assert not any(map(is_stopped, pids))
    for pid in frozen:
        os.kill(pid, signal.SIGCONT)
    fenced.until(lambda: all(map(is_stopped, pids)), "all its processes to stop")
