"""Names of output files. What is expected was seen in a real Slurm 22.05."""

import pytest

from mlq.scripts.array_shape import Shape, shape_of
from mlq.scripts.patterns import fill, names_of
from mlq.scripts.slurm_ids import array_number, job_id_of, slurm_number

MEMBER = names_of("3_8", "8", "lists.sh", "ann", "vm.lab")
ALONE = names_of("6", "", "non", "ann", "vm")


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("%A-%a-%3a-%s-%t-%n-%N-%x-%%-%q", "3-8-008-batch-0-0-vm-lists.sh-%-%q"),
        ("%u_%j_%J", "ann_3000000008_3000000008"),
        ("%99a|%0a|%5x", "0000000008|8|lists.sh"),
        ("a\\b-%j", "ab-%j"),
        ("100%", "100%"),
    ],
)
def test_the_patterns_of_a_member(pattern: str, name: str) -> None:
    assert fill(pattern, MEMBER) == name


def test_the_patterns_of_a_job_that_is_no_array() -> None:
    assert fill("non-%A_%a-%J-%s.out", ALONE) == "non-6_4294967294-6-batch.out"
    assert fill("%4j", ALONE) == "0006"
    assert fill("%J-%t", ALONE._replace(step="2", rank=3)) == "6.2-3"


@pytest.mark.parametrize(
    "job", ["1", "1042", "1042_0", "1042_7", "1_499999", "999999999999", "999999999999_999999"]
)
def test_each_number_leads_back_to_its_job(job: str) -> None:
    number = slurm_number(job)
    assert number.isdecimal()
    assert job_id_of(number) == job_id_of(f"{number}.0") == job_id_of(f"{number}.batch") == job


def test_numbers_of_members_are_no_numbers_of_jobs() -> None:
    assert slurm_number("1_0") == "1000000000"
    assert slurm_number("1000000000") != "1000000000"
    assert job_id_of("train") == "train"
    assert job_id_of("1042_7.0") == "1042_7"
    assert (array_number("1042_7"), array_number("1042")) == ("1042", "")


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("1,3,8", Shape(3, 1, 8, 1)),
        ("0-9:3%1", Shape(4, 0, 9, 3)),
        ("7", Shape(1, 7, 7, 1)),
        ("0-3,2-5", Shape(6, 0, 5, 1)),
        ("", None),
        ("5-2", None),
    ],
)
def test_the_shape_of_an_array(text: str, shape: Shape | None) -> None:
    assert shape_of(text) == shape
