"""CUDA_VISIBLE_DEVICES is read as CUDA and the batch systems mean it."""

from __future__ import annotations

import pytest

from mlq_worker.allocation.visible_gpus import visible
from mlq_worker.probes.nvml import GpuSelection

FULL = "GPU-8f6b5c1a-1c2d-4e3f-8a9b-0c1d2e3f4a5b"
SHORT = "GPU-8f6b5c1a"


@pytest.mark.parametrize(
    ("text", "selection"),
    [
        ("0", "0"),
        ("2,0", "2,0"),
        (f"{FULL},{SHORT}", f"{FULL},{SHORT}"),
        (None, "none"),
        ("", "none"),
        ("10000", "none"),  # HTCondor
        ("NoDevFiles", "none"),  # Slurm
        ("-1", "none"),
        ("0,-1,1", "0"),
        ("1,1", "1"),
        (" 0 , 1 ", "0,1"),
    ],
)
def test_what_is_granted(text: str | None, selection: str) -> None:
    assert visible(text) == (selection, "")
    GpuSelection.parse(selection)


def test_an_instance_of_a_gpu_is_none_and_the_reason_is_told() -> None:
    found = visible("MIG-8f6b5c1a-1c2d-4e3f-8a9b-0c1d2e3f4a5b")
    assert found.selection == "none"
    assert "MIG" in found.reason


def test_a_shortened_uuid_selects_the_gpu() -> None:
    selection = GpuSelection.parse(SHORT)
    assert selection.allows(3, FULL)
    assert not selection.allows(3, FULL.replace("8f6b", "1111"))
