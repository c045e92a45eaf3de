"""Two users' workers on one GPU, each starting thousands of jobs of 8 of its 11 GB.

The GPU is simulated: the fake NVML, read through pynvml. All else that decides is mlq's own:
boards, the turn, the arithmetic of what is free. Each start is checked against a ledger that both
write, and that is locked; a start is overcommitted if what was promised then is more than the GPU
has. Both look as soon as anything ends, and planning takes up to 2 ms. Beside it the same without
the turn, which is what the turn is for. As root the two are two users.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pynvml

from bench.report import Row, spread
from mlq.jobs.placement import Fit, place
from mlq.jobs.request import Request
from mlq_worker.agent.boarding import envelope
from mlq_worker.agent.neighbourhood import Neighbourhood
from mlq_worker.guest.boards.board import Board, BoardJob
from mlq_worker.guest.boards.own_board import own_process
from mlq_worker.guest.boards.turn_file import AGAIN_S, Turn
from mlq_worker.ipc.clock import boottime
from mlq_worker.probes.cores import CoreReport
from mlq_worker.probes.machine import Limits, MachineReport, free_for_us
from mlq_worker.probes.memory import MemoryReport
from mlq_worker.probes.nvml import GpuProbe

_TOTAL_MIB, _RESERVED_MIB, _JOB_MIB = 11264, 264, 8192
_UUID = "GPU-1"
_FIRST_UID = 21_500
_CLONE = Path(__file__).parents[1]


def measure(starts: int) -> list[Row]:
    """Return how many starts of two users were overcommitted, with the turn and without."""
    rows = []
    for takes_turns in (True, False):
        over, spent_s = _race(starts, takes_turns=takes_turns)
        share = 100 * over / (2 * starts)
        note = f"of {2 * starts:,} ({share:.1f} %), {spent_s:.0f} s"
        name = "one at a time" if takes_turns else "without turns"
        rows.append(Row(f"overcommitted, {name}", spread([over]), "starts", note))
    return rows


def _race(starts: int, *, takes_turns: bool) -> tuple[int, float]:
    from fake_nvml import FakeNvml

    folder = Path(tempfile.mkdtemp(prefix="mlq-neighbours-"))
    try:
        (folder / "shared").mkdir()
        (folder / "shared").chmod(0o1777)
        if not takes_turns:
            (folder / "shared" / "mlq.turn").mkdir()  # so that nobody can have it
        (folder / "gpu").mkdir()
        for each in (folder, folder / "gpu"):
            each.chmod(0o777)
        nvml = FakeNvml(folder / "gpu")
        library = folder / "lib"
        shutil.copytree(nvml.env["LD_LIBRARY_PATH"], library)
        for path in (library, *library.iterdir()):
            path.chmod(0o755)
        (folder / "ledger").write_text('{"promised": {}, "held": {}, "over": 0, "without": 0}')
        (folder / "ledger").chmod(0o666)
        _write_state(folder, {})
        environ = {**os.environ, **nvml.env, "LD_LIBRARY_PATH": str(library)}
        begun = time.monotonic()
        words = [str(folder), str(starts)]
        workers = [
            subprocess.Popen(
                [sys.executable, "-m", "bench.neighbours", number, *words], env=environ, cwd=_CLONE
            )
            for number in ("1", "2")
        ]
        codes = [worker.wait() for worker in workers]
        if any(codes):
            raise RuntimeError(f"a worker failed: {codes}")
        found = json.loads((folder / "ledger").read_text())
        if takes_turns and found["without"]:
            raise RuntimeError(f"a worker waited in vain for its turn: {found['without']} times")
        return int(found["over"]), time.monotonic() - begun
    finally:
        shutil.rmtree(folder)


def _work(number: str, folder: str, starts: str) -> None:
    if os.geteuid() == 0:
        uid = _FIRST_UID + int(number)
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    _Worker(Path(folder), number).run(int(starts))


class _Worker:
    """One user's worker; its jobs hold GPU memory in its own name."""

    def __init__(self, folder: Path, number: str) -> None:
        settings = SimpleNamespace(patience_s=1800.0, guest="mine")
        context = SimpleNamespace(
            settings=settings,
            queue_id=f"q{number}",
            shared_dir=folder / "shared",
            guest_words="guest of you",
        )
        self._hood = Neighbourhood(cast("Any", context))
        self.without = 0
        self._folder, self._name = folder, number
        self._probe, self._request = GpuProbe(nvml=pynvml), Request(1, 100, 1, _JOB_MIB)
        self._rng = random.Random(number)  # noqa: S311 - a simulation

    def run(self, starts: int) -> None:
        """Start so many jobs, one after the other."""
        done = 0
        while done < starts:
            if self._claims():
                time.sleep(self._rng.uniform(0, 0.002))  # to the queue and back
                self._run_one()
                done += 1
            else:
                time.sleep(0.0002)
        self._show(())
        with self._ledger() as ledger:
            ledger["without"] += self.without

    def _claims(self) -> bool:
        """Look, plan and put up what is about to be claimed."""
        gpus = self._probe.read()
        now_s = boottime()
        turn = self._hood.look(now_s, wants_turn=True)
        self.without += turn is Turn.WITHOUT
        if turn is Turn.AWAITED:
            time.sleep(AGAIN_S / 10)
            return False
        time.sleep(self._rng.uniform(0, 0.002))
        pids = [one.pid for gpu in gpus.gpus for one in gpu.processes]
        owners = {pid: pid for pid in pids if pid in self._hood.leader_pids()}
        report = MachineReport(
            "m", "b", CoreReport(64, 0.0), MemoryReport(10**6, 10**6), gpus, gpu_owners=owners
        )
        offer = free_for_us(report, self._hood.promises(now_s), Limits())
        fits = isinstance(place(self._request, offer), Fit)
        self._show((envelope([(self._request, 1)], offer, now_s),) if fits else ())
        return fits

    def _run_one(self) -> None:
        """Promise, allocate a little later, compute a little, and end."""
        with self._ledger() as ledger:
            ledger["promised"][self._name] = _JOB_MIB
            ledger["over"] += sum(ledger["promised"].values()) > _TOTAL_MIB - _RESERVED_MIB
        job = BoardJob("a", 1, 100, {_UUID: _JOB_MIB}, boottime(), process=own_process())
        self._show((job,))
        time.sleep(self._rng.uniform(0, 0.004))
        with self._ledger() as ledger:
            ledger["held"][str(os.getpid())] = _JOB_MIB
        time.sleep(self._rng.uniform(0, 0.003))
        with self._ledger() as ledger:
            del ledger["held"][str(os.getpid())]
            del ledger["promised"][self._name]
        self._show(())

    def _show(self, jobs: tuple[BoardJob, ...]) -> None:
        self._hood.show(Board(self._hood.process, jobs), boottime())

    @contextmanager
    def _ledger(self) -> Iterator[dict[str, Any]]:
        with (self._folder / "ledger").open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            ledger = json.load(file)
            before = dict(ledger["held"])
            yield ledger
            file.seek(0)
            file.truncate()
            json.dump(ledger, file)
            file.flush()
            if ledger["held"] != before:
                _write_state(self._folder, ledger["held"])


def _write_state(folder: Path, held: dict[str, int]) -> None:
    """Replace what the driver tells, in one step."""
    lines = ["init 0", "query 0", "loaded 0", "hang 0", "crash 0"]
    lines.append(f"gpu {_UUID} 0 {_TOTAL_MIB} {_RESERVED_MIB} 0 RTX 2080 Ti")
    lines += [f"process 0 {pid} {mib} compute" for pid, mib in held.items()]
    new = folder / "gpu" / f"new.{os.getpid()}"
    new.write_text("\n".join(lines) + "\n")
    new.replace(folder / "gpu" / "nvml.state")


if __name__ == "__main__":
    _work(*sys.argv[1:])
