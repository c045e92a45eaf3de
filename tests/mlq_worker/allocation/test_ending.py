"""The end of an allocation is read from what Slurm and PBS print; what is no time tells nothing."""

from __future__ import annotations

import time

import pytest

from mlq_worker.allocation.ending import Told, question, told
from mlq_worker.allocation.systems import Allocation

NOW = 1_800_000_000.0
QSTAT = """Job Id: 77.head
    Job_Name = pilot
    resources_used.walltime = 00:01:00
    job_state = R
    Resource_List.mem = 8gb
    Resource_List.ncpus = 4
    Resource_List.walltime = 02:00:00
    Variable_List = PBS_O_HOME=/home/ada,PBS_O_LANG=C,
\tPBS_O_PATH=/bin
    stime = {stime}
"""


@pytest.mark.parametrize(
    ("text", "left_s"),
    [
        ("59:30\n", 3570),
        ("4:00:00\n", 14400),
        ("2-01:00:05\n", 176405),
        ("0:00\n", 0),
        ("UNLIMITED\n", None),
        ("INVALID\n", None),
        ("", None),
    ],
)
def test_squeue(text: str, left_s: float | None) -> None:
    assert told("squeue", text, NOW) == Told(left_s)


def test_scontrol() -> None:
    text = "JobId=5 JobName=a b RunTime=00:10:00 TimeLimit=01:00:00 TimeMin=N/A\n"
    assert told("scontrol", text, NOW) == Told(3000)
    assert told("scontrol", text.replace("01:00:00", "UNLIMITED"), NOW) == Told()


def test_qstat_counts_from_the_start_for_its_use_is_minutes_old() -> None:
    stime = time.strftime("%a %b %d %H:%M:%S %Y", time.localtime(NOW - 600))
    assert told("qstat", QSTAT.format(stime=stime), NOW) == Told(6600, 4, 8192)


def test_qstat_without_a_start_or_a_limit() -> None:
    assert told("qstat", QSTAT.format(stime="?"), NOW).left_s == 7140
    without = QSTAT.format(stime="?").replace("Resource_List.walltime", "x")
    assert told("qstat", without, NOW) == Told(None, 4, 8192)


def test_condor_has_no_end_to_ask_for() -> None:
    assert question(Allocation("condor", "1.0")) == []
    assert [one[0] for one in question(Allocation("slurm", "1"))] == ["squeue", "scontrol"]
