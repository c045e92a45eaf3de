"""GPUs for tests: builds the stand-in for libnvidia-ml.so.1 and runs probes and workers on it.

The library is found through LD_LIBRARY_PATH, which must be set before a process starts. So whatever
looks at these GPUs runs in a child process with `FakeNvml.env`.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Literal

from ci import require

from mlq_worker.agent.gpu_watch import report_from_json
from mlq_worker.probes.nvml import GpuReport

SOURCE = Path(__file__).parent / "fake_nvml" / "fake_nvml.c"
EXCLUSIVE_THREAD, PROHIBITED, EXCLUSIVE_PROCESS = 1, 2, 3
DRIVER_NOT_LOADED, GPU_IS_LOST, LIB_RM_VERSION_MISMATCH, UNKNOWN = 9, 15, 18, 999

PROBE_SCRIPT = """
import dataclasses, json, sys
from mlq_worker.probes.nvml import GpuProbe
now = 0.0
probe = GpuProbe(sys.argv[1], clock=lambda: now)
for line in sys.stdin:
    now = float(line)
    print(json.dumps(dataclasses.asdict(probe.read())), flush=True)
"""


@dataclass(frozen=True)
class FakeGpu:
    """One GPU of the state file.

    `result` is the code that every query about it answers, `mig` whether it is cut into instances
    (None if it cannot be), `compute` its compute mode as NVML counts them. `lacks` names what it
    does not support telling: "processes", "memory". `busy` is how many percent of the time it
    computes; None if it does not tell.
    """

    uuid: str
    total_mib: int = 11264
    reserved_mib: int = 264
    other_mib: int = 0
    name: str = "NVIDIA GeForce RTX 2080 Ti"
    result: int = 0
    mig: bool | None = None
    compute: int = 0
    lacks: tuple[str, ...] = ()
    busy: int | None = None


@dataclass(frozen=True)
class FakeProcess:
    """A process on the GPU with this index; None stands for what the driver does not tell.

    `busy` is for how many percent of the time it keeps the GPU computing.
    """

    gpu: int
    pid: int
    used_mib: int | None
    kind: Literal["compute", "graphics"] = "compute"
    busy: int | None = None


@cache
def library_folder(*, old_driver: bool = False) -> Path:
    """Compile the library, once a session, and return its folder; skip without a compiler."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    require(compiler, "a C compiler, for the fake NVML library")
    assert compiler
    folder = Path(tempfile.mkdtemp(prefix="fake-nvml-"))
    atexit.register(shutil.rmtree, folder)
    flags = ["-DOLD_DRIVER"] if old_driver else []
    output = folder / "libnvidia-ml.so.1"
    command = [compiler, "-std=c11", "-shared", "-fPIC", *flags, "-o", str(output), str(SOURCE)]
    subprocess.run(command, check=True)
    return folder


class FakeNvml:
    """The GPUs of one fake machine.

    Args:
        folder: an empty folder for the state file.
        old_driver: leave out the calls that older drivers lack.
    """

    def __init__(self, folder: Path, *, old_driver: bool = False) -> None:
        self._state = folder / "nvml.state"
        self.env = {
            "LD_LIBRARY_PATH": str(library_folder(old_driver=old_driver)),
            "FAKE_NVML_STATE": str(self._state),
        }

    def write(
        self,
        *items: FakeGpu | FakeProcess,
        init: int = 0,
        query: int = 0,
        loaded: int = 0,
        hang: bool = False,
        crash: bool = False,
    ) -> None:
        """Replace the machine's state in one step.

        `init` and `query` are NVML result codes; `loaded` counts how often the driver was loaded.
        With `hang` no call returns until another state is written; with `crash` the library takes
        down whoever calls it.
        """
        lines = [f"init {init}", f"query {query}", f"loaded {loaded}"]
        lines += [f"hang {int(hang)}", f"crash {int(crash)}"]
        lines += [_line(item) for item in items]
        for index, gpu in enumerate(item for item in items if isinstance(item, FakeGpu)):
            lines.append(f"compute {index} {gpu.compute}")
            lines += [f"lacks {index} {what}" for what in gpu.lacks]
            lines += [] if gpu.mig is None else [f"mig {index} {int(gpu.mig)}"]
            lines += [] if gpu.busy is None else [f"busy {index} {gpu.busy}"]
        for one in items:
            if isinstance(one, FakeProcess) and one.busy is not None:
                lines.append(f"busy_by {one.gpu} {one.pid} {one.busy}")
        new = self._state.with_suffix(".new")
        new.write_text("\n".join(lines) + "\n")
        new.replace(self._state)


def _line(item: FakeGpu | FakeProcess) -> str:
    if isinstance(item, FakeProcess):
        used = -1 if item.used_mib is None else item.used_mib
        return f"process {item.gpu} {item.pid} {used} {item.kind}"
    memory = f"{item.total_mib} {item.reserved_mib} {item.other_mib}"
    return f"gpu {item.uuid} {item.result} {memory} {item.name}"


class ProbeProcess:
    """A `GpuProbe` in a child process that sees these GPUs; its clock is what `read` is told."""

    def __init__(self, env: dict[str, str], selection: str = "all") -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-c", PROBE_SCRIPT, selection],
            env={**os.environ, **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> ProbeProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._child.communicate(timeout=30)

    def read(self, at_s: float = 0.0) -> GpuReport:
        """Let the probe look at this instant of its clock."""
        assert self._child.stdin and self._child.stdout
        self._child.stdin.write(f"{at_s}\n")
        self._child.stdin.flush()
        return report_from_json(self._child.stdout.readline())
