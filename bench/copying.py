"""What a job's own copy of its code costs: 200 files, on a local disk and on an emulated NFS.

What is measured is the launcher's whole preparation of an attempt, with and without a copy, after
the machine has the pack in its cache; and what taking the copy away costs after the job's end, when
nobody waits for it. Beside it a plain `tar -x`. The emulated NFS is a FUSE file system
(`tests/lab/passthrough.py`) that answers each operation after 3 ms.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.report import Row, spread
from mlq.code.manifest import Manifest, PackedFile
from mlq.code.packing import pack
from mlq.files.layout import Layout
from mlq.jobs.attempt import AttemptId
from mlq_worker.ipc.values import CodeOrder, Copied, Order
from mlq_worker.launcher.holder import Holder
from mlq_worker.launcher.lookup import Failure
from mlq_worker.launcher.prepare import Preparation

FILES, FOLDERS, BYTES, DELAY_S = 200, 20, 4000, 0.003
_PASSTHROUGH = Path(__file__).parents[1] / "tests" / "lab" / "passthrough.py"


def measure(runs: int) -> list[Row]:
    """Return milliseconds of each, on both disks; the emulated one only where FUSE is."""
    with tempfile.TemporaryDirectory(prefix="mlq-bench-") as folder:
        rows = _measure_on("local disk", Path(folder), Path(folder), runs)
        try:
            with _emulated(Path(folder)) as mount:
                rows += _measure_on("3 ms an operation", mount, Path(folder), max(2, runs // 3))
        except OSError as error:
            rows.append(Row("emulated NFS", 0, "ms", str(error)))
    return rows


def _measure_on(where: str, disk: Path, local: Path, runs: int) -> list[Row]:
    root = disk / "root"
    root.mkdir(mode=0o700)
    (root / "queue.json").write_text(json.dumps({"queue": "q", "format": 1}))
    copied = _packed(root)
    preparation = Preparation(Layout(root, "q"), Holder("here", "boot", "supervisor"))
    times: dict[str, list[float]] = {"without": [], "with a copy": [], "tar -x": [], "tidied": []}
    for run in range(runs + 1):
        plain, with_code, beside = (str(3 * run + one) for one in (1, 2, 3))
        took = {
            "without": _ms(preparation, _order(root, plain, None)),
            "with a copy": _ms(
                preparation, _order(root, with_code, CodeOrder((copied,), "", str(local / "cache")))
            ),
        }
        (root / "jobs" / beside).mkdir()
        began = time.perf_counter()
        archive = root / "code" / f"{copied.pack}.tgz"
        subprocess.run(["tar", "-xzf", archive, "-C", root / "jobs" / beside], check=True)
        took["tar -x"] = 1000 * (time.perf_counter() - began)
        began = time.perf_counter()
        if trouble := preparation.tidy(AttemptId(with_code, 1)):
            raise RuntimeError(trouble)
        took["tidied"] = 1000 * (time.perf_counter() - began)
        for name, spent_ms in took.items():
            if run:  # the first fills the cache
                times[name].append(spent_ms)
    return [Row(f"{where}: {name}", spread(spent), "ms", "") for name, spent in times.items()]


def _packed(root: Path) -> Copied:
    chance = random.Random(1)  # noqa: S311 - code is as compressible, and no secret
    words = [f"value_{number} = function({number})\n" for number in range(1000)]
    encoded = {
        f"package{number % FOLDERS}/module{number}.py": _text(chance, words)
        for number in range(FILES)
    }
    manifest = Manifest(
        tuple(
            PackedFile(path, 0o644, len(data), hashlib.sha256(data).hexdigest())
            for path, data in encoded.items()
        )
    )
    (root / "code").mkdir(mode=0o700)
    (root / "code" / f"{manifest.digest}.manifest").write_bytes(manifest.text())
    (root / "code" / f"{manifest.digest}.tgz").write_bytes(pack(manifest, encoded.__getitem__))
    return Copied(manifest.digest, "", "/nowhere")


def _text(chance: random.Random, words: list[str]) -> bytes:
    return "".join(chance.choices(words, k=BYTES // len(words[-1]))).encode()


def _order(root: Path, job_id: str, code: CodeOrder | None) -> Order:
    job = f"{root}/jobs/{job_id}"
    return Order(
        AttemptId(job_id, 1),
        mark="",
        argv=("/bin/true",),
        env={},
        cwd="/" if code is None else f"{job}/work",
        job_dir=job,
        job_json="{}",
        time_limit_s=None,
        stop_grace_s=1,
        lane=None,
        width=1,
        code=code,
    )


def _ms(preparation: Preparation, order: Order) -> float:
    began = time.perf_counter()
    made = preparation.prepare(order)
    spent_ms = 1000 * (time.perf_counter() - began)
    if isinstance(made, Failure):
        raise made
    os.close(made.log)
    return spent_ms


@contextmanager
def _emulated(folder: Path) -> Iterator[Path]:
    source, mount = folder / "source", folder / "mount"
    source.mkdir()
    mount.mkdir()
    command = [sys.executable, _PASSTHROUGH, source, mount, str(os.getuid()), "3", "3"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as served:
        if served.stdin is None or served.stdout is None or served.stdout.readline() != "ok\n":
            raise OSError("no FUSE here, or not the right to mount")
        try:
            served.stdin.write(json.dumps({"mode": "ok", "delay_s": DELAY_S}) + "\n")
            served.stdin.flush()
            served.stdout.readline()
            yield mount
        finally:
            served.stdin.close()
            subprocess.run(["umount", "--lazy", mount], check=False, capture_output=True)
            served.terminate()
