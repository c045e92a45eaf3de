"""What it costs to read the metrics and the progress of jobs from their own files.

Event files of TensorBoard, beside the tensorboard package itself; and all sources of eight jobs
that write as trainings do, looked at once a minute.
"""

from __future__ import annotations

import json
import struct
import subprocess
import time
from pathlib import Path

from bench import peers
from bench.folders import new_folder
from bench.report import Row, spread
from mlq.files.layout import JobFolder
from mlq_worker.collector.reading import JobReader, Watched
from mlq_worker.collector.sources.crc32c import masked_crc32c
from mlq_worker.collector.sources.events import EventReader

SCALARS, TAGS = 100_000, 4
JOBS, MINUTES = 8, 10
_STARTED_S = 1_800_000_000.0
_LIBRARY = """
import sys, time
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
began = time.process_time()
found = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0}).Reload()
count = sum(len(found.Scalars(tag)) for tag in found.Tags()["scalars"])
print(count / (time.process_time() - began))
"""


def measure(runs: int, *, with_peers: bool) -> list[Row]:
    """Return scalars a second, and the share of a core that a worker's reading takes."""
    path = new_folder() / "events.out.tfevents.1.bench"
    path.write_bytes(b"".join(record(event(*one)) for one in _scalars(SCALARS)))
    if with_peers:
        peers.install()
    ours, theirs = list[float](), list[float]()
    for _ in range(runs):
        ours.append(_own_reader(path))
        if with_peers:
            theirs.append(_library(path))
    unit = "scalars a second of CPU"
    rows = [Row(f"event file, {SCALARS:,} scalars, {TAGS} tags", spread(ours), unit, "mlq")]
    if theirs:
        rows.append(Row("the same", spread(theirs), unit, "tensorboard: EventAccumulator"))
    return [*rows, *_eight_jobs()]


def _own_reader(path: Path) -> float:
    began = time.process_time()
    points = EventReader().read(path.read_bytes()).points
    count = sum(len(one.values) for one in points)
    took_s = time.process_time() - began
    assert count == SCALARS
    return count / took_s


def _library(path: Path) -> float:
    command = [peers.VENV / "bin/python", "-c", _LIBRARY, path]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout)


def _scalars(count: int) -> list[tuple[float, int, str, float]]:
    return [
        (
            _STARTED_S + number / 100,
            number // TAGS,
            f"train/metric_{number % TAGS}",
            1 / (1 + number),
        )
        for number in range(count)
    ]


def event(time_s: float, step: int, tag: str, value: float) -> bytes:
    """Return one scalar as PyTorch's SummaryWriter writes it."""
    name = tag.encode()
    inner = b"\x0a" + varint(len(name)) + name + b"\x15" + struct.pack("<f", value)
    summary = b"\x0a" + varint(len(inner)) + inner
    return (
        b"\x09" + struct.pack("<d", time_s) + b"\x10" + varint(step) + b"\x2a"
        + varint(len(summary)) + summary
    )  # fmt: skip


def varint(number: int) -> bytes:
    found = b""
    while number >= 0x80:
        found += bytes([number & 0x7F | 0x80])
        number >>= 7
    return found + bytes([number])


def record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    crc = struct.pack("<I", masked_crc32c(length))
    return length + crc + data + struct.pack("<I", masked_crc32c(data))


def _eight_jobs() -> list[Row]:
    """Return the CPU of the reader of eight jobs, as a share of each minute."""
    readers, folders = [], []
    for number in range(JOBS):
        folder = new_folder() / str(number)
        _make_project(folder)
        folders.append(folder)
        patterns = (("acc", "accuracy ([0-9.]+)"),)
        readers.append(JobReader(Watched(str(number), 1, str(folder), patterns, time.time() - 1)))
    shares, points = [], 0
    for minute in range(MINUTES):
        for folder in folders:
            _train_for_a_minute(folder, minute)
        now_s, began = time.time() + 60 * minute, time.process_time()
        points += sum(len(one.read(now_s, is_last=False).points) for one in readers)
        shares.append(100 * (time.process_time() - began) / 60)
    assert points
    title = f"all sources of {JOBS} jobs, once a minute"
    return [
        Row(title, spread(shares), "% of a core", f"{points / MINUTES / JOBS:.0f} points a look"),
        Row("the first look of them", (shares[0],) * 3, "% of a core", "500 files in each folder"),
    ]


def _make_project(folder: Path) -> None:
    job = JobFolder(str(folder))
    for place in (job.attempt_dir(1), job.output_dir, job.checkpoint_dir):
        Path(place).mkdir(parents=True)
    for number in range(50):
        package = Path(job.work_dir) / f"package{number}"
        package.mkdir(parents=True)
        for module in range(10):
            (package / f"module{module}.py").write_text("pass\n", encoding="utf-8")


def _train_for_a_minute(folder: Path, minute: int) -> None:
    job = JobFolder(str(folder))
    work = Path(job.work_dir)
    log, first = [], minute * 600
    for step in range(first, first + 600):
        bar = "█" * (step % 100 // 10)
        log.append(
            f"\rEpoch {minute + 1}:  {step % 100:2d}%|{bar:10}| {step % 100}/100 "
            f"[00:{step % 60:02d}<01:00,  9.87it/s, loss=0.{step}]"
        )
        if step % 60 == 0:
            log.append(f"\n{{'loss': '0.{step}', 'grad_norm': 1.5, 'epoch': {step / 100}}}\n")
            log.append(f"step {step}: accuracy 0.{step}\n")
    _append(Path(job.log_file(1)), "".join(log).encode())
    reports = [
        json.dumps(
            {"progress": step / 1e4, "step": step, "total": 10000, "at": time.time(), "a": 1.0}
        )
        for step in range(minute * 120, minute * 120 + 120)
    ]
    _append(Path(job.progress_file(1)), ("\n".join(reports) + "\n").encode())
    steps = range(minute * 60, minute * 60 + 60)
    rows = "".join(f"{step // 10},{step},0.{step},\n" for step in steps)
    table = work / "lightning_logs/version_0/metrics.csv"
    header = "" if minute else "epoch,step,train_loss,val_loss\n"
    _append(table, (header + rows).encode())
    events = b"".join(
        record(event(time.time(), step, f"tag{tag}", step / 7))
        for step in steps
        for tag in range(5)
    )
    _append(work / "runs/one/events.out.tfevents.1.host", events)
    history = [{"loss": 0.1, "epoch": step / 10, "step": step} for step in range(minute * 20 + 1)]
    state = {"global_step": minute * 20, "max_steps": 1000, "log_history": history}
    if minute % 5 == 0:
        checkpoint = Path(job.output_dir) / f"checkpoint-{minute}"
        checkpoint.mkdir()
        (checkpoint / "trainer_state.json").write_text(json.dumps(state), encoding="utf-8")
    summary = work / "wandb/run-1/files/wandb-summary.json"
    summary.parent.mkdir(parents=True, exist_ok=True)
    summary.write_text(json.dumps({"best": minute / 10, "_step": minute}), encoding="utf-8")


def _append(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(data)
