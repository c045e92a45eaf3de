from typing import Any

import pytest

from mlq.jobs.request import JobClass, Request
from mlq.pilots.pool import Pool
from mlq.pilots.shape import offer_of, waiting
from mlq.store.replies import Head

NOW_S = 1_800_000_000.0
LONG_AGO, JUST_NOW = "2027-01-15T07:00:00+00:00", "2027-01-15T08:00:00+00:00"


def pool(system: Any, *args: str, time_s: float = 3600) -> Pool:
    return Pool("ab12", system, "", args, time_s)


@pytest.mark.parametrize(
    ("system", "args"),
    [
        ("slurm", ("-c", "4", "--mem=8G", "--gres", "gpu:a100:2", "-p", "long")),
        ("slurm", ("-c4", "--mem", "8192", "--gpus=a100:2")),
        ("pbs", ("-l", "select=1:ncpus=4:mem=8gb:ngpus=2:gpu_type=a100", "-q", "gpu")),
        ("condor", ("request_cpus = 4", "request_memory = 8 GB", "request_gpus=2")),
    ],
)
def test_the_shape_is_read_from_the_options(system: Any, args: tuple[str, ...]) -> None:
    offer = offer_of(pool(system, *args))
    assert (offer.cores, offer.mem_mib, len(offer.gpus), offer.left_s) == (4, 8192, 2, 3510)


def test_what_is_not_said_or_not_known_counts_as_enough() -> None:
    assert offer_of(pool("slurm")).mem_mib >= 10**9
    assert offer_of(pool("slurm", "--frobnicate=3")).cores >= 10**9


def head(request: Request, at: str = LONG_AGO, **fields: Any) -> Head:
    return Head(JobClass(0, request).name, "1", fields.pop("length", 1), at, 1.0, **fields)


@pytest.mark.parametrize(
    ("one", "count"),
    [
        (head(Request(4, 8192)), 1),
        (head(Request(4, 8192), length=7), 7),
        (head(Request(5, 100)), 0),
        (head(Request(1, 8193)), 0),
        (head(Request(1, 100, gpus=1)), 0),
        (head(Request(1, 100, machine="lab*")), 0),
        (head(Request(1, 100, machine="slurm-*")), 1),
        (head(Request(1, 100), JUST_NOW), 0),
        (head(Request(1, 100), ""), 0),
        (head(Request(1, 100), time_limit_s=3500.0), 1),
        (head(Request(1, 100), time_limit_s=3600.0), 0),
    ],
)
def test_which_jobs_a_pilot_is_for(one: Head, count: int) -> None:
    assert waiting(pool("slurm", "-c", "4", "--mem=8G"), [one], NOW_S, 100) == count


@pytest.mark.parametrize(("typed", "count"), [("gpu:1", 1), ("gpu:a100:1", 1), ("gpu:v100:1", 0)])
def test_a_model_of_gpu_that_is_not_said_may_be_the_right_one(typed: str, count: int) -> None:
    one = head(Request(1, 100, gpus=1, gpu_type="a100"))
    assert waiting(pool("slurm", f"--gres={typed}"), [one], NOW_S, 100) == count


def test_those_behind_a_job_that_takes_too_long_count_one_by_one() -> None:
    first = head(Request(1, 100), length=4, time_limit_s=9000.0)
    others = [
        head(Request(1, 100), time_limit_s=60.0),
        head(Request(1, 100), JUST_NOW, time_limit_s=60.0),
        head(Request(1, 100), time_limit_s=8000.0),
    ]
    assert waiting(pool("slurm"), [first], NOW_S, 100, lambda _: others) == 1
    too_large = head(Request(1, 100, machine="lab*"), length=4, time_limit_s=9000.0)
    assert waiting(pool("slurm"), [too_large], NOW_S, 100, lambda _: others) == 0
