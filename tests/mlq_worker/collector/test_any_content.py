"""Any content in any file, and any state: no look raises, and none takes long."""

from __future__ import annotations

import json
import math
import os
import random
import time
from pathlib import Path
from typing import Any

import pytest
from event_files import event, float_value, record, summary

from mlq.files.layout import JobFolder
from mlq_worker.collector.reading import JobReader, Watched

STARTED_S = 1_800_000_000.0
PARTS = [
    *"{}'\"[]:,/=\r\n\0é",
    *("loss", "epoch", "Epoch ", "step", "progress", "total", "at", "True", "None", "tensor(", ")"),
    *("1", "0.5", "nan", "inf", "-inf", "1e400", "9" * 50, "3/60", "[3/60]", "%|", "1800000030"),
    *("37%|###| 3/60 [00:10<00:20, 1it/s]", "\x1b[A", "\x1b[32m", "{'loss': 0.5}\n"),
    *('{"step": 1, "x": 2}\n', "step,a,b\n", "1,2,3\n", "np.float64(1.0)"),
    '{"log_history": [{"loss": 1, "step": 1}], "global_step": 1, "max_steps": 5}',
]
NAMES = ["metrics.csv", "version_1/metrics.csv", "trainer_state.json", "wandb-summary.json"]
NAMES += ["events.out.tfevents.1", "train/events.out.tfevents.2"]


def _content(chance: random.Random, name: str) -> bytes:
    data = "".join(chance.choices(PARTS, k=chance.randrange(60))).encode()
    if "tfevents" not in name or chance.random() < 0.2:
        return data
    good = record(event(STARTED_S, chance.randrange(5), summary(float_value("a", 1.0))))
    odd = [record(b"\x09" + data), record(event(STARTED_S, 1, b"\x2a" + data)), good]
    return b"".join(chance.choices(odd, k=3))


def _changed(chance: random.Random, value: Any) -> Any:
    if chance.random() < 0.05:
        return chance.choice([None, -1, "x", [], {}, 1.5, True, [1], {"a": 1}, 10**400])
    if isinstance(value, dict):
        return {name: _changed(chance, one) for name, one in value.items()}
    return [_changed(chance, one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("seed", range(40))
def test_no_content_and_no_state_makes_a_look_raise(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a story that can be told again
    folder = JobFolder(str(tmp_path))
    watched = Watched("1", 1, folder.path, (("a", r"(\S+)"), ("b", "a(?P<value>.)")), STARTED_S)
    files = [folder.log_file(1), folder.progress_file(1)]
    files += [f"{folder.work_dir}/{one}" for one in NAMES]
    state: Any = None
    for look in range(1, 4):
        for name in files:
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            with Path(name).open(chance.choice(["ab", "ab", "wb"])) as file:
                file.write(_content(chance, name))
            os.utime(name, (STARTED_S + 9, STARTED_S + 9))
        reader, began = JobReader(watched, state), time.process_time()
        found = reader.read(STARTED_S + 60 * look, is_last=chance.random() < 0.2)
        assert time.process_time() - began < 2
        assert all(math.isfinite(one.at_s) for one in found.points)
        assert all(one is None or math.isfinite(one) for one in found.advance)
        state = json.loads(json.dumps(reader.state(), allow_nan=False))
        if chance.random() < 0.5:
            state = _changed(chance, state)
