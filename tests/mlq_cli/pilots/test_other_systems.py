"""Pilots of PBS and HTCondor, whose commands are stand-ins that keep a list of jobs in a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sandbox import Sandbox

pytestmark = pytest.mark.slow

# Each job is a file, named by its number, that holds its name and its state.
_QSUB = """\
n=$(($(ls "$J" | wc -l) + 12)); state=Q
while [ $# -gt 0 ]; do
  case $1 in
    -N) name=$2;; -h) state=H;; -q) echo "qsub: Unknown queue" >&2; exit 170;;
  esac
  shift
done
cat > "$J/../script"
echo "$name $state" > "$J/$n.srv"
echo "$name $state" >> "$J/../all"
echo $n.srv
"""
_PROGRAMS = {
    "qsub": _QSUB,
    "qselect": 'ls "$J"\n',
    "qstat": """\
shift; for job; do read -r name state < "$J/$job"
printf 'Job Id: %s\\n    Job_Name = %s\\n    job_state = %s\\n\\n' "$job" "$name" "$state"; done
""",
    "qdel": 'rm "$J/$1"\n',
    "condor_submit": """\
cat > "$J/../script"; name=$(sed -n 's/^batch_name = //p' "$J/../script")
grep -q '^request_cpus = many' "$J/../script" && { echo 'ERROR: no number' >&2; exit 1; }
[ "$1" = -dry-run ] && exit 0
echo "$name 1" > "$J/77.0"; echo '77.0 - 77.0'
""",
    "condor_q": """\
for job in $(ls "$J"); do
  read -r name state < "$J/$job"; echo "${job%.0} 0 $state $name"
done
""",
    "condor_rm": 'rm "$J/$1"\n',
}


@pytest.fixture
def jobs(installation: Sandbox) -> Path:
    """The folder of the jobs that the stand-ins know."""
    installation.start_server()
    programs, found = installation.folder / "programs", installation.folder / "state" / "jobs"
    programs.mkdir()
    found.mkdir(parents=True)
    for name, text in _PROGRAMS.items():
        (programs / name).write_text(f"#!/bin/sh\nJ='{found}'\n{text}")
        (programs / name).chmod(0o755)
    installation.environ["PATH"] = f"{programs}:{installation.environ['PATH']}"
    return found


def pools(installation: Sandbox) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(installation.ok("pilot", "ls", "--json"))
    return found


@pytest.mark.parametrize(
    ("system", "good", "bad", "says"),
    [
        ("pbs", ("-l", "select=1:ncpus=2"), ("-q", "nowhere"), "Unknown queue"),
        ("condor", ("request_cpus = 2",), ("request_cpus = many",), "no number"),
    ],
)
def test_a_pilot_is_tried_submitted_found_and_ended(
    installation: Sandbox, jobs: Path, system: str, good: Any, bad: Any, says: str
) -> None:
    done = installation.run("pilot", system, "--time", "1h", "--once", "--", *bad)
    assert done.code == 1
    assert f"{system} refuses such a pilot" in done.err
    assert says in done.err
    assert pools(installation) == []

    said = installation.ok("pilot", system, "--time", "1h", "--once", "--", *good)
    (job,) = jobs.iterdir()
    name = job.read_text().split()[0]
    assert said.startswith(f"{name} is job {job.name} of {system}, in pool ")
    assert (
        "worker start --foreground --for 3600s --idle 300s" in (jobs.parent / "script").read_text()
    )
    if system == "pbs":
        tried, submitted = (jobs.parent / "all").read_text().splitlines()
        assert tried.endswith(" H"), "what is only tried is held, and gone"
        assert submitted == f"{name} Q"
    (pool,) = pools(installation)
    (pilot,) = pool["pilots"]
    assert (pilot["name"], pilot["job"], pilot["state"]) == (name, job.name, "waiting")

    job.write_text(f"{name} {'R' if system == 'pbs' else '2'}\n")
    assert pools(installation)[0]["pilots"][0]["state"] == "running"
    installation.ok("pilot", "stop", "--all", "--now")
    assert list(jobs.iterdir()) == []
    assert pools(installation) == []


def test_a_system_that_is_not_here_is_said(installation: Sandbox, jobs: Path) -> None:
    for program in (jobs.parents[1] / "programs").iterdir():
        program.unlink()
    done = installation.run("pilot", "pbs", "--time", "1h", "--once")
    assert done.code == 1
    assert "qsub is not here" in done.err
    assert "--via HOST" in done.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("slurm",), "--time"),
        (("slurm", "--time", "4"), "has no unit"),
        (("slurm", "--time", "1h", "--max", "0"), "--max 0 cannot be used"),
        (("slurm", "--time", "1h", "--", "a\nb"), "has a line break"),
        (("stop",), "which pools?"),
        (("stop", "--all", "ab12"), "which pools?"),
        (("resume", "ab12"), "there is no pool ab12"),
    ],
)
def test_what_cannot_be_used(
    installation: Sandbox, jobs: Path, words: tuple[str, ...], says: str
) -> None:
    done = installation.run("pilot", *words)
    assert done.code in (1, 2)
    assert says in done.err
