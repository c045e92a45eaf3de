"""Two machines of one name: the second is told so, and no job ever runs twice for it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ci import require
from disks import may_mount
from local_lab import BEAT_S, DEAD_S, Lab, Machine
from sandbox import MLQ
from waiting import wait_for

from mlq_worker.agent.host_id import host_id
from mlq_worker.ipc import procfs

TICKS = "while [ ! -e end ]; do echo $MLQ_ATTEMPT >>ticks; sleep 0.05; done"
FLAGS = ("--cores", "2", "--gpus", "none")
# A host of its own: another name, and neither the processes nor the sockets' names of this one.
ELSEWHERE = ["unshare", "--uts", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
RENAMED = ["sh", "-ec", 'hostname $0; exec "$@"']


def another(lab: Lab, folder: str = "r2") -> Machine:
    """Return a machine of the same name with a runtime folder of its own, not started yet."""
    machine = Machine(lab, "m1", FLAGS)
    machine.environ = {
        "MLQ_RUNTIME_DIR": str(lab.folder / folder),
        "MLQ_REDIS_SOCKET": str(lab.folder / "run" / "mlq" / "redis.sock"),
    }
    machine.runtime = lab.folder / folder / "m" / "m1"
    return machine


@contextmanager
def elsewhere(
    lab: Lab, *flags: str, host: str = "elsewhere"
) -> Iterator[tuple[Machine, subprocess.Popen[str]]]:
    """Run the worker of the other machine on another host, in the foreground."""
    require(may_mount(), "the right to make namespaces (root)")
    machine = another(lab, host)
    words = [str(MLQ), "worker", "start", "--foreground", "--name", "m1", *FLAGS, *flags]
    with subprocess.Popen(
        [*ELSEWHERE, *RENAMED, host, *words],
        env={**lab.environ, **machine.environ},
        cwd=lab.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield machine, process
        finally:
            process.kill()


def signal_all(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """Signal all processes of a host, its jobs last: the supervisor looks before they go on."""
    (first,) = (one.pid for one in procfs.look().values() if one.parent == process.pid)
    its = namespace_of(first)
    for pid in sorted((pid for pid in procfs.look() if namespace_of(pid) == its), key=is_job):
        with suppress(ProcessLookupError):  # what ended meanwhile needs no signal
            os.kill(pid, number)


def namespace_of(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/ns/pid").readlink())
    except OSError:
        return ""


def is_job(pid: int) -> bool:
    return bool(procfs.mark_of(pid))


def status_of(machine: Machine) -> str:
    path = machine.runtime / "worker.status"
    return path.read_text() if path.exists() else ""


def attempts_in_order(lab: Lab) -> list[str]:
    """Return the numbers of the attempts that ran, once for each time that one took over."""
    ticks = (lab.folder / "ticks").read_text().split()
    return [tick for tick, before in zip(ticks, ["", *ticks], strict=False) if tick != before]


def test_another_worker_of_the_name_is_refused_and_told_who_has_it(lab: Lab) -> None:
    machine = lab.machine("m1")
    job = lab.sh(TICKS)
    lab.file("ticks")
    refused = another(lab).try_start()
    assert refused.code == 1
    assert "another worker holds the machine name m1" in refused.err
    assert f"process {machine.pid('worker')} on host" in refused.err
    assert "MLQ_MACHINE" in refused.err
    with elsewhere(lab) as (_, process):
        assert process.wait(30) == 1
        assert process.stderr is not None
        assert "another worker holds the machine name m1" in process.stderr.read()
    (told,) = lab.doctor("machine name")
    assert told["level"] == "problem"
    assert f"m1 is the name of two: process {machine.pid('worker')} on host" in told["says"]
    assert "on host elsewhere was refused" in told["says"]
    machine.until_beats(3)
    lab.open("end")
    assert lab.until(job, "finished").attempt == 1
    assert attempts_in_order(lab) == ["1"]


def test_one_that_keeps_trying_takes_over_from_a_dead_host(lab: Lab) -> None:
    machine = lab.machine("m1")
    job = lab.sh(TICKS)
    lab.file("ticks")
    with elsewhere(lab, "--keep-trying") as (other, _):
        wait_for(lambda: "another worker holds" in status_of(other), what="it to say why it waits")
        machine.until_beats(int(2 * DEAD_S / BEAT_S))
        assert lab.job(job).attempt == 1
        machine.cut_power()
        wait_for(lambda: "held" in status_of(other), what="the other host to work")
        lab.until(job, "started", attempt=2)
        wait_for(lambda: attempts_in_order(lab) == ["1", "2"], what="the second attempt to run")
        lab.open("end")
        assert lab.until(job, "finished").attempt == 2


def test_a_name_that_was_given_up_is_free_at_once(lab: Lab) -> None:
    machine = lab.machine("m1")
    machine.until_beats(1)
    machine.stop()
    with elsewhere(lab) as (other, _):
        wait_for(lambda: "held" in status_of(other), what="the other host to work")
        assert lab.until(lab.sh("true"), "finished").attempt == 1


def test_one_given_up_for_dead_that_comes_back_starts_nothing(lab: Lab) -> None:
    with elsewhere(lab, host="first") as (first, process):
        wait_for(lambda: "held" in status_of(first), what="the first host to work")
        job = lab.sh(TICKS)
        lab.file("ticks")
        supervisor = first.beat()["supervisor_id"]
        with elsewhere(lab, "--keep-trying", host="second") as (second, _):
            wait_for(lambda: "another worker holds" in status_of(second), what="it to wait")
            signal_all(process, signal.SIGSTOP)
            lab.until(job, "started", attempt=2)
            wait_for(lambda: attempts_in_order(lab) == ["1", "2"], what="the second attempt to run")
            signal_all(process, signal.SIGCONT)
            assert process.wait(30) == 1
            assert process.stderr is not None
            assert "another worker holds the machine name m1" in process.stderr.read()
            second.until_beats(2)
            assert second.beat()["supervisor_id"] != supervisor
            lab.open("end")
            assert lab.until(job, "finished").attempt == 2


def test_the_same_host_never_waits_for_itself(lab: Lab) -> None:
    """A crash and a reboot give the name to the next worker at once, job and all."""
    machine = lab.machine("m1", boot_id="first")
    job = lab.sh(TICKS)
    lab.file("ticks")
    machine.kill("worker")
    machine.start()
    assert lab.job(job).attempt == 1
    machine.cut_power()
    machine.start(boot_id="second")
    lab.until(job, "started", attempt=2)
    lab.open("end")
    assert lab.until(job, "finished").attempt == 2


def test_an_id_is_made_once_for_each_host(lab: Lab) -> None:
    folder = lab.folder / "shared"
    ids = {host_id(folder) for _ in range(2)}
    assert len(ids) == 1
    code = "import pathlib, sys; from mlq_worker.agent.host_id import host_id; "
    code += "print(host_id(pathlib.Path(sys.argv[1])))"
    python = str(MLQ.with_name("python"))
    other = subprocess.run(
        ["unshare", "--uts", *RENAMED, "elsewhere", python, "-c", code, str(folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert {other.stdout.strip()}.isdisjoint(ids)
    # A folder that nothing can be written to: the same id each time, all the same.
    nowhere = lab.folder / "nowhere" / "file"
    nowhere.parent.write_text("")
    assert host_id(nowhere) == host_id(nowhere)
