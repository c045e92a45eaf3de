"""The GPU probe on the real pynvml, over a stand-in for the driver's library."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from fake_nvml import (
    DRIVER_NOT_LOADED,
    EXCLUSIVE_PROCESS,
    EXCLUSIVE_THREAD,
    GPU_IS_LOST,
    LIB_RM_VERSION_MISMATCH,
    PROHIBITED,
    UNKNOWN,
    FakeGpu,
    FakeNvml,
    FakeProcess,
    ProbeProcess,
)

from mlq.errors import InvalidInputError
from mlq_worker.probes.nvml import GpuProbe, GpuProcess, GpuReport

A, B = FakeGpu("GPU-aaaa"), FakeGpu("GPU-bbbb", total_mib=24576, name="NVIDIA RTX A5000")


@pytest.fixture
def nvml(tmp_path: Path) -> FakeNvml:
    return FakeNvml(tmp_path)


@pytest.mark.parametrize("old_driver", [False, True])
def test_reads_memory_and_merges_the_process_lists(tmp_path: Path, old_driver: bool) -> None:
    nvml = FakeNvml(tmp_path, old_driver=old_driver)
    nvml.write(
        A,
        B,
        FakeProcess(0, 20, 3000),
        FakeProcess(0, 20, 2000, "graphics"),
        FakeProcess(0, 10, 500, "graphics"),
        FakeProcess(1, 30, None),
    )
    with ProbeProcess(nvml.env) as probe:
        report = probe.read()
    first, second = report.gpus
    assert (report.fault, report.note) == ("", "")
    assert (first.uuid, first.index, first.name) == ("GPU-aaaa", 0, "NVIDIA GeForce RTX 2080 Ti")
    assert (first.total_mib, first.free_mib) == (11264, 11264 - 264 - 5500)
    assert first.processes == (GpuProcess(10, 500, computes=False), GpuProcess(20, 3000))
    assert second.processes == (GpuProcess(30, None),)


def test_how_busy_a_gpu_is_and_who_keeps_it_so(nvml: FakeNvml) -> None:
    busy, silent = FakeGpu("GPU-aaaa", busy=90), FakeGpu("GPU-bbbb")
    with ProbeProcess(nvml.env) as probe:
        nvml.write(busy, silent, FakeProcess(0, 20, 3000, busy=75), FakeProcess(0, 30, 100))
        for _ in range(2):
            first, second = probe.read().gpus
            assert (first.busy, second.busy) == (0.9, None)
            assert [one.busy for one in first.processes] == [0.75, 0.0]
        nvml.write(busy, FakeProcess(0, 20, 3000))
        (first,) = probe.read().gpus
        assert [one.busy for one in first.processes] == [None], "this driver does not tell"
        nvml.write(FakeGpu("GPU-aaaa", result=GPU_IS_LOST, busy=90), FakeProcess(0, 20, 1, busy=5))
        assert "is lost" in probe.read().fault


def test_a_neighbour_that_grows_is_seen_at_the_next_look(nvml: FakeNvml) -> None:
    with ProbeProcess(nvml.env) as probe:
        for used_mib in (100, 4000, 11000):
            nvml.write(A, FakeProcess(0, 77, used_mib))
            assert probe.read().gpus[0].free_mib == 11000 - used_mib


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (DRIVER_NOT_LOADED, "NVIDIA driver not loaded"),
        (LIB_RM_VERSION_MISMATCH, "driver and library versions differ since an upgrade: reboot"),
        (UNKNOWN, "NVML says: Unknown Error"),
        (77, "NVML says: fake NVML error 77"),
    ],
)
def test_a_refusal_to_open_is_told_and_tried_again_after_a_pause(
    nvml: FakeNvml, code: int, words: str
) -> None:
    nvml.write(A, init=code)
    with ProbeProcess(nvml.env) as probe:
        refused = probe.read(at_s=0)
        assert refused.gpus == ()
        assert words in refused.fault
        nvml.write(A)
        assert probe.read(at_s=29) == refused, "a machine without a driver must cost nothing"
        recovered = probe.read(at_s=30)
    assert recovered.fault == ""
    assert [gpu.uuid for gpu in recovered.gpus] == ["GPU-aaaa"]


def test_an_upgrade_under_a_running_probe_and_recovery_from_it(nvml: FakeNvml) -> None:
    nvml.write(A, B)
    with ProbeProcess(nvml.env) as probe:
        assert len(probe.read(at_s=0).gpus) == 2
        nvml.write(A, B, init=LIB_RM_VERSION_MISMATCH, query=LIB_RM_VERSION_MISMATCH)
        for at_s in (100, 101, 131):
            broken = probe.read(at_s)
            assert broken.gpus == ()
            assert "versions differ" in broken.fault
        nvml.write(A, B)
        repaired = probe.read(at_s=161)
    assert (len(repaired.gpus), repaired.fault) == (2, "")


def test_a_driver_that_was_loaded_again_is_opened_anew(nvml: FakeNvml) -> None:
    nvml.write(A)
    with ProbeProcess(nvml.env) as probe:
        assert probe.read(at_s=0).fault == ""
        nvml.write(A, loaded=1)
        assert probe.read(at_s=100) == GpuReport(fault="NVML says: Unknown Error")
        reopened = probe.read(at_s=101)
        nvml.write(A, loaded=2)
        faults = [probe.read(at_s).fault for at_s in (102, 130, 131)]
    assert (len(reopened.gpus), reopened.fault) == (1, "")
    assert [bool(fault) for fault in faults] == [True, True, False]


def test_a_lost_gpu_does_not_hide_the_other_and_may_come_back(nvml: FakeNvml) -> None:
    nvml.write(A, B)
    with ProbeProcess(nvml.env) as probe:
        assert len(probe.read(at_s=0).gpus) == 2
        nvml.write(FakeGpu("GPU-aaaa", result=GPU_IS_LOST), B)
        for at_s in (1, 50, 51):
            report = probe.read(at_s)
            assert [gpu.uuid for gpu in report.gpus] == ["GPU-bbbb"]
            assert report.fault == "GPU 0 is lost: reboot to repair"
        nvml.write(A, B)
        report = probe.read(at_s=52)
    assert (len(report.gpus), report.fault) == (2, "")


def test_a_gpu_cut_into_instances_is_not_offered_and_that_is_told(nvml: FakeNvml) -> None:
    nvml.write(replace(A, mig=True), replace(B, mig=False))
    with ProbeProcess(nvml.env) as probe:
        report = probe.read(at_s=0)
        assert [gpu.uuid for gpu in report.gpus] == ["GPU-bbbb"]
        assert report.fault == "GPU 0 is cut into instances (MIG), which mlq cannot hand out"
        nvml.write(replace(A, mig=False), B)
        whole = probe.read(at_s=1)
    assert (len(whole.gpus), whole.fault) == (2, "")
    with ProbeProcess(nvml.env, "1") as probe:
        nvml.write(replace(A, mig=True), B)
        assert probe.read().fault == "", "nobody asked for that one"


def test_a_gpu_that_takes_no_programs_is_not_offered(nvml: FakeNvml) -> None:
    nvml.write(replace(A, compute=PROHIBITED), B)
    with ProbeProcess(nvml.env) as probe:
        report = probe.read()
    assert [gpu.uuid for gpu in report.gpus] == ["GPU-bbbb"]
    assert "GPU 0 takes no programs" in report.fault


@pytest.mark.parametrize("mode", [EXCLUSIVE_PROCESS, EXCLUSIVE_THREAD])
def test_beside_a_process_that_computes_nothing_of_an_exclusive_gpu_is_free(
    nvml: FakeNvml, mode: int
) -> None:
    alone = replace(A, compute=mode)
    desktop = FakeProcess(0, 10, 100, "graphics")
    with ProbeProcess(nvml.env) as probe:
        nvml.write(alone, desktop)
        (gpu,) = probe.read().gpus
        assert (gpu.exclusive, gpu.free_mib) == (True, 11000 - 100)
        nvml.write(alone, desktop, FakeProcess(0, 20, 500))
        (gpu,) = probe.read().gpus
        assert (gpu.exclusive, gpu.free_mib) == (True, 0)


def test_a_gpu_that_lists_no_processes_is_offered_by_its_free_memory(nvml: FakeNvml) -> None:
    nvml.write(replace(A, other_mib=4000, lacks=("processes",)), B)
    with ProbeProcess(nvml.env) as probe:
        report = probe.read()
    first, second = report.gpus
    assert (first.free_mib, first.processes, first.lists_processes) == (7000, (), False)
    assert second.lists_processes
    assert report.fault == ""
    assert report.note.startswith("GPU 0 lists no processes: ")


def test_a_gpu_without_memory_of_its_own_is_there_and_that_is_told(nvml: FakeNvml) -> None:
    nvml.write(replace(A, lacks=("memory",)), FakeProcess(0, 20, None))
    with ProbeProcess(nvml.env) as probe:
        report = probe.read()
    (gpu,) = report.gpus
    assert (gpu.total_mib, gpu.free_mib, gpu.is_computing) == (0, 0, True)
    assert report.fault == ""
    assert report.note == "GPU 0 has no memory numbers: one job at a time gets it whole"


def test_no_library_is_in_order_unless_gpus_were_asked_for(tmp_path: Path) -> None:
    # A file that is no library is refused by the loader like a missing one, also on machines that
    # do have the real library.
    (tmp_path / "libnvidia-ml.so.1").write_text("not a library")
    env = {"LD_LIBRARY_PATH": str(tmp_path)}
    with ProbeProcess(env) as probe:
        usual = probe.read()
    with ProbeProcess(env, "0") as probe:
        wanted = probe.read()
    assert usual == GpuReport(note="no NVIDIA driver library (libnvidia-ml.so.1)")
    assert wanted == GpuReport(fault="no NVIDIA driver library (libnvidia-ml.so.1)")


def test_a_machine_with_a_driver_and_no_gpu(nvml: FakeNvml) -> None:
    nvml.write()
    with ProbeProcess(nvml.env) as probe:
        assert probe.read() == GpuReport(note="this machine has no NVIDIA GPU")


@pytest.mark.parametrize(
    ("selection", "uuids", "fault"),
    [
        ("all", ["GPU-aaaa", "GPU-bbbb"], ""),
        ("none", [], ""),
        ("1", ["GPU-bbbb"], ""),
        ("0, 01", ["GPU-aaaa", "GPU-bbbb"], ""),
        ("GPU-bbbb,0", ["GPU-aaaa", "GPU-bbbb"], ""),
        ("1,7,GPU-cccc", ["GPU-bbbb"], "selected GPU 7 is not in this machine; selected GPU GPU-c"),
    ],
)
def test_selection(nvml: FakeNvml, selection: str, uuids: list[str], fault: str) -> None:
    nvml.write(A, B)
    with ProbeProcess(nvml.env, selection) as probe:
        report = probe.read()
    assert [gpu.uuid for gpu in report.gpus] == uuids
    assert report.fault.startswith(fault)
    assert bool(report.fault) == bool(fault)


@pytest.mark.parametrize(
    ("selection", "told"), [("1", False), ("0", True), ("GPU-bbbb", True), ("all", True)]
)
def test_a_lost_gpu_is_told_if_it_may_be_a_selected_one(
    nvml: FakeNvml, selection: str, told: bool
) -> None:
    nvml.write(FakeGpu("GPU-aaaa", result=GPU_IS_LOST), B)
    with ProbeProcess(nvml.env, selection) as probe:
        assert ("GPU 0 is lost" in probe.read().fault) == told


@pytest.mark.parametrize("selection", ["", "some", "0,", "0;1", "-1"])
def test_a_selection_that_means_nothing_is_refused(selection: str) -> None:
    with pytest.raises(InvalidInputError, match="which GPUs to use"):
        GpuProbe(selection)


@pytest.mark.gpu
def test_a_real_gpu_is_seen_as_nvidia_smi_sees_it() -> None:
    tool = shutil.which("nvidia-smi")
    probe = GpuProbe()
    report = probe.read()
    probe.close()
    if not report.gpus or tool is None:
        pytest.skip(f"no GPU to look at: {report.fault or report.note or 'no nvidia-smi'}")
    query = [tool, "--query-gpu=uuid,name,memory.total", "--format=csv,noheader,nounits"]
    shown = subprocess.run(query, check=True, capture_output=True, text=True).stdout.splitlines()
    assert shown == [f"{gpu.uuid}, {gpu.name}, {gpu.total_mib}" for gpu in report.gpus]
    assert all(0 <= gpu.free_mib <= gpu.total_mib for gpu in report.gpus)
