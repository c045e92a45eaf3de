"""Processes that try to leave their job: daemons that forked twice and hide whose they are."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

import pytest
from supervising import Bench, is_stopped, process_runs
from waiting import wait_for

from mlq_worker.probes.process_table import scan

# A session of its own, no parent, and an environment without the mark: even for root to read.
DAEMON = (
    "import os, sys\n"
    "if os.fork(): os._exit(0)\n"
    "os.setsid()\n"
    "if os.fork(): os._exit(0)\n"
    "code = 'import os, signal; open(%r + str(os.getpid()), \"w\").close(); signal.pause()'\n"
    "os.execve(sys.executable, [sys.executable, '-c', code % sys.argv[1]], {})\n"
)
FOREVER = "import signal; signal.pause()"


def escape(bench: Bench, job_id: str, then: str = "exec sleep 1000") -> int:
    """Start a job that starts a daemon; returns the daemon's pid."""
    base = str(bench.root.parent / f"daemon-{job_id}-")
    start = f'{sys.executable} -c "$0" {base}; {then}'
    bench.start(bench.order(job_id, "sh", "-c", start, DAEMON, stop_grace_s=0.2))
    found = wait_for(lambda: list(bench.root.parent.glob(f"daemon-{job_id}-*")), what="a daemon")
    return int(found[0].name.rsplit("-", 1)[1])


def test_a_daemon_ends_with_its_job_while_another_runs(bench: Bench) -> None:
    bench.python("1", FOREVER)
    other = bench.running("1")
    wait = "read x < $HERE/pipe"
    os.mkfifo(bench.root.parent / "pipe")
    daemon = escape(bench, "2", then=wait)
    (bench.root.parent / "pipe").write_text("go\n")
    assert bench.result("2")["reason"] == "exit 0"
    assert not process_runs(daemon)
    third = escape(bench, "3")
    bench.stop("3")
    assert bench.result("3")["outcome"] == "canceled"
    assert not process_runs(third)
    assert process_runs(other)


def test_a_daemon_is_paused_and_resumed_with_its_job(fenced: Bench) -> None:
    fenced.python("1", FOREVER)
    daemon = escape(fenced, "2")
    away = fenced.root.parent / "away"
    fenced.root.rename(away)
    fenced.until(lambda: is_stopped(daemon), "the daemon to be paused")
    fenced.confirm("2")
    fenced.until(lambda: not is_stopped(daemon), "the daemon to go on")
    away.rename(fenced.root)


def test_what_a_daemon_uses_counts_as_its_jobs(bench: Bench) -> None:
    one, two = escape(bench, "1"), escape(bench, "2")
    keepers = [bench.keeper("1"), bench.keeper("2")]
    owners = scan().owners(keepers)
    assert [owners[one], owners[two]] == keepers
    assert {one, two} <= scan().owners([bench.pid]).keys()


def test_what_a_killed_keeper_loses_is_ended_before_the_end_is_told(bench: Bench) -> None:
    bench.python("1", FOREVER)
    other = bench.running("1")
    daemon, leader = escape(bench, "2"), bench.running("2")
    os.kill(bench.keeper("2"), signal.SIGKILL)
    assert bench.result("2")["signal"] == signal.SIGKILL
    assert not process_runs(daemon)
    assert not process_runs(leader)
    assert process_runs(other)


@pytest.mark.parametrize("stopped", [False, True], ids=["launcher runs", "launcher stopped"])
@pytest.mark.parametrize("victims", [("supervisor",), ("supervisor", "launcher")])
def test_nothing_outlives_the_supervisor(
    bench: Bench, victims: tuple[str, ...], *, stopped: bool
) -> None:
    daemon = escape(bench, "1", then="sleep 3000 & wait")
    launcher, before = bench.launcher(), bench.alive()
    if stopped:
        os.kill(launcher, signal.SIGSTOP)
    for victim in victims:
        os.kill({"supervisor": bench.pid, "launcher": launcher}[victim], signal.SIGKILL)
    left = {bench.pid, launcher, daemon, *before}
    wait_for(lambda: not any(map(process_runs, left)), what="everything to end")


def test_a_launcher_never_meets_the_jobs_of_the_next_supervisor(bench: Bench) -> None:
    escape(bench, "1")
    old, launcher = bench.pid, bench.launcher()
    os.kill(launcher, signal.SIGSTOP)
    os.kill(old, signal.SIGKILL)
    wait_for(lambda: not process_runs(old), what="the supervisor to end")
    bench.connect()
    assert not process_runs(launcher)
    assert bench.alive() == set()
    daemon = escape(bench, "2")
    with suppress(ProcessLookupError):
        os.kill(launcher, signal.SIGCONT)
    bench.start(bench.order("3", "true"))
    assert bench.result("3")["exit_code"] == 0
    assert process_runs(daemon)


def test_a_stopped_launcher_is_made_to_go_on(bench: Bench) -> None:
    os.kill(bench.launcher(), signal.SIGSTOP)
    bench.start(bench.order("1", "true"))
    assert bench.result("1")["exit_code"] == 0
