"""A job class and the name of its queue are the same thing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlq.jobs.request import LARGEST, JobClass, Request

REQUESTS = st.builds(
    Request,
    cores=st.integers(1, LARGEST),
    mem_mib=st.integers(1, LARGEST),
    gpus=st.integers(0, LARGEST),
    vram_mib=st.integers(0, LARGEST),
    machine=st.text(st.characters(codec="utf-8"), max_size=20),
    gpu_type=st.from_regex(r"([a-z0-9]([a-z0-9-]{0,9}[a-z0-9])?)?", fullmatch=True),
)


@given(st.integers(-LARGEST, LARGEST), REQUESTS)
def test_the_name_of_a_class_reads_back_as_the_class(priority: int, request: Request) -> None:
    for job_class in (JobClass(priority, request), JobClass(priority, request, 1042)):
        assert JobClass.parse(job_class.name, default_mem_mib=1) == job_class


def test_a_type_that_no_name_can_spell_is_refused() -> None:
    with pytest.raises(ValueError, match="no type of GPU"):
        Request(gpus=1, gpu_type="A100@x")


@pytest.mark.parametrize("field", ["cores", "mem_mib", "gpus", "vram_mib"])
def test_what_no_name_of_a_class_can_spell_is_refused(field: str) -> None:
    # Read back, such a name would be that of a queue of plain rq, which asks for one core.
    with pytest.raises(ValueError, match=str(LARGEST)):
        Request(**{field: LARGEST + 1})


@given(st.tuples(st.integers(-9, 9), REQUESTS), st.tuples(st.integers(-9, 9), REQUESTS))
def test_two_classes_never_share_a_name(
    one: tuple[int, Request], other: tuple[int, Request]
) -> None:
    assert (JobClass(*one).name == JobClass(*other).name) == (one == other)


def test_the_name_spells_the_request_out() -> None:
    request = Request(4, 8192, 1, 6000, "gpu*")
    assert JobClass(-2, request).name == "p-2.c4.m8192.g1.v6000@gpu*"
    assert JobClass(0, Request(1, 2048)).name == "p0.c1.m2048.g0.v0"
    typed = Request(1, 2048, 1, gpu_type="rtx-3090", machine="gpu*")
    assert JobClass(0, typed, 1042).name == "p0.c1.m2048.g1.v0.trtx-3090.s1042@gpu*"


@pytest.mark.parametrize(
    "name", ["default", "", "p0.c1.m1.g0", "p0.c1.m1.g0.v0.", "xp0.c1.m1.g0.v0"]
)
def test_a_queue_of_plain_rq_asks_for_little(name: str) -> None:
    assert JobClass.parse(name, default_mem_mib=2048) == JobClass(0, Request(1, 2048))


@pytest.mark.parametrize(
    ("glob", "machine", "allowed"),
    [
        ("", "lab01", True),
        ("lab*", "lab01", True),
        ("lab0[12]", "lab02", True),
        ("lab*", "gpu01", False),
        ("LAB*", "lab01", False),
        ("lab", "lab01", False),
        ("gpu01,lab0[1,3]", "lab01", True),
        ("gpu01,lab0[1,3]", "lab02", False),
        ("!lab02", "lab01", True),
        ("!lab02", "lab02", False),
        ("lab*,!lab0[2-3]", "lab03", False),
        ("lab*,!lab0[2-3]", "lab04", True),
        ("lab*,!lab0[2-3]", "gpu01", False),
    ],
)
def test_a_glob_is_matched_against_the_whole_name(glob: str, machine: str, allowed: bool) -> None:
    assert Request(machine=glob).allows(machine) is allowed
