import shlex
import subprocess
from typing import Any

from mlq.pilots.decide import Listed
from mlq.pilots.pool import Pool
from mlq.pilots.systems import (
    cancelling,
    job_of,
    listing,
    read_listing,
    script,
    submission,
    trial,
    undo,
)

NAME, LOG = "mlq-ab12-c0ffee", "/vol/100%/pilots/mlq-ab12-c0ffee.log"


def pool(system: Any, *args: str) -> Pool:
    return Pool("ab12", system, "", args, 5400.0, idle_s=300.0)


def test_the_script_is_valid_and_takes_the_first_mlq_that_is_there(tmp_path: Any) -> None:
    mlq = tmp_path / "it's mlq"
    mlq.write_text('#!/bin/sh\necho "$MLQ_ROOT" "$@"\n')
    mlq.chmod(0o755)
    text = script(pool("slurm"), ("/nowhere/mlq", str(mlq)), {"MLQ_ROOT": "/a 'b' $c"})
    done = subprocess.run(["sh"], input=text, capture_output=True, text=True, check=True)
    assert done.stdout == "/a 'b' $c worker start --foreground --for 5400s --idle 300s\n"
    text = script(pool("slurm"), ("/nowhere/mlq",), {})
    done = subprocess.run(["sh"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (127, "mlq: mlq is not here: /nowhere/mlq\n")


def test_slurm() -> None:
    call = submission(pool("slurm", "-c", "4"), NAME, "#!/bin/sh\n", LOG)
    assert shlex.join(call.words) == (
        "sbatch -c 4 --parsable --job-name=mlq-ab12-c0ffee --time=90 --no-requeue"
        " --output=/vol/100%%/pilots/mlq-ab12-c0ffee.log"
    )
    assert call.stdin == "#!/bin/sh\n"
    assert trial(pool("slurm"), NAME, "", LOG).words[-1] == "--test-only"
    assert undo(pool("slurm"), "5") is None
    assert job_of(pool("slurm"), "warning\n123;cluster\n") == "123"
    assert job_of(pool("slurm"), "nothing") == ""
    assert listing(pool("slurm"), "ada").words == ("squeue", "-h", "-u", "ada", "-o", "%i|%T|%j")
    said = (
        "7|RUNNING|mlq-ab12-a\n8|PENDING|mlq-ab12-b\n9|RUNNING|mlq-cd34-a\n10|FAILED|mlq-ab12-c\n"
    )
    assert read_listing(pool("slurm"), said) == {
        "mlq-ab12-a": Listed("7", True),
        "mlq-ab12-b": Listed("8", False),
    }
    assert cancelling(pool("slurm"), "7").words == ("scancel", "7")


def test_pbs() -> None:
    asked = pool("pbs", "-l", "select=1:ncpus=4")
    words = submission(asked, NAME, "", LOG).words
    assert words[:6] == ("qsub", "-l", "select=1:ncpus=4", "-N", NAME, "-l")
    assert "walltime=5400" in words
    assert trial(asked, NAME, "", LOG).words[-1] == "-h", "it is held, so it does not start"
    taken_back = undo(asked, "12.server\n")
    assert taken_back is not None
    assert taken_back.words == ("qdel", "12.server")
    said = """Job Id: 12.server
    Job_Name = mlq-ab12-a
    job_state = R
    Variable_List = PBS_O_HOME=/home/ada,
\tjob_state = no

Job Id: 13.server
    Job_Name = mlq-ab12-b
    job_state = Q

Job Id: 14.server
    Job_Name = mlq-ab12-c
    job_state = F
"""
    assert read_listing(asked, said) == {
        "mlq-ab12-a": Listed("12.server", True),
        "mlq-ab12-b": Listed("13.server", False),
    }


def test_condor() -> None:
    asked = pool("condor", "request_cpus = 4", "batch_name = mine")
    text = script(asked, ("/opt/mlq",), {"MLQ_ROOT": '/it\'s "here" $HOME'})
    call = submission(asked, NAME, text, LOG)
    assert call.words == ("condor_submit", "-terse")
    assert call.stdin.startswith("request_cpus = 4\nbatch_name = mine\nexecutable = /bin/sh\n")
    assert trial(asked, NAME, text, LOG).words == ("condor_submit", "-dry-run", "/dev/null")
    assert job_of(asked, "77.0 - 77.0\n") == "77.0"
    assert job_of(asked, "77 job(s) submitted") == ""
    said = f"77 0 2 {NAME}\n78 0 1 mlq-ab12-b\n79 0 5 mlq-ab12-c\n80 0 3 mlq-ab12-d\n"
    assert read_listing(asked, said) == {
        NAME: Listed("77.0", True),
        "mlq-ab12-b": Listed("78.0", False),
        "mlq-ab12-c": Listed("79.0", False),
    }


def test_a_submit_file_gives_the_shell_the_script_as_it_is() -> None:
    from mlq.scripts.condor import parse
    from mlq.scripts.where import Where

    asked = pool("condor", "request_cpus = 4")
    text = script(asked, ("/opt/mlq",), {"MLQ_ROOT": '/it\'s "here" $(HOME)'})
    job = parse(submission(asked, NAME, text, LOG).stdin, Where("x", "/"))
    assert job.argv == ("/bin/sh", "-c", text)
    assert (job.name, job.cores, job.time_limit_s) == (NAME, 4, 5520)
