"""How jobs are told to end, with real processes and real signals."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from real_torch import torch_path
from supervising import Bench

from mlq_worker.supervisor.notices import manner_of

pytestmark = pytest.mark.slow

# Works as a PyTorch data loader does: forked workers that inherit the handler and die of SIGTERM,
# and a main process that cannot go on once one of them has died. It saves in its next step.
TRAIN = """
import json, multiprocessing, os, signal, sys, time
told = []
fork = multiprocessing.get_context("fork")

def work(orders, batches):
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    while True:
        batches.put(orders.get())

def batch(step):
    orders.put(step)
    while batches.empty():
        if not all(worker.is_alive() for worker in workers):
            sys.exit("DataLoader worker is killed by signal")
        time.sleep(0.001)
    return batches.get()

orders, batches = fork.Queue(), fork.Queue()
workers = [fork.Process(target=work, args=(orders, batches), daemon=True) for _ in range(2)]
for worker in workers:
    worker.start()
for number in (signal.SIGTERM, signal.SIGUSR1):
    signal.signal(number, lambda number, _frame: told.append(number))
open(os.environ["HERE"] + "/ready", "w").write("yes")
step = 0
while signal.SIGTERM not in told and not (told and "--usr1-ends" in sys.argv):
    step = batch(step + 1)
for extra in range(50):
    step = batch(step + 1)
open(os.environ["HERE"] + "/saved.new", "w").write(json.dumps({"step": step, "told": told}))
os.replace(os.environ["HERE"] + "/saved.new", os.environ["HERE"] + "/saved")
"""

TORCH = """
import os, signal, sys, time
import torch
from torch.utils.data import DataLoader, Dataset

class Data(Dataset):
    def __len__(self):
        return 100_000
    def __getitem__(self, _index):
        time.sleep(0.001)
        return torch.ones(8, 8)

told = []
signal.signal(signal.SIGTERM, lambda *_: told.append(1))
model = torch.nn.Linear(8, 1)
here, left = os.environ["HERE"], 30
for step, batch in enumerate(DataLoader(Data(), batch_size=4, num_workers=2)):
    if step == 0:
        open(here + "/ready", "w").write("yes")
    model(batch).mean().backward()
    left -= len(told)
    if left < 0:  # the end of the epoch
        torch.save(model.state_dict(), here + "/saved.new")
        os.replace(here + "/saved.new", here + "/saved")
        sys.exit()
"""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    (tmp_path / "train.py").write_text(TRAIN)
    (tmp_path / "run.sh").write_text(f"{sys.executable} train.py\ntouch went-on\n")
    yield bench
    bench.end()


def saved(bench: Bench) -> dict[str, Any]:
    return dict(json.loads(bench.file("saved")))


@pytest.mark.parametrize(
    "command",
    [
        [sys.executable, "train.py"],
        ["bash", "run.sh"],
        ["sh", "-c", f"{sys.executable} train.py 2>&1 | tee all.txt"],
        ["bash", "-c", f"trap 'kill $!; wait' TERM; {sys.executable} train.py & wait"],
        ["timeout", "1h", sys.executable, "train.py"],
    ],
    ids=["program", "script", "pipe", "trap", "timeout"],
)
def test_the_last_checkpoint_is_saved_with_the_help_of_workers(
    bench: Bench, command: list[str]
) -> None:
    bench.start(bench.order("1", *command, stop_grace_s=1000))
    bench.file("ready")
    bench.stop("1", "released", "handed back")
    assert bench.result("1")["outcome"] == "released"  # long before the grace is over
    assert saved(bench)["told"] == [signal.SIGTERM]
    assert b"DataLoader worker" not in bench.log("1")
    assert not (bench.root.parent / "went-on").exists()
    assert bench.alive() == set()


@pytest.mark.timeout(600)  # it may have to be fetched
def test_the_last_checkpoint_is_saved_with_torchs_own_data_loader(bench: Bench) -> None:
    (bench.root.parent / "torch_train.py").write_text(TORCH)
    script = f"{sys.executable} -W ignore torch_train.py 2>&1 | tee all.txt"
    order = bench.order("1", "bash", "-c", script, stop_grace_s=1000)
    order["env"]["PYTHONPATH"] = str(torch_path())
    bench.start(order)
    bench.file("ready")
    bench.stop("1", "released", "handed back")
    assert bench.result("1")["outcome"] == "released"
    assert (bench.root.parent / "saved").exists(), bench.log("1").decode()
    assert bench.alive() == set()


def test_the_rest_is_told_when_the_grace_is_over(bench: Bench) -> None:
    child = (
        "import os, signal\n"
        "def bye(*_):\n"
        "    open(os.environ['HERE'] + '/bye', 'w').write('yes')\n"
        "    os._exit(0)\n"
        "signal.signal(signal.SIGTERM, bye)\n"
        "open(os.environ['HERE'] + '/ready', 'w').write('yes')\n"
        "while True: signal.sigtimedwait((), 0.1)\n"
    )
    parent = (
        "import signal, subprocess, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: None)\n"
        "subprocess.Popen([sys.executable, '-c', sys.argv[1]])\n"
        "while True: signal.sigtimedwait((), 0.1)\n"
    )
    bench.start(bench.order("1", sys.executable, "-c", parent, child, stop_grace_s=1))
    bench.file("ready")
    bench.stop("1")
    assert bench.result("1")["outcome"] == "canceled"
    assert bench.file("bye") == "yes"


@pytest.mark.parametrize("outcome", ["released", "canceled"])
def test_a_job_that_will_run_again_gets_its_own_signal_first(bench: Bench, outcome: str) -> None:
    asked = {"number": int(signal.SIGUSR1), "ahead_s": None, "first_only": False}
    command = [sys.executable, "train.py", "--usr1-ends"]
    bench.start(bench.order("1", *command, signal=asked, stop_grace_s=1000))
    bench.file("ready")
    bench.stop("1", outcome, outcome)
    bench.result("1")
    first = signal.SIGUSR1 if outcome == "released" else signal.SIGTERM
    assert saved(bench)["told"] == [first]


@pytest.mark.parametrize(
    ("trap", "log", "why"),
    [
        ("trap 'echo told' USR1; trap 'exit 3' TERM;", b"told\n", ""),
        ("", b"", "; none of its processes handled SIGUSR1, sent 1.5s before"),
    ],
    ids=["handled", "not handled"],
)
def test_a_signal_is_sent_ahead_of_the_time_limit(
    bench: Bench, trap: str, log: bytes, why: str
) -> None:
    asked = {"number": int(signal.SIGUSR1), "ahead_s": 1.5, "first_only": False}
    script = f"{trap} while :; do sleep 0.01; done"
    bench.start(bench.order("1", "sh", "-c", script, signal=asked, time_limit_s=3))
    assert bench.result("1")["reason"] == f"timeout after 3s{why}"
    assert bench.log("1").startswith(log)
    assert bool(bench.log("1")) == bool(log)


def test_only_who_waits_for_a_signal_is_taken_to_handle_what_it_blocks() -> None:
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    try:
        assert manner_of(os.getpid(), signal.SIGUSR1).heeds
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # as fork does
        assert not manner_of(os.getpid(), signal.SIGUSR1).heeds
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    assert not manner_of(os.getpid(), signal.SIGUSR1).is_shell
