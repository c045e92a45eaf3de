"""Slurm's commands of `mlq shims slurm`: what programs ask, and what they are answered."""

import getpass
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from local_lab import new_lab
from slurm_shims import Slurm

from mlq.files.shims import SLURM

pytestmark = pytest.mark.slow


@pytest.fixture
def slurm() -> Iterator[Slurm]:
    """A lab with one machine of two cores, and Slurm's commands for it."""
    with new_lab() as lab:
        lab.machine("gpu07")
        yield Slurm(lab)


def test_jobs_from_sbatch_to_sacct(slurm: Slurm) -> None:
    script = slurm.folder / "job.sh"
    script.write_text("#!/bin/sh\n#SBATCH -o out-%A_%a --array=1,3%1 -J odd\nexit $1\n")
    assert slurm.ok("sbatch", "--parsable", "job.sh", "0") == "1\n"
    assert slurm.ok("sbatch", "--wrap", "exit 3", "-J", "bad") == "Submitted batch job 2\n"
    waits = slurm.ok("sbatch", "-d", "afterok:1", "--parsable", "-H", text="#!/bin/sh\nsleep 60\n")
    assert waits == "3\n"
    for member in ("1_1", "1_3"):
        slurm.lab.until(member, "finished")
    slurm.lab.until("2", "failed")

    asked = ("sacct", "-n", "-X", "-P", "-o", "JobID,State,ExitCode,NodeList,JobName")
    assert slurm.ok(*asked, "-j", "1,2", "-j", "3").splitlines() == [
        "1_1|COMPLETED|0:0|gpu07|odd",
        "1_3|COMPLETED|0:0|gpu07|odd",
        "2|FAILED|3:0|gpu07|bad",
        "3|PENDING|0:0|None assigned|sbatch",
    ]
    assert slurm.ok(*asked, "--name", "bad", "-S", "now-1hours", "-E", "now")[:2] == "2|"
    assert slurm.ok(*asked, "-j", "1_3").startswith("1_3|")
    assert slurm.ok("sacct", "-j", "2", "-o", "jobid%5,state%-12").splitlines() == [
        "JobID State        ",
        "----- ------------ ",
        "    2 FAILED       ",
    ]
    assert slurm.ok("squeue", "-h", "--me", "-o", "%i|%t|%r|%.6j") == "3|PD|JobHeldUser|sbatch\n"
    assert slurm.ok("squeue", "-O", "JobID:6,State:.9") == "JOBID     STATE\n3       PENDING\n"
    assert slurm.ok("squeue", "-h", "-j", "2") == ""
    assert slurm.ok("squeue", "-h", "-t", "all", "-n", "bad", "-o", "%i %T") == "2 FAILED\n"
    slurm.ok("scancel", "-n", "sbatch", "-t", "PENDING")
    assert slurm.ok(*asked, "-j", "3").startswith("3|CANCELLED|0:0|")
    shown = slurm.ok("scontrol", "show", "job", "1_3")
    assert "JobId=1_3 ArrayJobId=1 ArrayTaskId=3 JobName=odd" in shown
    assert f"StdOut={slurm.folder}/out-%A_%a" in shown


def test_a_comment_is_kept_and_shown(slurm: Slurm) -> None:
    (slurm.folder / "job.sh").write_text("#!/bin/sh\n#SBATCH --comment='of the file'\n")
    slurm.ok("sbatch", "--array=4", "--hold", "job.sh")
    slurm.ok("sbatch", "--hold", "--comment", "two words", "job.sh")
    slurm.ok("sbatch", "--hold", "--wrap", "true")
    assert slurm.ok("squeue", "-h", "-o", "%i %k") == "1_4 of the file\n2 two words\n3 (null)\n"
    assert slurm.ok("squeue", "-h", "-j", "2", "-O", "comment:.12") == "   two words\n"
    assert slurm.ok("sacct", "-nPo", "Comment", "-j", "1,2,3") == "of the file\ntwo words\n\n"
    assert "   Comment=two words\n" in slurm.ok("scontrol", "show", "job", "2")
    assert "Comment" not in slurm.ok("scontrol", "show", "job", "3")
    sandbox = slurm.lab.sandbox
    assert "  comment    two words\n" in sandbox.ok("show", "2")
    assert sandbox.ok("submit", "--hold", "--comment", "mine", "job.sh") == "4\n"
    shown = json.loads(sandbox.ok("show", "1_4", "2", "3", "4", "--json"))
    assert [one["comment"] for one in shown] == ["of the file", "two words", "", "mine"]


def test_odd_names_keep_the_columns_of_a_table(slurm: Slurm) -> None:
    slurm.ok("sbatch", "--hold", "-J", "evil\x1b[31m\nname|", "--wrap", "true")
    assert slurm.ok("squeue", "-h", "-o", "%.4j|%.9j|%u") == f"evil|evil name|{getpass.getuser()}\n"
    assert slurm.ok("sacct", "-n", "-o", "JobName%6,JobID%3") == "evil +   1 \n"


def test_a_signal_before_the_start_is_said(slurm: Slurm) -> None:
    done = slurm.run("sbatch", "--signal=SIGUSR1@600", "-t", "1", "--hold", "--wrap", "true")
    said = "--signal USR1@600 is sent at the start: the time limit is only 1m"
    assert (done.stdout, done.stderr) == ("Submitted batch job 1\n", f"sbatch: {said}\n")
    slurm.ok("sbatch", "--signal=B:USR1@5", "-t", "1", "--hold", "--wrap", "true")


def test_files_of_the_output_have_the_umask_of_who_submitted(slurm: Slurm) -> None:
    for mask in ("022", "007"):
        both = "echo $SLURM_UMASK; umask"
        slurm.ok("sh", "-c", f"umask {mask}; sbatch -o {mask}.out --wrap '{both}'")
    for job, (mask, mode) in enumerate((("022", 0o644), ("007", 0o660)), 1):
        log = Path(slurm.lab.until(str(job), "finished").directory, "attempts/1/output.log")
        file = slurm.folder / f"{mask}.out"
        assert (file.read_text(), file.stat().st_mode & 0o777) == (f"0{mask}\n" * 2, mode)
        assert log.stat().st_mode & 0o777 == 0o600


def test_running_jobs_are_queued_again_and_canceled(slurm: Slurm) -> None:
    text = '#!/bin/sh\n#SBATCH --signal=USR1@60 -t 5\n[ "$SLURM_RESTART_COUNT" ] || scontrol'
    text += " requeue $SLURM_JOB_ID\nsleep 60\n"
    slurm.ok("sbatch", "-Q", text=text)
    slurm.lab.until("1", "started", attempt=2)
    assert slurm.ok("squeue", "-h", "-t", "R", "-o", "%i %N %l") == "1 gpu07 5:00\n"
    slurm.ok("scancel", "1")
    slurm.lab.until("1", "canceled", attempt=2)
    assert slurm.run("scancel", "99").returncode == 1


def test_what_sbatch_refuses_and_what_no_command_knows(slurm: Slurm) -> None:
    for words, message in (
        (("sbatch", "-N", "2", "--wrap", "x"), "sbatch: --nodes=2 cannot be used"),
        (("sbatch", "nothing.sh"), "cannot read nothing.sh"),
        (("sbatch", "-d", "afterok:77", "--wrap", "x"), "no job 77"),
        (("squeue", "--json"), "unrecognized option '--json'"),
        (("squeue", "-o", "%z"), "Invalid field"),
        (("squeue", "-j", "77"), "Invalid job id"),
        (("squeue", "-t", "gone"), "Invalid job state"),
        (("sacct", "-o", "JobID,Nothing"), "Invalid field requested: 'Nothing'"),
        (("sacct", "-S", "yore"), "Invalid time"),
        (("scancel",), "No job identification"),
        (("scancel", "-s", "HUSR", "1"), "Unknown job signal: HUSR"),
        (("scancel", "-s", "", "1"), "Unknown job signal: "),
        (("scontrol", "update", "x"), "invalid keyword: update"),
        (("scontrol", "show", "licenses"), "invalid entity"),
        (("scontrol", "requeue", "77"), "Invalid job id"),
        (("sinfo", "-o", "%z"), "Invalid node format"),
        (("sacctmgr", "add", "user"), "no meaning"),
        (("sshare", "-o", "Nothing"), "Unknown field 'Nothing'"),
    ):
        assert message in slurm.fails(*words)
    assert slurm.ok("squeue", "-h") == ""


def test_what_programs_look_for(slurm: Slurm) -> None:
    assert slurm.ok("scontrol", "show", "hostnames", "a[08-10],b").split() == [
        *("a08", "a09", "a10", "b"),
    ]
    assert "\nMinJobAge               = 300 sec\n" in slurm.ok("scontrol", "show", "config")
    assert "PartitionName=mlq" in slurm.ok("scontrol", "show", "partition")
    slurm.lab.until_shown("gpu07", lambda seen: seen)
    assert "NodeName=gpu07" in slurm.ok("scontrol", "-o", "show", "nodes")
    assert slurm.ok("sinfo", "-o", "%P") == "PARTITION\nmlq*\n"
    assert slurm.ok("sinfo", "-h", "-o", "%N %D").strip() == "gpu07 1"
    account = slurm.ok("sacctmgr", "-n", "-s", "list", "user", "root", "format=account%12")
    assert account == slurm.ok("sshare", "-U", "--format", "Account%9", "--noheader") == ""
    assert slurm.ok("sshare", "-P", "-o", "account,user%-5") == "account|user\n"
    assert slurm.ok("sacctmgr", "-n", "-P", "list", "clusters", "format=cluster") == "mlq\n"
    for one in set(SLURM) - {"srun"}:
        assert slurm.ok(one, "--version") == "slurm 22.05.8\n"
