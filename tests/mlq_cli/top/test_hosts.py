"""Machines as the list of the live screen."""

import pytest
from seen_queue import machine, snapshot

from mlq_cli.render.table import columns_of
from mlq_cli.top.hosts import host_lines
from mlq_cli.top.snapshot import Snapshot

GPU = {
    "uuid": "GPU-a",
    "name": "NVIDIA GeForce GTX 1080 Ti",
    "free_mib": 4096,
    "total_mib": 11264,
    "busy": 0.87,
}


def lab() -> Snapshot:
    silent_for = 125.0
    return snapshot(
        machines={
            "gpu07": machine(
                gpus=[GPU, {**GPU, "uuid": "GPU-b", "free_mib": 0, "busy": "rubbish"}],
                attempts=[["1", 1]],
                foreign_load=1.5,
                foreign_users=[{"user": "anna", "cores": 1.2}, {"user": "", "cores": 0.3}],
            ),
            "gpu08": (silent_for, machine()[1]),
            "ray12": machine(note="draining: it takes no more jobs", gpu_fault="driver mismatch"),
        },
    )


def test_wide_each_gpu_and_each_remark_has_a_line() -> None:
    lines = host_lines(lab(), 60, blocks=True)
    texts = [one.text for one in lines]
    assert [one.key for one in lines] == ["", *["gpu07"] * 4, *["gpu08"] * 2, *["ray12"] * 2]
    assert texts[1].split() == ["gpu07", "███▊··", "3/8", "███···", "32G/64G", "1"]
    assert texts[2].split() == ["GTX", "1080", "Ti", "███▉··", "4G/11G", "87%"]
    assert texts[3].split() == ["GTX", "1080", "Ti", "██████", "0/11G", "0%"]
    assert texts[4] == "  besides: anna 1.2, yourself 0.3 cores"
    assert texts[6] == "  not heard of for 2m5s"
    assert texts[8] == "  draining: it takes no more jobs; no GPUs: driver mismatch"


def test_narrow_each_machine_is_one_line() -> None:
    head, gpu07, gpu08, ray12 = host_lines(lab(), None, blocks=False)
    assert head.text.split()[:3] == ["MACHINE", "CORES", "FREE"]
    assert "███▏· 4G/11G 87%  █████ 0/11G 0%" in gpu07.text
    assert "anna 1.2" in gpu07.text
    assert gpu08.text.endswith("not heard of for 2m5s")
    assert ray12.key == "ray12"


def test_a_silent_machine_is_grey() -> None:
    _, _, gpu08, _ = host_lines(lab(), None, blocks=False)
    kinds = {part.kind for part in gpu08.parts if part.text.strip()}
    assert kinds == {"faint", "waiting"}


@pytest.mark.parametrize("blocks", [True, False])
@pytest.mark.parametrize("width", [40, 58, 80])
def test_every_line_fits(width: int, blocks: bool) -> None:
    assert max(columns_of(one.text) for one in host_lines(lab(), width, blocks=blocks)) <= width


def test_a_record_of_rubbish_does_no_harm() -> None:
    rubbish = {"gpus": [1, None, {"total_mib": "x"}], "cores_total": [], "foreign_users": "me"}
    seen = snapshot(machines={"a\x1b[2Jb": (1.0, rubbish), "b": (1.0, {})})
    for blocks in (True, False):
        assert all(one.text.isprintable() for one in host_lines(seen, 58, blocks=blocks))
