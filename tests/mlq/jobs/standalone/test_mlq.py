"""What a job reports gets to its file, whatever it is, and never harms the job."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ci import require
from waiting import wait_for

from mlq.jobs.progress import TAIL_BYTES, latest
from mlq.jobs.standalone import mlq as standalone
from mlq.jobs.standalone.mlq import MOST_LINE, PAUSE_S, report
from mlq.metrics.series import number_or_none

SOURCE = Path(standalone.__file__)
RANKS = ("RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID", "LOCAL_RANK")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The progress file of this process, which has reported nothing yet."""
    path = tmp_path / "progress.jsonl"
    monkeypatch.setenv("MLQ_PROGRESS_FILE", str(path))
    for name in RANKS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(standalone, "_of_process", {})
    monkeypatch.setattr(standalone, "_warned", set())
    yield path
    flush()


def flush() -> None:
    for writer in standalone._of_process.values():
        writer.close()


def lines(path: Path) -> list[dict[str, Any]]:
    """All lines, without the times, of which each is a time."""
    found = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert all(abs(line.pop("at") - time.time()) < 100 for line in found)
    return found


def run(code: str, path: Path, python: str = sys.executable, **more: str) -> subprocess.Popen[str]:
    """Start a job that has no mlq but the small one."""
    env = {"MLQ_PROGRESS_FILE": str(path), "PYTHONPATH": str(SOURCE.parent), **more}
    argv = [python, "-c", f"from mlq import report\n{code}"]
    return subprocess.Popen(argv, env=env, text=True, stderr=subprocess.PIPE)


def ended(process: subprocess.Popen[str], code: int = 0) -> str:
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    return err


def test_a_job_reports_to_its_file(file: Path) -> None:
    report(0.5, loss=1.25)
    assert lines(file) == [{"progress": 0.5, "loss": 1.25}]
    report(1)
    flush()
    assert lines(file)[1:] == [{"progress": 1}]
    assert latest(file.read_bytes()) == "1.0"


def test_outside_of_a_job_nothing_is_done(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLQ_PROGRESS_FILE")
    report(0.5)
    assert list(file.parent.iterdir()) == []


def test_steps_make_the_share(file: Path) -> None:
    report(step=3, total=12, loss=0.5)
    report(step=13, total=12)
    flush()
    assert lines(file) == [
        {"progress": 0.25, "step": 3, "total": 12, "loss": 0.5},
        {"progress": 1.0, "step": 13, "total": 12},
    ]


def test_few_lines_with_the_newest_of_each_metric_at_its_own_step(file: Path) -> None:
    report(step=0, total=1000)
    for step in range(1, 500):
        report(step=step, total=1000, loss=1 / step)
        if step == 300:
            report(step=step, accuracy=0.75)
    flush()
    assert lines(file)[1:] == [
        {"step": 300, "accuracy": 0.75},
        {"progress": 0.499, "step": 499, "total": 1000, "loss": 1 / 499},
    ]


def test_a_report_without_a_step_forgets_no_step(file: Path) -> None:
    report(0.1)
    report(step=7, total=10)
    report(lr=0.5)
    flush()
    assert lines(file)[1:] == [{"step": 7}, {"progress": 0.7, "total": 10, "lr": 0.5}]


class Tensor:
    """As torch's."""

    def __init__(self, *values: float) -> None:
        self.values = values

    def item(self) -> float:
        if len(self.values) != 1:
            raise RuntimeError(f"a Tensor with {len(self.values)} elements cannot be converted")
        return self.values[0]

    def __float__(self) -> float:
        return float(self.item())


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (Tensor(0.25), 0.25),
        (np.float32(0.25), 0.25),
        (np.float64("nan"), math.nan),
        (np.int64(7), 7),
        (np.array([[0.5]]), 0.5),
        (np.float16("inf"), math.inf),
        (Decimal("0.25"), 0.25),
        (Decimal("-Infinity"), -math.inf),
        (Fraction(1, 4), 0.25),
        (-math.inf, -math.inf),
        (signal.SIGTERM, 15),
    ],
)
def test_any_kind_of_number_is_one(file: Path, value: object, read: float) -> None:
    report(loss=value)
    (line,) = lines(file)
    found = number_or_none(line["loss"])
    assert found == read or (found is not None and math.isnan(found) and math.isnan(read))


@pytest.mark.parametrize("value", ["resnet", [1, 2], {"a": None}, True])
def test_what_is_json_but_no_number_is_kept(file: Path, value: object) -> None:
    report(0.5, what=value)
    assert lines(file) == [{"progress": 0.5, "what": value}]


class Odd:
    """Raises whatever is done with it."""

    def item(self) -> float:
        raise ZeroDivisionError

    def __repr__(self) -> str:
        raise ZeroDivisionError


@pytest.mark.parametrize(
    "value",
    [
        Tensor(1, 2),
        np.zeros((3, 3)),
        1j,
        object(),
        Odd(),
        b"x",
        10**400,
        [object()],
        [math.nan],
        ["x" * 2000],
        Decimal("sNaN"),
    ],
)
def test_what_is_no_number_is_left_out_with_one_warning(
    file: Path, capsys: pytest.CaptureFixture[str], value: object
) -> None:
    for _ in range(3):
        report(0.5, what=value, loss=1)
    flush()
    assert lines(file)[0] == {"progress": 0.5, "loss": 1}
    err = capsys.readouterr().err
    assert err.startswith("mlq: what is left out of reports: ")
    assert err.count("\n") == 1


def test_a_share_or_step_that_is_none_is_left_out(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report("half", step=math.nan, total=[3], at=5, loss=1)
    assert lines(file) == [{"loss": 1}]
    assert capsys.readouterr().err.count("\n") == 4


def test_a_long_report_stays_short_enough_to_be_read(file: Path) -> None:
    values = {f"layer{n}/weights/norm": n / 7 for n in range(2000)}
    report(0.25, **values)
    report(0.5, **values, note="é" * 5000)
    flush()
    data = file.read_bytes()
    assert max(map(len, data.split(b"\n"))) < MOST_LINE
    assert latest(data[-TAIL_BYTES:]) == "0.5"
    assert "layer100/weights/norm" in lines(file)[0]


@pytest.mark.parametrize("name", RANKS)
def test_only_rank_0_writes(file: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "1")
    report(0.5)
    assert not file.exists()
    monkeypatch.setenv(name, "0")
    report(0.5)
    assert file.exists()


def test_the_rank_of_the_whole_run_decides(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "2")
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setenv("SLURM_PROCID", "0")
    report(0.5)
    assert not file.exists()

    class Distributed:
        """As torch.distributed."""

        is_available = is_initialized = staticmethod(lambda: True)
        get_rank = staticmethod(lambda: 0)

    monkeypatch.setitem(sys.modules, "torch.distributed", Distributed())  # type: ignore[arg-type]
    report(0.5)
    assert file.exists()


def test_threads_lose_and_tear_nothing(file: Path) -> None:
    report(0)

    def work(name: str) -> None:
        for n in range(300):
            report(**{name: n})

    threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    flush()
    merged: dict[str, int] = {}
    for line in lines(file):
        merged.update(line)
    assert merged == {"progress": 0, **{f"t{n}": 299 for n in range(8)}}


def test_what_is_held_follows_by_itself(file: Path) -> None:
    report(0.1)
    report(0.2)
    assert len(lines(file)) == 1
    wait_for(lambda: len(lines(file)) == 2, what="the second line")


def test_a_killed_job_has_lost_no_more_than_half_a_second(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    process = run("import signal\nreport(0.1)\nreport(0.2, loss=3)\nsignal.pause()", path)
    wait_for(lambda: path.exists() and len(lines(path)) == 2, what="both lines")
    process.kill()
    ended(process, -signal.SIGKILL)
    assert lines(path)[1] == {"progress": 0.2, "loss": 3}


def test_the_end_of_the_program_writes_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    code = (
        "import atexit\natexit.register(lambda: report(1, said='last'))\n"
        "for n in range(100): report(n / 100)\n"
    )
    assert ended(run(code, path)) == ""
    assert lines(path) == [{"progress": 0}, {"progress": 0.99}, {"progress": 1, "said": "last"}]
    before = len(lines(path))
    code = "report(0.1)\nreport(0.2)\nraise SystemExit(3)"
    assert ended(run(code, path), 3) == ""
    assert lines(path)[before:] == [{"progress": 0.1}, {"progress": 0.2}]


def test_signal_handlers_stay_the_jobs_own(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    code = (
        "import signal, sys, threading, time\n"
        "def stop(*_): report(0.9, saved=1); sys.exit(5)\n"
        "signal.signal(signal.SIGTERM, stop)\nreport(0.1)\n"
        "while True: report(0.2, busy=time.time())\n"
    )
    process = run(code, path)
    wait_for(lambda: path.exists() and len(lines(path)) > 2, what="some lines")
    process.terminate()
    assert ended(process, 5) == ""
    assert lines(path)[-1]["progress"] == 0.9


def test_forks_neither_repeat_nor_lose_nor_hang(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    code = (
        "import multiprocessing, os, sys\n"
        "fork = multiprocessing.get_context('fork')\n"
        "def work(n):\n    for k in range(50): report(**{'w%d' % n: k})\n"
        "report(0.1)\nreport(0.2, main=1)\n"
        "ones = [fork.Process(target=work, args=(n,)) for n in range(4)]\n"
        "[one.start() for one in ones]\n[one.join() for one in ones]\n"
        "child = os.fork()\n"
        "if child == 0: sys.exit(0)\n"
        "os.waitpid(child, 0)\n"
    )
    assert ended(run(code, path)) == ""
    found = lines(path)
    assert [line for line in found if "main" in line] == [{"progress": 0.2, "main": 1}]
    merged: dict[str, int] = {}
    for line in found:
        merged.update(line)
    assert {f"w{n}": merged[f"w{n}"] for n in range(4)} == {f"w{n}": 49 for n in range(4)}


def test_a_deleted_folder_and_a_closed_stderr_end_no_job(tmp_path: Path) -> None:
    folder = tmp_path / "attempt"
    folder.mkdir()
    path = folder / "progress.jsonl"
    code = (
        "import shutil, sys, time\nreport(0.1)\n"
        f"shutil.rmtree({str(folder)!r})\n"
        "for n in range(4): report(0.2, n=n); time.sleep(0.2)\n"
        "sys.stderr.close()\nreport(0.3, odd=object())\nsys.stderr = None\nreport(0.4, odder=1j)\n"
    )
    err = ended(run(code, path))
    assert err.count("\n") == 1
    assert err.startswith("mlq: progress cannot be written; the job goes on: ")


def test_a_full_disk_ends_no_job_and_what_was_held_follows(tmp_path: Path) -> None:
    require(os.geteuid() == 0, "needs root, to mount a small folder")
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "none", str(small)]
    subprocess.run(mount, check=True)
    try:
        path = small / "progress.jsonl"
        code = (
            "import os, time\nreport(0.1, loss=1)\n"
            f"fill = open({str(small / 'fill')!r}, 'wb', buffering=0)\n"
            "try:\n    while fill.write(b'x' * 100): pass\nexcept OSError: pass\n"
            "note = 'y' * 900\n"
            "for n in range(5): report(0.2, **{'note%d' % k: note for k in range(5)}, n=n);"
            " time.sleep(0.3)\n"
            "fill.truncate(0)\ntime.sleep(1)\nreport(0.3)\n"
        )
        err = ended(run(code, path))
        assert err.startswith("mlq: progress cannot be written; the job goes on: ")
        assert err.count("\n") == 1
        whole = [line for line in path.read_text("utf-8").splitlines() if line.endswith("}")]
        assert json.loads(whole[0])["loss"] == 1
        assert any(json.loads(line).get("n") == 4 for line in whole[1:])
        assert json.loads(whole[-1])["progress"] == 0.3
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_it_costs_a_job_next_to_nothing(tmp_path: Path) -> None:
    code = (
        "import os, sys, time\nbefore = set(sys.modules)\n"
        f"sys.path.insert(0, {str(SOURCE.parent)!r})\nimport mlq\n"
        "print(*(set(sys.modules) - before))\n"
        "mlq.report(0)\nbegan = time.process_time()\n"
        "for n in range(10_000): mlq.report(step=n, total=10_000, loss=0.5)\n"
        "print(time.process_time() - began)\n"
    )
    env = {"MLQ_PROGRESS_FILE": str(tmp_path / "progress.jsonl")}
    argv = [sys.executable, "-S", "-c", code]
    done = subprocess.run(argv, env=env, text=True, capture_output=True, check=True)
    modules, seconds = done.stdout.splitlines()
    assert modules == "mlq"
    assert float(seconds) < 1.5  # measured: 15 us a report
    assert PAUSE_S == 0.5
