"""The GPUs as another process sees them: it may hang, crash and end, and nobody waits for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_nvml import FakeGpu, FakeNvml
from waiting import wait_for

from mlq_worker.agent.gpu_watch import GpuWatch
from mlq_worker.ipc import procfs
from mlq_worker.probes.nvml import REOPEN_S, GpuReport

A = FakeGpu("GPU-aaaa")


@pytest.fixture
def nvml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    nvml = FakeNvml(tmp_path)
    nvml.write(A)
    for name, value in nvml.env.items():
        monkeypatch.setenv(name, value)
    return nvml


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def uuids(report: GpuReport) -> list[str]:
    return [gpu.uuid for gpu in report.gpus]


def children() -> list[int]:
    argv = b"mlq_worker.probes.gpu_reader"
    return [pid for pid in procfs.look() if argv in Path(f"/proc/{pid}/cmdline").read_bytes()]


def test_a_driver_that_hangs_withdraws_the_gpus_until_it_answers(nvml: FakeNvml) -> None:
    clock = Clock()
    watch = GpuWatch(clock=clock, patience_s=0.1)
    assert uuids(watch.read()) == ["GPU-aaaa"]
    nvml.write(A, hang=True)
    for silence_s, words in ((0, "1s"), (65, "1m5s")):
        clock.now_s = silence_s
        report = watch.read()
        assert report == GpuReport(fault=f"the NVIDIA driver has not answered for {words}")
        assert watch.is_stuck
    nvml.write(A)
    wait_for(lambda: uuids(watch.read()) == ["GPU-aaaa"])
    assert not watch.is_stuck


def test_a_library_that_crashes_takes_nobody_along(nvml: FakeNvml) -> None:
    clock = Clock()
    watch = GpuWatch(clock=clock)
    nvml.write(A, crash=True)
    broken = GpuReport(fault="asking the NVIDIA driver ended: killed by SIGABRT")
    assert watch.read() == broken
    nvml.write(A)
    assert watch.read() == broken, "it is tried again after a pause"
    clock.now_s = REOPEN_S
    assert uuids(watch.read()) == ["GPU-aaaa"]


def test_whoever_asks_the_driver_ends_when_nobody_asks_and_is_started_again(nvml: FakeNvml) -> None:
    watch = GpuWatch(idle_s=0.05)
    for _ in range(3):
        assert uuids(watch.read()) == ["GPU-aaaa"]
        child = watch._gpu_child._child
        assert child is not None
        wait_for(lambda pid=child.pid: procfs.look_at(pid).state == "Z")


def test_without_gpus_nobody_is_started(nvml: FakeNvml) -> None:
    watch = GpuWatch("none")
    assert watch.read() == GpuReport()
    assert not watch.is_stuck
