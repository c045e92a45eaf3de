"""Random faults of a whole lab while jobs stream in: what befalls whom, and when, told by a seed.

Each machine has a timeline of its own, and so has the queue's host; they know nothing of each
other, so any two or all may be away at once. The timelines are drawn beforehand. What the jobs then
meet depends on the box as well, so a seed replays the faults and not every outcome.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from campus import DEAD_S, OFFER, QUEUE
from figures import Scenario
from machine import NamespaceMachine
from share import Mode
from waiting import wait_for

SSH = 22
CALM_S = (1.0, 8.0)  # between two faults of one machine
LONGEST_S = 2 * DEAD_S
BETWEEN_JOBS_S = 1.5
# A job that meets a file system which fails every operation fails too: that is its user's retry.
RETRIES = ("--retries", "50")


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of one machine; times are seconds from the soak's start."""

    kind: str
    machine: str
    begin_s: float
    end_s: float

    def __str__(self) -> str:
        return f"{self.begin_s:6.1f} to {self.end_s:6.1f} s  {self.machine}: {self.kind}"


def draw(seed: int, length_s: float, machines: Sequence[str]) -> dict[str, list[Fault]]:
    """Return the faults of each machine and of the queue's host; none outlasts the soak."""
    chance = random.Random(seed)
    timelines = {}
    for machine in (*machines, QUEUE):
        kinds = sorted(OF_THE_QUEUES_HOST if machine == QUEUE else OF_A_MACHINE)
        faults: list[Fault] = []
        begin_s = chance.uniform(*CALM_S)
        while begin_s < length_s:
            end_s = min(length_s, begin_s + chance.uniform(0.5, LONGEST_S))
            faults.append(Fault(chance.choice(kinds), machine, begin_s, end_s))
            begin_s = end_s + chance.uniform(*CALM_S)
        timelines[machine] = faults
    return timelines


# --- what faults do -----------------------------------------------------------------------------

Act = Callable[["Soak", NamespaceMachine], None]


def kill(machine: NamespaceMachine, word: str) -> None:
    """Kill -9 those processes of a machine that have a word in their command line."""
    for pid, line in machine.processes().items():
        if word in line:
            with suppress(ProcessLookupError):  # it has ended by itself
                os.kill(pid, signal.SIGKILL)


def nfs(mode: Mode, delay_s: float = 0.0) -> Act:
    """Let a machine's share go this way."""
    return lambda soak, machine: soak.campus.shares[machine.name].set(mode, delay_s)


def silence(soak: Soak, machine: NamespaceMachine) -> None:
    machine.drop_port(SSH)
    soak.campus.shares[machine.name].set("hang")


def speech(soak: Soak, machine: NamespaceMachine) -> None:
    machine.pass_port()
    soak.campus.shares[machine.name].set("ok")


def thaw(soak: Soak, machine: NamespaceMachine) -> None:
    machine.thaw()
    soak.scenario.wakes()


def start_worker(soak: Soak, machine: NamespaceMachine) -> None:
    """Start a machine's worker as its owner would: again, as long as the queue is away."""
    words = ("worker", "start", *OFFER)
    wait_for(lambda: soak.campus.mlq(*words, on=machine).code == 0, 180, f"{machine.name}'s worker")


def start_server(soak: Soak, machine: NamespaceMachine) -> None:
    soak.campus.ok("server", "start", on=machine)


OF_A_MACHINE: dict[str, tuple[Act, Act]] = {
    "power cut": (lambda _, one: one.power_off(), lambda _, one: one.power_on()),
    "cable pulled": (lambda _, one: one.cut(), lambda _, one: one.heal()),
    "ssh swallowed": (lambda _, one: one.drop_port(SSH), lambda _, one: one.pass_port()),
    "NFS hangs": (nfs("hang"), nfs("ok")),
    "NFS fails (EIO)": (nfs("eio"), nfs("ok")),
    "NFS fails (ESTALE)": (nfs("estale"), nfs("ok")),
    "NFS slow": (nfs("ok", 0.2), nfs("ok")),
    "NFS hangs, ssh swallowed": (silence, speech),
    "frozen": (lambda _, one: one.freeze(), thaw),
    "worker killed": (lambda _, one: kill(one, " -m mlq_worker "), start_worker),
    "supervisor killed": (
        lambda _, one: kill(one, "mlq_worker.supervisor"),
        lambda *_: None,  # its worker starts another one
    ),
}
OF_THE_QUEUES_HOST: dict[str, tuple[Act, Act]] = {
    "server killed": (lambda _, one: kill(one, "-server "), start_server),
    "frozen": (lambda _, one: one.freeze(), lambda _, one: one.thaw()),
}


# --- doing it -----------------------------------------------------------------------------------


class Soak:
    """A soak that runs.

    Args:
        scenario: whose jobs these are.
        seed: tells the faults and the jobs.
        length_s: how long faults happen.
        say: is told each fault as it begins.
    """

    def __init__(
        self, scenario: Scenario, seed: int, length_s: float, say: Callable[[str], None]
    ) -> None:
        self.scenario, self.campus = scenario, scenario.campus
        self.seed, self.length_s = seed, length_s
        self.refused = 0
        self._say = say
        self._over = threading.Event()
        self.faults = draw(seed, length_s, sorted(self.campus.machines))

    def run(self) -> None:
        """Let it all happen, until every fault is over.

        Raises:
            AssertionError: something could not be done or undone.
        """
        self.scenario.strikes()
        with ThreadPoolExecutor() as pool:
            stream = pool.submit(self._stream)
            timelines = [pool.submit(self._befall, *one) for one in self.faults.items()]
            try:
                for one in timelines:
                    one.result()
            finally:
                self._over.set()
            stream.result()

    @property
    def counts(self) -> Counter[str]:
        """How often each kind of fault happened."""
        return Counter(fault.kind for faults in self.faults.values() for fault in faults)

    def _befall(self, name: str, faults: Sequence[Fault]) -> None:
        of_the_host = name == QUEUE
        machine = self.campus.queue if of_the_host else self.campus.machines[name]
        acts = OF_THE_QUEUES_HOST if of_the_host else OF_A_MACHINE
        for fault in faults:
            begin, end = acts[fault.kind]
            self._until(fault.begin_s)
            self._say(str(fault))
            begin(self, machine)
            self._until(fault.end_s)
            end(self, machine)

    def _until(self, at_s: float) -> None:
        self._over.wait(max(0.0, self.scenario.struck_s + at_s - time.monotonic()))

    def _stream(self) -> None:
        """Enqueue jobs from the laptop, one after the other, until the faults are over."""
        chance = random.Random(self.seed)
        while not self._over.wait(BETWEEN_JOBS_S):
            seconds, checkpoints = chance.uniform(1, 8), chance.random() < 0.7
            try:
                self.scenario.enqueue(1, seconds, *RETRIES, checkpoints=checkpoints)
            except AssertionError:
                self.refused += 1  # not acknowledged: the queue was away, and it said so
