"""Machines and types of GPU, as users write them."""

import pytest

from mlq.errors import InvalidInputError
from mlq.jobs.choice_of_machines import gpu_type_of, is_of_type, list_of, machines_of


@pytest.mark.parametrize(
    ("model", "gpu_type", "expected"),
    [
        ("NVIDIA A100-SXM4-40GB", "a100", True),
        ("NVIDIA A100-SXM4-40GB", "a100-sxm4", True),
        ("NVIDIA A100-SXM4-40GB", "40gb", True),
        ("NVIDIA A100-SXM4-40GB", "a10", False),
        ("NVIDIA A100-SXM4-40GB", "h100", False),
        ("NVIDIA L40S", "l4", False),
        ("NVIDIA L40S", "l40", True),
        ("NVIDIA L4", "l4", True),
        ("NVIDIA GeForce RTX 3090", "rtx3090", True),
        ("NVIDIA GeForce RTX 3090", "3090", True),
        ("NVIDIA GeForce RTX 13090", "3090", False),
        ("NVIDIA GeForce RTX 3090 Ti", "rtx-3090", True),
        ("Tesla V100-PCIE-16GB", "tesla-v100", True),
        ("", "a100", False),
    ],
)
def test_a_type_is_part_of_the_model_and_numbers_are_whole(
    model: str, gpu_type: str, expected: bool
) -> None:
    assert is_of_type(model, gpu_type) is expected


def test_a_typed_type_becomes_one_that_a_class_can_spell() -> None:
    assert gpu_type_of("RTX 3090") == "rtx-3090"
    assert gpu_type_of("A100_80GB") == "a100-80gb"
    assert gpu_type_of("") == ""
    for bad in ("--", "x" * 65, "é"):
        with pytest.raises(InvalidInputError, match="cannot be used"):
            gpu_type_of(bad)


def test_lists_of_machines() -> None:
    assert list_of("gpu01, lab[1,3]*", "gpu03,!gpu04") == "gpu01,lab[1,3]*,!gpu03,!gpu04"
    assert list_of("gpu01,gpu01", "") == "gpu01"
    assert list_of("", "") == list_of(" ") == ""
    assert machines_of("gpu01,lab[1,3]*,!gpu03").wanted == ("gpu01", "lab[1,3]*")
    assert machines_of("gpu01,gpu02,!gpu03").in_words() == "gpu01 or gpu02, but not gpu03"
    assert machines_of("!gpu03").in_words() == "not gpu03"
    for bad in ("gpu01,", ",", "!", "a,!,b"):
        with pytest.raises(InvalidInputError, match="one of its names is empty"):
            list_of(bad)
    with pytest.raises(InvalidInputError, match="the list of machines is too long"):
        list_of(",".join(f"machine{one}" for one in range(1000)))
