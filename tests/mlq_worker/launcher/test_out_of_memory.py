"""Running out of memory, told by the kernel's count and by the last error in a log."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlq_worker.ipc.shortage import Shortage, parse_shortage
from mlq_worker.launcher.kernel_kills import KernelKills
from mlq_worker.launcher.out_of_memory import find

TORCH = (
    "torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.50 GiB. GPU 0 has a "
    "total capacity of 23.69 GiB of which 512.00 MiB is free. Process 4711 has 12.00 GiB memory "
    "in use. "
    "Including non-PyTorch memory, this process has 6.50 GiB memory in use. Of the allocated ...\n"
)
JAX = (
    "jaxlib.xla_extension.XlaRuntimeError: RESOURCE_EXHAUSTED: Out of memory while trying to "
    "allocate 17179869184 bytes.\n"
)
FLOW = (
    "tensorflow.python.framework.errors_impl.ResourceExhaustedError: Graph execution error:\n"
    "OOM when allocating tensor with shape[8192,8192] and type float on "
    "/job:localhost/replica:0/task:0/device:GPU:0 by allocator GPU_0_bfc\n"
)
TRACE = 'Traceback (most recent call last):\n  File "train.py", line 3, in <module>\n'


def said(text: str, *, has_gpu: bool = True, code: int = 1) -> Shortage | None:
    return find(text.encode(), code, None, kills=False, has_gpu=has_gpu)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (TRACE + TORCH, Shortage(of_gpu=True, used_mib=8192, card_mib=24259)),
        ("[rank0]: " + TORCH, Shortage(of_gpu=True, used_mib=8192, card_mib=24259)),
        ("RuntimeError: CUDA out of memory. Tried to allocate 2.00 GiB\n", Shortage(of_gpu=True)),
        (TRACE + JAX, Shortage(of_gpu=True)),
        (TRACE + FLOW, Shortage(of_gpu=True)),
        (TRACE + FLOW.replace("GPU:0", "CPU:0"), Shortage(of_gpu=False)),
        (TRACE + "MemoryError\n", Shortage(of_gpu=False)),
        (
            TRACE + "numpy.core._exceptions._ArrayMemoryError: Unable to allocate 7.45 GiB\n",
            Shortage(of_gpu=False),
        ),
        ("terminate called after throwing an instance of 'std::bad_alloc'\n", Shortage(False)),
        # A launcher of processes tells of its child.
        (TRACE + TORCH + TRACE + "torch.distributed.elastic.ChildFailedError: \n", ...),
        # What went wrong while it was handled.
        (TRACE + TORCH + "\nDuring handling of the above exception:\n" + "ValueError: x\n", ...),
    ],
)
def test_frameworks_say_it(text: str, found: Shortage | None) -> None:
    wanted = Shortage(of_gpu=True, used_mib=8192, card_mib=24259) if found is ... else found
    assert said(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "",
        "epoch 3: loss 0.1\n",
        TRACE + TORCH + "batch 64 -> 32\nepoch 1\n" + TRACE + "ValueError: NaN in loss\n",
        "grpc: RESOURCE_EXHAUSTED: Quota exceeded for quota metric\n",
        "MemoryErrorHandler installed\n",
        "checking for MemoryError: none\n",
    ],
)
def test_other_failures_are_none(text: str) -> None:
    assert said(text) is None


def test_without_a_gpu_it_is_main_memory() -> None:
    assert said(TRACE + JAX, has_gpu=False) == Shortage(of_gpu=False)


@pytest.mark.parametrize(
    ("code", "number", "text", "kills", "found"),
    [
        (137, None, "", False, None),
        (None, 9, "", False, None),
        (None, 9, "", True, Shortage(of_gpu=False, killed=True)),
        (137, None, "", True, Shortage(of_gpu=False, killed=True)),
        (1, None, "DataLoader worker (pid 3) is killed by signal: Killed.", True, ...),
        (1, None, "ValueError: x", True, None),
        (None, 11, "", True, None),
    ],
)
def test_a_kill_counts_only_if_the_kernel_counted_one(
    code: int | None, number: int | None, text: str, kills: bool, found: Shortage | None
) -> None:
    wanted = Shortage(of_gpu=False, killed=True) if found is ... else found
    assert find(text.encode(), code, number, kills=kills, has_gpu=False) == wanted


def test_the_kernels_counts(tmp_path: Path) -> None:
    proc, cgroups = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "self").mkdir(parents=True)
    (cgroups / "user/mlq").mkdir(parents=True)
    (proc / "self/cgroup").write_text("0::/user/mlq\n")
    vmstat, events = proc / "vmstat", cgroups / "user/mlq/memory.events"
    vmstat.write_text("pgfault 1\noom_kill 7\n")
    events.write_text("low 0\noom 1\noom_kill 2\noom_group_kill 0\n")
    now = 100.0
    kills = KernelKills(lambda: now, proc, cgroups)
    assert not kills.since(0.0)
    now = 110.0
    events.write_text("oom_kill 3\n")
    assert kills.since(105.0)
    now = 120.0
    assert kills.since(105.0)
    assert not kills.since(115.0)
    vmstat.write_text("oom_kill 8\n")
    kills.look()
    assert kills.since(115.0)
    vmstat.unlink()
    events.write_text("rubbish")
    assert not KernelKills(lambda: now, proc, cgroups).since(0.0)


def test_what_a_result_tells_of_it_is_read_with_care() -> None:
    told = Shortage(of_gpu=True, used_mib=5, card_mib=9, killed=True)
    assert parse_shortage(told.as_json()) == told
    for other in (None, 3, {}, {"of_gpu": "yes"}, {"of_gpu": True, "used_mib": -1}):
        assert parse_shortage(other) is None
