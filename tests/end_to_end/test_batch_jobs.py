"""What a job that was written for another batch system sees while it runs."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from local_lab import PATIENT, Lab, new_lab
from waiting import wait_for

from mlq.jobs.batch_job import BatchJob, Streams

SLURM = BatchJob(system="slurm")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with new_lab(**PATIENT) as lab:
        lab.machine("lab01", "--cores", "4")
        yield lab


def run(lab: Lab, script: str, *words: str, **options: object) -> str:
    """Run a script as a job of Slurm's and return its id once it has ended well."""
    job = lab.sandbox.submit("train.sh", *words, script=script, **{"batch": SLURM, **options})
    lab.until(job, "finished")
    return job


def test_a_script_runs_by_its_interpreter_and_gets_its_arguments(lab: Lab) -> None:
    lab.folder.joinpath("words.py").touch()  # is not what `python` finds first
    script = "#!/usr/bin/env -S python3 -P\nimport sys, os\nprint(sys.argv[1:], os.getcwd())\n"
    job = run(lab, script, "a b", "é'\n", cwd=str(lab.folder))
    assert lab.log(job).decode() == f"{['a b', 'é' + chr(39) + chr(10)]} {lab.folder}\n"


def test_a_retry_runs_the_signed_script_though_the_file_was_changed(lab: Lab) -> None:
    script = "#!/bin/sh\nx=$1\ncase $0 in */slurm_script) ;; *) exit 9; esac\n"
    script += 'echo "echo other; exit 0" >$0.new; mv $0.new $0; echo signed; exit 1\n'
    job = lab.sandbox.submit("train.sh", script=script, batch=SLURM, retries=1)
    lab.until(job, "failed", attempt=2)
    assert [lab.log(job, 1), lab.log(job, 2)] == [b"signed\n", b"signed\n"]
    assert (lab.layout.job_dir(job) / "script").stat().st_mode & 0o777 == 0o700


def test_the_users_files_grow_while_the_job_runs_and_the_log_has_both(lab: Lab) -> None:
    script = "#!/bin/sh\necho out; echo err >&2; until [ -e GATE ]; do sleep 0.05; done; echo end\n"
    out = lab.folder / "out put"
    streams = Streams(output=f"{out}/%x-%4j_%N.out", error=f"{out}/%j.err")
    out.mkdir()
    (out / "x-0001_lab01.out").write_text("old")
    job = lab.sandbox.submit(
        "x", name="x", script=script, streams=streams, batch=SLURM, cwd=str(lab.folder)
    )
    output, error = out / f"x-{job:0>4}_lab01.out", out / f"{job}.err"
    wait_for(lambda: output.exists() and output.read_text() == "out\n")
    wait_for(lambda: error.exists() and error.read_text() == "err\n")
    lab.open("GATE")
    assert lab.until(job, "finished").notes == ()
    assert output.read_text() == "out\nend\n"
    log = lab.log(job).decode()
    assert sorted(log.splitlines()) == ["end", "err", "out"]


def test_a_later_attempt_begins_the_file_anew_or_appends(lab: Lab, tmp_path: Path) -> None:
    script = "#!/bin/sh\necho $SLURM_RESTART_COUNT.; exit 1\n"
    for appends in (False, True):
        streams = Streams(output=f"{tmp_path}/{appends}", appends=appends)
        job = lab.sandbox.submit("x", script=script, streams=streams, batch=SLURM, retries=1)
        lab.until(job, "failed", attempt=2)
    assert (tmp_path / "False").read_text() == "1.\n"
    assert (tmp_path / "True").read_text() == ".\n1.\n"


@pytest.mark.parametrize(
    ("name", "why"),
    [("missing/x", "its folder is missing"), ("", "it is a folder"), ("fifo", "it is no file")],
)
def test_a_file_that_cannot_be_written_is_a_note_and_no_failure(
    lab: Lab, tmp_path: Path, name: str, why: str
) -> None:
    os.mkfifo(tmp_path / "fifo")
    job = run(lab, "#!/bin/sh\necho hello\n", streams=Streams(output=f"{tmp_path}/{name}"))
    path = f"{tmp_path}/{name}"
    note = f"output file {path} could not be written: {why}; the log has everything"
    assert lab.job(job).notes == (note,)
    assert lab.log(job) == b"hello\n"


def test_output_to_nowhere_is_fine(lab: Lab) -> None:
    job = run(lab, "#!/bin/sh\necho hello\n", streams=Streams(output="/dev/null"))
    assert lab.job(job).notes == ()


def test_a_job_of_pbs_has_its_variables(lab: Lab) -> None:
    script = "cat $PBS_NODEFILE\necho $PBS_JOBID $NCPUS $PBS_O_WORKDIR $PBS_ENVIRONMENT\n"
    batch = BatchJob(system="pbs", tasks=2, submit_dir="/sub")
    job = run(lab, script, batch=batch)
    assert lab.log(job).decode() == f"lab01\nlab01\n{job}.mlq 1 /sub PBS_BATCH\n"


def test_srun_starts_the_ranks_of_a_job_and_gives_the_worst_exit_code(lab: Lab) -> None:
    script = """#!/bin/sh
echo script $SLURM_PROCID $SLURM_NTASKS
srun -l sh -c 'echo rank $SLURM_PROCID of $SLURM_NTASKS in $SLURM_STEP_ID'
srun -o out-%j-%t.log sh -c 'echo $SLURM_PROCID; exit $SLURM_PROCID'
echo code $?
"""
    batch = BatchJob(system="slurm", tasks=3)
    job = run(lab, script, batch=batch, cwd=str(lab.folder))
    said = lab.log(job).decode().splitlines()
    assert said[0] == "script 0 3"
    assert sorted(said[1:4]) == [f"{rank}: rank {rank} of 3 in 0" for rank in range(3)]
    assert "srun: error: lab01: task 2: Exited with exit code 2" in said
    assert said[-1] == "code 2"
    assert (lab.folder / f"out-{job}-1.log").read_text() == "1\n"


def test_a_signal_reaches_each_rank_once_and_not_the_script(lab: Lab) -> None:
    rank = lab.folder / "rank.py"
    rank.write_text(
        "import os, signal, sys, time\n"
        "def got(number, frame): print('got', os.environ['SLURM_PROCID'], flush=True)\n"
        "signal.signal(signal.SIGUSR1, got)\n"
        "open(f\"ready{os.environ['SLURM_PROCID']}\", 'w').write('x')\n"
        "while not os.path.exists('GATE2'): time.sleep(0.02)\n"
    )
    script = "#!/bin/sh\nsrun -n2 sh -c 'python3 rank.py; exit 4'\necho code $?\n"
    job = lab.sandbox.submit(
        "x", script=script, batch=SLURM, cwd=str(lab.folder), signal="USR1@60", time="61s"
    )
    lab.file("ready0")
    lab.file("ready1")
    wait_for(lambda: lab.log(job).count(b"got") == 2, 20)
    lab.open("GATE2")
    lab.until(job, "finished")
    assert sorted(lab.log(job).decode().splitlines()[:2]) == ["got 0", "got 1"]
    assert lab.log(job).decode().splitlines()[-1] == "code 4"


def test_jobs_of_slurm_have_its_commands_first_in_path(lab: Lab) -> None:
    job = run(lab, "#!/bin/sh\ncommand -v sbatch\ncommand -v srun\n")
    folder = lab.sandbox.ok("shims", "slurm").strip()
    assert lab.log(job).decode() == f"{folder}/sbatch\n{folder}/srun\n"


def test_srun_outside_a_job_is_a_job_one_waits_for(lab: Lab) -> None:
    folder = lab.sandbox.ok("shims", "slurm").strip()
    script = "echo $SLURM_PROCID of $SLURM_NTASKS; exit $((SLURM_PROCID + 3))"
    done = subprocess.run(
        [f"{folder}/srun", "-n2", "-c1", "-t", "5", "-J", "two", "sh", "-c", script],
        env=lab.environ,
        cwd=lab.folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 4, done.stderr
    assert {"0 of 2", "1 of 2"} <= set(done.stdout.splitlines())
    assert "queued and waiting for resources" in done.stderr


def test_mlq_shows_that_it_is_a_script_and_where_its_output_goes(lab: Lab) -> None:
    streams = Streams(output=f"{lab.folder}/%x-%j.out", error=f"{lab.folder}/%N.err")
    script = "#!/bin/sh\necho hello\n"
    job = run(lab, script, "a b", name="t", streams=streams)
    shown = lab.sandbox.ok("show", job)
    assert "script     2 lines, for Slurm (--json prints it)" in shown
    assert "command    train.sh 'a b'" in shown
    assert f"output     {lab.folder}/t-{job}.out" in shown
    assert f"errors     {lab.folder}/lab01.err" in shown
    (told,) = json.loads(lab.sandbox.ok("show", "--json", job))
    assert (told["script"], told["system"]) == (script, "slurm")


def test_names_with_blanks_quotes_and_line_ends(lab: Lab) -> None:
    folder = lab.folder / "a 'b\"\n$c; é"
    folder.mkdir()
    streams = Streams(output=f"{folder}/%x.out", error=f"{folder}/gone\n/x")
    script = '#!/bin/sh\nsrun -o "%x-%t" sh -c \'echo "$1"; pwd\' sh "$1"\necho out\necho err >&2\n'
    name = "n 'm\" $x"
    job = run(lab, script, "ä\n'", name=name, streams=streams, cwd=str(folder))
    assert (folder / f"{name}.out").read_text() == "out\n"
    assert (folder / f"{name}-0").read_text() == f"ä\n'\n{folder}\n"
    (note,) = lab.job(job).notes
    assert "could not be written: its folder is missing" in note
