"""`make chaos JOBS=10000 SEED=7`: kill and stop every daemon while short jobs stream through a lab.

Unlike the simulation, everything here is real but the machines, which are names on this box: real
workers, supervisors, launchers, a real server, real signals. Unlike the soak of the lab, it needs
no root, and its jobs are short, so that most faults meet a claim, a start or an end.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from intervals import read_ticks
from local_lab import DEAD_S, Lab, Machine, new_lab

from chaos import job
from chaos.faults import OF_A_MACHINE, OF_THE_SERVER, UNWATCHED, draw, start_server, start_worker
from chaos.judge import Evidence, Freeze, Verdict, judge
from mlq.api.queue import Queue
from mlq.errors import MlqError
from mlq.jobs.lifecycle import ENDED

BATCH = 20
AHEAD = 200  # jobs that wait at most, so that enqueueing goes on as long as the faults
FEW = 20  # while more are to go, faults go on
STALLED_S = 120.0


class Chaos:
    """Chaos that runs.

    Args:
        lab: where.
        jobs: how many jobs are to be acknowledged.
        seed: of faults and jobs.
        say: is told each fault and how far it is.
    """

    def __init__(self, lab: Lab, jobs: int, seed: int, say: Callable[[str], None]) -> None:
        self.lab, self.jobs, self.seed, self._say = lab, jobs, seed, say
        self.acknowledged: list[str] = []
        self.counts: Counter[str] = Counter()
        self.freezes: list[Freeze] = []
        self.folder = Path(tempfile.mkdtemp(prefix="chaos-", dir=lab.folder))
        for name in ("ticks", "where", "done"):
            (self.folder / name).mkdir()
        self._over = threading.Event()

    def run(self, machines: Sequence[Machine]) -> Verdict:
        """Let it all happen and return what became of the jobs."""
        with ThreadPoolExecutor(len(machines) + 1) as pool:
            faults = [pool.submit(self._befall, one) for one in machines]
            faults.append(pool.submit(self._befall_server))
            try:
                self._stream()
                self._until(FEW)
            finally:
                self._over.set()
            for one in faults:
                one.result()
        start_server(self.lab)
        for machine in machines:
            start_worker(machine)
        self._until(0)
        return self._judge()

    def _befall(self, machine: Machine) -> None:
        chance = random.Random(f"{self.seed} {machine.name}")
        for fault in draw(chance, sorted(OF_A_MACHINE)):
            if self._over.wait(fault.calm_s):
                return
            begin_s = time.monotonic()
            end = OF_A_MACHINE[fault.kind](machine)
            self.counts[fault.kind] += 1
            self._over.wait(fault.length_s)
            if fault.kind in UNWATCHED:
                self.freezes.append(Freeze(machine.name, begin_s, time.monotonic()))
            end()

    def _befall_server(self) -> None:
        chance = random.Random(f"{self.seed} server")
        for fault in draw(chance, sorted(OF_THE_SERVER)):
            if self._over.wait(fault.calm_s):
                return
            end = OF_THE_SERVER[fault.kind](self.lab)
            self.counts[fault.kind] += 1
            self._over.wait(min(fault.length_s, DEAD_S))
            end()

    def _stream(self) -> None:
        """Enqueue jobs until enough of them are acknowledged."""
        chance = random.Random(self.seed)
        program = [sys.executable, "-I", "-S", job.__file__, str(self.folder)]
        while len(self.acknowledged) < self.jobs:
            lengths = [
                chance.uniform(0.02, 0.3) if chance.random() < 0.95 else chance.uniform(1, 3)
                for _ in range(BATCH)
            ]
            try:
                queue = Queue.connect(self.lab.environ)
                made = queue.enqueue_many(
                    [[*program, f"{seconds:.2f}"] for seconds in lengths],
                    cwd=str(self.lab.folder),
                    python_env="",
                )
                self.acknowledged += [one.id for one in made]
                while not self._over.is_set() and len(queue.unended()) > AHEAD:
                    self._over.wait(0.2)
                self._say(f"{len(self.acknowledged)} of {self.jobs} jobs acknowledged")
            except MlqError:
                self._over.wait(0.2)  # not acknowledged, and said so

    def _until(self, few: int) -> None:
        """Wait until at most so many jobs have not ended, as long as any still ends."""
        queue = Queue.connect(self.lab.environ)
        left, since_s = -1, time.monotonic()
        while time.monotonic() - since_s < STALLED_S:
            with suppress(MlqError):
                unended = len(queue.unended())
                if unended <= few:
                    return
                if unended != left:
                    left, since_s = unended, time.monotonic()
                self._say(f"{unended} jobs to go, {sum(self.counts.values())} faults")
            time.sleep(0.2)

    def _judge(self) -> Verdict:
        views = Queue.connect(self.lab.environ).every()
        ends = {one.id: (one.state, one.reason or "") for one in views if one.state in ENDED}
        where = {}
        for path in (self.folder / "where").iterdir():
            job_id, _, attempt = path.name.rpartition(".")
            where[job_id, int(attempt)] = path.read_text()
        done = frozenset(path.name for path in (self.folder / "done").iterdir())
        ticks = read_ticks(self.folder / "ticks")
        seen = Evidence(self.acknowledged, ends, ticks, done, where, self.freezes)
        return judge(seen, DEAD_S)


def report(chaos: Chaos, verdict: Verdict, took_s: float) -> str:
    """Return the figures, and the first of what must not be."""
    shown = 10
    faults = f"{chaos.counts.total()} faults {dict(sorted(chaos.counts.items()))}"
    inside = f"(and {len(verdict.excused)} within a freeze past dead_s)"
    lines = [
        f"seed {chaos.seed}: {verdict.acknowledged} jobs acknowledged, {took_s:.0f} s, {faults}",
        f"lost {len(verdict.lost)}, wrongly failed {len(verdict.failed)}",
        f"finished without having run {len(verdict.short)}",
        f"overlaps {len(verdict.doubled)} {inside}",
    ]
    lines += [f"  lost: {one}" for one in verdict.lost[:shown]]
    lines += [f"  failed: {one}: {why}" for one, why in list(verdict.failed.items())[:shown]]
    lines += [f"  did not run: {one}" for one in verdict.short[:shown]]
    lines += [f"  overlap: {one}" for one in verdict.doubled[:shown]]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run it; returns 1 if something happened that must not."""
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000, help="how many jobs")
    parser.add_argument("--seed", type=int, default=0, help="of faults and jobs")
    parser.add_argument("--machines", type=int, default=3, help="how many machines")
    parser.add_argument("--keep", type=Path, help="copy the lab's folder there if it goes wrong")
    options = parser.parse_args()

    def say(text: str) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()

    began_s = time.monotonic()
    # A job that loses its machine every few seconds is well all the same.
    with new_lab(MLQ_MAX_LOSSES="1000") as lab:
        machines = [lab.machine(f"m{number}") for number in range(1, options.machines + 1)]
        chaos = Chaos(lab, options.jobs, options.seed, say)
        verdict = chaos.run(machines)
        say("")
        sys.stdout.write(report(chaos, verdict, time.monotonic() - began_s))
        if not verdict.ok and options.keep:
            import shutil

            shutil.copytree(
                lab.folder, options.keep, symlinks=True, ignore=shutil.ignore_patterns("*.sock")
            )
    return not verdict.ok


if __name__ == "__main__":
    sys.exit(main())
