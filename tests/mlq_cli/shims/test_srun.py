"""`srun` in a job. Messages, codes, variables and names were compared with a real Slurm 22.05."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from waiting import wait_for

from mlq.errors import InvalidInputError
from mlq_cli.shims.srun_options import read, with_variables
from mlq_cli.shims.srun_plan import plan

SRUN = (sys.executable, "-E", "-P", "-m", "mlq_cli.shims", "srun")


@pytest.fixture
def job(tmp_path: Path) -> dict[str, str]:
    """Return the variables of a job."""
    return {
        "PATH": os.environ["PATH"],
        "MLQ_JOB_ID": "7",
        "MLQ_PROGRESS_FILE": f"{tmp_path}/progress.jsonl",
        "SLURM_JOB_ID": "7",
        "SLURMD_NODENAME": "vm",
        "CUDA_VISIBLE_DEVICES": "a,b,c,d",
    }


def srun(
    job: dict[str, str], *words: str, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*SRUN, *words],
        env=job,
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        cwd=Path(job["MLQ_PROGRESS_FILE"]).parent,
        capture_output=True,
        text=True,
        check=False,
    )


def ranks(job: dict[str, str], script: str, *words: str) -> subprocess.CompletedProcess[str]:
    return srun(job, *words, "sh", "-c", script)


@pytest.mark.parametrize(
    ("words", "options", "command"),
    [
        ("-n2 -lu hostname -n3", {"ntasks": "2", "label": "1", "unbuffered": "1"}, "hostname -n3"),
        ("--ntasks=2 --output o.log -- -x", {"ntasks": "2", "output": "o.log"}, "-x"),
        ("-K env", {"kill-on-bad-exit": "1"}, "env"),
        ("-K0 env", {"kill-on-bad-exit": "0"}, "env"),
        ("--kill-on=0 --cpu_bind none env", {"kill-on-bad-exit": "0", "cpu-bind": "none"}, "env"),
        ("-c 2 -lvvv env", {"cpus-per-task": "2", "label": "1", "verbose": "1"}, "env"),
    ],
)
def test_the_command_line(words: str, options: dict[str, str], command: str) -> None:
    typed = read(words.split())
    assert (typed.options, " ".join(typed.command)) == (options, command)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("--nope x", "unrecognized option '--nope'"),
        ("-n", "option requires an argument -- 'n'"),
        ("--output", "option '--output' requires an argument"),
        ("--label=1 x", "doesn't allow an argument"),
        ("--ntasks-per x", "is ambiguous"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_a_code(
    job: dict[str, str], words: str, why: str
) -> None:
    with pytest.raises(InvalidInputError, match=r"option"):
        read(words.split())
    done = srun(job, *words.split())
    assert done.returncode
    assert done.stderr.startswith("srun: error: ")
    assert why in done.stderr
    assert done.stderr.count("\n") == 1


def test_variables_stand_for_options_that_were_not_typed() -> None:
    environ = {"SLURM_NTASKS": "4", "SLURM_LABELIO": "1", "SLURM_KILL_BAD_EXIT": "1"}
    typed = with_variables(read(["-n2", "x"]), environ)
    assert typed.options == {"ntasks": "2", "label": "1", "kill-on-bad-exit": "1"}


@pytest.mark.parametrize(
    ("words", "gpus"),
    [
        ("-n2", ()),
        ("-n2 --gpus-per-task=2", ("a,b", "c,d")),
        ("-n2 --gpus-per-task=a100:1", ("a", "b")),
        ("-n2 --gpus-per-task=1 --gpu-bind=none", ()),
        ("-n6 --gpu-bind=single:1", ("a", "b", "c", "d", "a", "b")),
    ],
)
def test_which_gpus_a_rank_sees(job: dict[str, str], words: str, gpus: Sequence[str]) -> None:
    assert plan(read([*words.split(), "x"]), job).gpus == gpus


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("-N2 x", "a job of mlq runs on one machine"),
        ("-n0 x", "--ntasks=0 is no number from 1 on"),
        ("-nx x", "--ntasks=x is no number from 1 on"),
        ("--gpus-per-task=3 -n2 x", "the job has 4"),
        ("--multi-prog x", "not supported"),
        ("--jobid=8 x", "in their job only"),
    ],
)
def test_what_cannot_be_started(job: dict[str, str], words: str, why: str) -> None:
    with pytest.raises(InvalidInputError, match=why):
        plan(read(words.split()), job)


def test_variables_of_ranks(job: dict[str, str]) -> None:
    done = ranks(job, "env; echo", "-n2", "-c3", "--export=ALL,A=1")
    first = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    assert first["SLURM_NTASKS"] == first["SLURM_STEP_NUM_TASKS"] == "2"
    assert first["SLURM_GTIDS"] == "0,1"
    assert first["SLURM_CPUS_PER_TASK"] == "3"
    assert first["SLURM_STEP_ID"] == "0"
    assert first["A"] == "1"
    assert "SLURM_STEP_ID=1" in ranks(job, "env").stdout


def test_ranks_of_a_job_that_was_not_written_for_slurm(job: dict[str, str]) -> None:
    job = {name: one for name, one in job.items() if not name.startswith("SLURM")}
    done = ranks(job | {"MLQ_JOB_ID": "7_2"}, "echo $SLURM_JOB_ID $SLURM_PROCID", "-n1")
    assert done.stdout == "7000000002 0\n"


def test_nothing_is_started_if_a_file_cannot_be_used(job: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "in0").write_text("x")
    done = ranks(job, "touch started", "-n2", "-i", "in%t")
    assert done.returncode == 1
    assert "in1 cannot be used" in done.stderr
    assert not (tmp_path / "started").exists()


def test_codes_and_messages(job: dict[str, str]) -> None:
    done = ranks(job, "exit $((SLURM_PROCID + 3))", "-n2")
    assert done.returncode == 4
    assert sorted(done.stderr.splitlines()) == [
        "srun: error: vm: task 0: Exited with exit code 3",
        "srun: error: vm: task 1: Exited with exit code 4",
    ]
    done = ranks(job, "[ $SLURM_PROCID = 1 ] && kill -9 $$; exit 0", "-n2")
    assert (done.returncode, done.stderr) == (137, "srun: error: vm: task 1: Killed\n")
    done = srun(job, "nothing")
    assert done.returncode == 2
    assert "execve(): nothing: No such file or directory" in done.stderr
    assert srun(job).stderr == "srun: error: no command given to execute\n"


def test_one_bad_rank_ends_the_others_only_if_that_is_wanted(job: dict[str, str]) -> None:
    script = "if [ $SLURM_PROCID = 1 ]; then exit 7; fi; until [ -e GATE ]; do sleep 0.02; done"
    done = ranks(job, script, "-K", "-n3")
    assert done.returncode == 128 + signal.SIGTERM
    assert "vm: task 0: Terminated" in done.stderr


def test_labels_and_files(job: dict[str, str], tmp_path: Path) -> None:
    done = ranks(job, "printf $SLURM_PROCID", "-l", "-n11")
    assert sorted(done.stdout.splitlines()) == sorted(f"{one:>2}: {one}" for one in range(11))
    ranks(job, "echo $SLURM_PROCID; echo e >&2", "-n2", "-o", "o-%j-%t-%J", "-e", "same.%s")
    ranks(job, "echo $SLURM_PROCID", "-n3", "-o", "all.log", "--open-mode=append")
    assert (tmp_path / "o-7-1-7.1").read_text() == "1\n"
    assert (tmp_path / "same.1").read_text() == "e\ne\n"
    assert sorted((tmp_path / "all.log").read_text().split()) == ["0", "1", "2"]
    assert ranks(job, "echo $SLURM_PROCID", "-n3", "-o", "none").stdout == ""
    assert ranks(job, "echo $SLURM_PROCID", "-n3", "-o", "1").stdout == "1\n"
    assert "all.log/x cannot be used" in ranks(job, "echo", "-o", "all.log/x").stderr


def test_standard_input(job: dict[str, str], tmp_path: Path) -> None:
    read_all = ["sh", "-c", "echo $SLURM_PROCID $(cat)"]
    assert srun(job, *read_all, stdin="hi").stdout == "0 hi\n"
    assert sorted(srun(job, "-n2", *read_all, stdin="hi").stdout.splitlines()) == ["0 hi", "1 hi"]
    done = srun(job, "-n2", "-i", "1", *read_all, stdin="hi")
    assert sorted(done.stdout.splitlines()) == ["0", "1 hi"]
    (tmp_path / "in0").write_text("file")
    assert srun(job, "-i", "in%t", *read_all).stdout == "0 file\n"


_TRAINING = """
import os, signal, sys
def got(number, frame):
    print('got', signal.Signals(number).name, flush=True)
for one in (signal.SIGUSR1, signal.SIGTERM):
    signal.signal(one, got)
open('ready' + os.environ['SLURM_PROCID'], 'w').close()
for _ in range(int(sys.argv[1])):
    signal.pause()
sys.exit(5)
"""


@pytest.mark.parametrize(
    ("wrapper", "expected"),
    [
        (("python3", "-c", _TRAINING), ["got SIGTERM", "got SIGUSR1"]),
        (("sh", "-c", 'python3 -c "$0" $1; exit $?', _TRAINING), ["got SIGTERM", "got SIGUSR1"]),
    ],
)
def test_each_rank_gets_each_signal_once(
    job: dict[str, str], tmp_path: Path, wrapper: Sequence[str], expected: list[str]
) -> None:
    command = subprocess.Popen(
        [*SRUN, "-n2", *wrapper, "2"],
        env=job,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for(lambda: all((tmp_path / f"ready{one}").exists() for one in (0, 1)), 20)
        command.send_signal(signal.SIGUSR1)  # the second may come while the first is passed on
        command.send_signal(signal.SIGTERM)
        out, _ = command.communicate(timeout=30)
    finally:
        command.kill()
        command.wait()
    assert sorted(out.splitlines()) == sorted(expected * 2)


def test_a_signal_that_comes_too_early_waits_for_its_handler(
    job: dict[str, str], tmp_path: Path
) -> None:
    late = 'until [ -e GATE ]; do sleep 0.02; done; exec python3 -c "$0" 1'
    command = subprocess.Popen(
        [*SRUN, "sh", "-c", late, _TRAINING],
        env=job,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        comm = Path(f"/proc/{command.pid}/comm")
        wait_for(lambda: comm.read_text() == "srun\n" and _catches(command.pid), 20)
        command.send_signal(signal.SIGUSR1)
        (tmp_path / "GATE").touch()
        out, _ = command.communicate(timeout=30)
    finally:
        command.kill()
        command.wait()
    assert (out, command.returncode) == ("got SIGUSR1\n", 5)


def _catches(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGUSR1 - 1) & 1)


def test_it_waits_for_a_program_that_outlives_its_wrapper(
    job: dict[str, str], tmp_path: Path
) -> None:
    saves = (
        "import os, signal, sys, time\n"
        "def got(*_):\n"
        "    while not os.path.exists('GATE'): time.sleep(0.02)\n"
        "    print('saved', flush=True); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, got)\n"
        "open('ready0', 'w').close()\n"
        "signal.pause()\n"
    )
    command = subprocess.Popen(
        [*SRUN, "sh", "-c", 'python3 -c "$0"; exit $?', saves],
        env=job,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for((tmp_path / "ready0").exists, 20)
        command.send_signal(signal.SIGTERM)
        assert command.stderr is not None
        assert "task 0: Terminated" in command.stderr.readline()  # the shell
        assert command.poll() is None
        (tmp_path / "GATE").touch()
        out, _ = command.communicate(timeout=30)
    finally:
        command.kill()
        command.wait()
    assert (out, command.returncode) == ("saved\n", 128 + signal.SIGTERM)


def test_the_folder_of_a_file_may_be_made_a_moment_later(
    job: dict[str, str], tmp_path: Path
) -> None:
    with subprocess.Popen([*SRUN, "-o", "late/%t", "echo", "x"], env=job, cwd=tmp_path) as command:
        comm = Path(f"/proc/{command.pid}/comm")
        wait_for(lambda: comm.read_text() == "srun\n", 20)
        (tmp_path / "late").mkdir()
        assert command.wait(30) == 0
    assert (tmp_path / "late" / "0").read_text() == "x\n"
