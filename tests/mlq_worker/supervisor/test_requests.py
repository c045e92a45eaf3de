"""Signals that users send to running jobs: whom they reach, and that each comes once."""

from __future__ import annotations

import signal
import sys

import pytest
from supervising import Bench, is_stopped

pytestmark = pytest.mark.slow

# Writes a line for each signal that it gets.
TELLS = """
import os, signal, sys
name, numbers = sys.argv[1], [int(one) for one in sys.argv[2].split(",")]
def heard(number, _frame):
    with open(os.environ["HERE"] + "/heard", "a") as file:
        file.write(f"{name} {number}\\n")
for number in numbers:
    signal.signal(number, heard)
open(os.environ["HERE"] + f"/up-{name}", "w").write("yes")
while True:
    signal.sigtimedwait((), 0.1)
"""
USR1, USR2, TERM = (int(one) for one in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM))
TRAPS = "".join(f"trap 'echo script {one} >>heard' {one}; " for one in (USR1, USR2, TERM))


def tells(name: str, *numbers: int) -> str:
    """The command, in shell, of a program that tells of these signals."""
    asked = ",".join(map(str, numbers or (USR1, USR2, TERM)))
    return f"{sys.executable} tells.py {name} {asked}"


def heard(bench: Bench) -> list[str]:
    path = bench.root.parent / "heard"
    return sorted(path.read_text().splitlines()) if path.exists() else []


class Sender:
    """The worker's end of signals."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.sequence = bench, 0

    def __call__(self, number: int, whom: str = "program", *, again: bool = False) -> None:
        self.sequence += not again
        message = {"op": "signal", "id": "1", "attempt": 1, "sequence": self.sequence}
        self.bench.link.send({**message, "number": number, "whom": whom})
        self.bench.until(lambda: self.bench.obeyed.get("1") == self.sequence, "an answer")
        self.bench.obeyed.clear()


@pytest.fixture
def send(bench: Bench) -> Sender:
    bench.root.parent.joinpath("tells.py").write_text(TELLS)
    return Sender(bench)


def run(bench: Bench, script: str, *names: str, shell: str = "bash") -> None:
    bench.start(bench.order("1", shell, "-c", script))
    for name in names:
        bench.file(f"up-{name}")


def until_heard(bench: Bench, *lines: str) -> None:
    bench.until(lambda: len(heard(bench)) >= len(lines), f"{lines}")
    assert heard(bench) == sorted(lines)


def until_stopped(bench: Bench, stopped: set[int]) -> None:
    bench.until(lambda: {one for one in bench.alive() if is_stopped(one)} == stopped, "a stop")


BESIDE = f"{TRAPS}{tells('a')} & {tells('b')} & while :; do wait; done"


@pytest.mark.parametrize(
    ("whom", "told"),
    [
        ("program", ("a", "b")),
        ("script", ("script",)),
        ("all", ("a", "b", "script")),
    ],
)
@pytest.mark.parametrize("number", [USR1, TERM])
def test_the_program_the_script_or_all(
    bench: Bench, send: Sender, number: int, whom: str, told: tuple[str, ...]
) -> None:
    run(bench, BESIDE, "a", "b")
    send(number, whom)
    until_heard(bench, *(f"{one} {number}" for one in told))
    assert "1" not in bench.results


def test_the_ranks_of_srun_and_nobody_beside_them(bench: Bench, send: Sender) -> None:
    """A stand-in for `srun`; real ranks are in the tests of Slurm's commands."""
    srun = bench.root.parent / "srun"
    srun.write_text(
        f"#!/bin/bash\n{tells('r0')} & one=$!; {tells('r1')} & two=$!\n"
        'echo "$one $two" >pids\ntrap "kill -USR1 $one $two" USR1\n: >up-srun\n'
        "while :; do wait; done\n"
    )
    srun.chmod(0o700)
    run(bench, f"{tells('beside')} & ./srun", "beside", "r0", "r1")
    bench.until((bench.root.parent / "up-srun").exists, "its trap")
    send(USR1)
    until_heard(bench, f"r0 {USR1}", f"r1 {USR1}")
    send(signal.SIGSTOP)
    until_stopped(bench, set(map(int, bench.file("pids").split())))
    send(signal.SIGCONT)
    until_stopped(bench, set())


def test_a_signal_told_again_after_a_restart_is_the_same_one(bench: Bench, send: Sender) -> None:
    """The worker died before it could say in the queue that the signal was obeyed."""
    run(bench, BESIDE, "a", "b")
    send(USR1)
    until_heard(bench, f"a {USR1}", f"b {USR1}")
    bench.link.close()
    bench.connect()
    send(USR1, again=True)
    send(USR2)
    until_heard(bench, f"a {USR1}", f"a {USR2}", f"b {USR1}", f"b {USR2}")


def test_a_signal_waits_for_a_handler(bench: Bench, send: Sender) -> None:
    run(bench, f"until [ -e go ]; do sleep 0.02; done; exec {tells('a', USR2)}")
    send(USR1)
    send(USR2)
    (bench.root.parent / "go").touch()
    until_heard(bench, f"a {USR2}")
    assert "1" not in bench.results


def test_one_that_waited_is_dropped_when_the_job_is_told_to_end(bench: Bench, send: Sender) -> None:
    script = f"trap 'exec {tells('a', USR1)}' TERM; : >up-script; while :; do sleep 0.02; done"
    bench.start(bench.order("1", "sh", "-c", script, stop_grace_s=0.4))
    bench.running("1")
    bench.until((bench.root.parent / "up-script").exists, "its trap")
    send(USR1)
    bench.stop("1")
    bench.file("up-a")
    assert bench.result("1")["outcome"] == "canceled"
    assert heard(bench) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_one_that_ends_spares_the_scripts_shell(bench: Bench, send: Sender, number: int) -> None:
    """As Slurm ends what `srun` runs, and the script goes on with its next command."""
    child = f"{sys.executable} -c 'import signal; signal.signal(2, signal.SIG_DFL); "
    child += 'open("up-a", "w").write("yes"); signal.pause()\''
    run(bench, f"trap : INT; {child}; echo $? >next; exit 7", "a")
    send(number)
    assert bench.file("next") == f"{128 + number}\n"
    assert bench.result("1")["exit_code"] == 7


def test_kill_for_the_script_alone_ends_the_job(bench: Bench, send: Sender) -> None:
    run(bench, BESIDE, "a", "b")
    send(signal.SIGKILL, "script")
    result = bench.result("1")
    assert (result["outcome"], result["signal"]) == ("signaled", signal.SIGKILL)


@pytest.mark.parametrize("is_script", [True, False])
def test_stop_and_cont_need_no_handler(bench: Bench, send: Sender, is_script: bool) -> None:
    """All but the script's shell; a program that is no shell stops with all below it."""
    child = [*tells("b").split()]
    code = f"import subprocess; subprocess.run({child!r})"
    shell, text = ("bash", f"{tells('b')}; :") if is_script else (sys.executable, code)
    run(bench, text, "b", shell=shell)
    leader, both = bench.running("1"), bench.alive()
    assert len(both) == 2
    send(signal.SIGSTOP)
    until_stopped(bench, both - {leader} if is_script else both)
    send(signal.SIGCONT)
    until_stopped(bench, set())


def test_what_asks_after_its_own_signal_is_not_told_a_second_time(
    bench: Bench, send: Sender
) -> None:
    """Lightning and submitit: the signal comes, they save and ask to be queued again."""
    code = (
        "import os, signal\n"
        "def heard(number, _):\n"
        "    open(os.environ['HERE'] + '/heard', 'a').write(f'a {number}\\n')\n"
        "    open(os.environ['MLQ_REQUEUE_FILE'], 'w').close()\n"
        "for number in (signal.SIGUSR1, signal.SIGTERM): signal.signal(number, heard)\n"
        "open(os.environ['HERE'] + '/up-a', 'w').write('yes')\n"
        "while True: signal.sigtimedwait((), 0.1)\n"
    )
    own = {"number": USR1, "ahead_s": None, "first_only": False}
    bench.python("1", code, signal=own, stop_grace_s=0.4)
    bench.file("up-a")
    send(USR1)
    assert bench.result("1")["outcome"] == "released"
    assert heard(bench) == [f"a {USR1}", f"a {TERM}"]


def test_an_attempt_that_has_ended_gets_none(bench: Bench, send: Sender) -> None:
    bench.start(bench.order("1", "true"))
    bench.result("1")
    send(USR1)
    assert bench.results["1"]["exit_code"] == 0
