"""What the doctor says of an allocation."""

from __future__ import annotations

from mlq.errors import QueueUnreachableError
from mlq_cli.doctor.allocation import judge
from mlq_cli.doctor.check import Level
from mlq_worker.allocation.ending import Told
from mlq_worker.allocation.inside import Inside
from mlq_worker.allocation.systems import Allocation

INSIDE = Inside(Allocation("slurm", "12"), 4, 8192, "0", first=Told(left_s=3600.0))


def test_what_is_granted_and_that_the_queue_answers() -> None:
    found = judge(INSIDE, None, 0.0031)
    assert (found.level, found.remedy) == (Level.OK, "")
    assert found.says == (
        "inside Slurm job 12: 4 cores, 8G of memory, GPU 0; it ends in 1h; "
        "the queue answers from here in 3 ms"
    )


def test_a_node_that_does_not_reach_the_queue() -> None:
    found = judge(INSIDE, QueueUnreachableError("no queue", why="no route to lab01"), 0.0)
    assert found.level is Level.PROBLEM
    assert "cannot be reached: no route to lab01" in found.says


def test_too_little_time_or_only_a_part_of_a_gpu_is_a_warning() -> None:
    for one in (INSIDE._replace(first=Told(left_s=60.0)), INSIDE._replace(no_gpus_because="MIG")):
        assert judge(one, None, 0.0).level is Level.WARNING
