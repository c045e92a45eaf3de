"""What an attempt uses: its samples, their sums and peaks, and what its user should know of them.

The worker takes a sample every ten seconds; the collector appends it to the attempt's
`usage.jsonl`. Sums and peaks are in `result.json` under `used` and in the hash's `mlq_used`, so
that tables read no files. Jobs can write to all of these: what is malformed counts as unknown.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from mlq.lenient import dict_or_empty
from mlq.metrics.series import number_or_none
from mlq.units import rounded_mib

LONG_S = 180.0
"""A job about which fewer seconds are known is told nothing: it may not have begun in earnest."""

_LARGEST = 1e12
_LONGEST_MODEL = 100
_IDLE_GPU, _LITTLE = 0.1, 0.1
_ALL, _WORTH_WANTED = 0.9, 0.5
"""A job has too few cores if it keeps so much of them busy, and wants so many more."""
_OVER_MIB = 64
_WORTH_CORES, _WORTH_MIB = 1, 4096
"""How much more than it used a job must have asked for: its share of a small machine is small."""


class Sample(NamedTuple):
    """What an attempt used in a span of time.

    Args:
        at_s: the end of the span, unix time.
        over_s: how long it was, in seconds; only sums need it.
        cores: how many cores its processes kept busy on average.
        mem_mib: their memory at the most.
        vram_mib: their memory on all GPUs at the most; None without a GPU, or if that is unknown.
        gpu: how busy they kept its GPUs, 0 to 1, the mean of these; None likewise.
        waited: how many more cores its threads waited for on average; None if it was held back, for
            then that says nothing.
    """

    at_s: float
    over_s: float
    cores: float
    mem_mib: int
    vram_mib: int | None = None
    gpu: float | None = None
    waited: float | None = None


class Used(NamedTuple):
    """Sums and peaks of an attempt's samples.

    Args:
        samples, seconds: how many there are, and how many seconds they are about.
        cores, cores_peak: busy cores: the mean, and the most in one sample.
        mem_mib, vram_mib: the most memory; None if unknown.
        gpu, gpu_s: how busy its GPUs were on average, and over how many seconds that is known.
        gpu_model: what its GPUs are called; "" without one.
        gpu_mib: the memory that one of them has, the smallest; None if unknown.
        wanted, wanted_s: how many cores it would have kept busy on average, and over how many
            seconds that is known.
    """

    samples: int = 0
    seconds: float = 0.0
    cores: float = 0.0
    cores_peak: float = 0.0
    mem_mib: int | None = None
    vram_mib: int | None = None
    gpu: float | None = None
    gpu_s: float = 0.0
    gpu_model: str = ""
    gpu_mib: int | None = None
    wanted: float | None = None
    wanted_s: float = 0.0

    @property
    def text(self) -> str:
        """The text of the hash's `mlq_used`; "" if nothing is known."""
        known = self.as_json()
        return json.dumps(known, separators=(",", ":")) if known else ""

    def as_json(self) -> dict[str, Any]:
        """Return what is known, as `result.json` and `--json` have it."""
        if not self.samples:
            if not self.gpu_model:
                return {}
            known = {"samples": 0, "gpu_model": self.gpu_model, "gpu_mib": self.gpu_mib}
            return {name: value for name, value in known.items() if value is not None}
        found = {
            name: round(value, 4) if isinstance(value, float) else value
            for name, value in self._asdict().items()
        }
        if self.gpu is None:
            del found["gpu_s"]
        if self.wanted is None:
            del found["wanted_s"]
        return {name: value for name, value in found.items() if value not in (None, "")}


def with_sample(used: Used, sample: Sample) -> Used:
    """Return the sums and peaks with one more sample taken in."""
    seconds = used.seconds + sample.over_s
    gpu, gpu_s = used.gpu, used.gpu_s
    if sample.gpu is not None:
        gpu_s += sample.over_s
        gpu = _mean(gpu or 0.0, sample.gpu, sample.over_s, gpu_s)
    wanted, wanted_s = used.wanted, used.wanted_s
    if sample.waited is not None:
        wanted_s += sample.over_s
        wanted = _mean(wanted or 0.0, sample.cores + sample.waited, sample.over_s, wanted_s)
    return Used(
        used.samples + 1,
        seconds,
        _mean(used.cores, sample.cores, sample.over_s, seconds),
        max(used.cores_peak, sample.cores),
        max(used.mem_mib or 0, sample.mem_mib),
        _largest(used.vram_mib, sample.vram_mib),
        gpu,
        gpu_s,
        used.gpu_model,
        used.gpu_mib,
        wanted,
        wanted_s,
    )


def _mean(mean: float, value: float, over_s: float, seconds: float) -> float:
    return mean + (value - mean) * over_s / seconds if seconds > 0 else mean


def _largest(one: int | None, other: int | None) -> int | None:
    return max((mib for mib in (one, other) if mib is not None), default=None)


def parse_used(raw: object) -> Used:
    """Return the sums and peaks that a text, or a JSON value, holds."""
    found = dict_or_empty(raw) if isinstance(raw, str) else raw
    if not isinstance(found, dict):
        return Used()
    model = found.get("gpu_model")
    model = model[:_LONGEST_MODEL] if isinstance(model, str) and model.isprintable() else ""
    samples = _whole(found.get("samples"))
    gpu_mib = _whole(found.get("gpu_mib"))
    if not samples:
        return Used(gpu_model=model, gpu_mib=gpu_mib)
    gpu = _number(found.get("gpu"))
    return Used(
        samples,
        _number(found.get("seconds")) or 0.0,
        _number(found.get("cores")) or 0.0,
        _number(found.get("cores_peak")) or 0.0,
        _whole(found.get("mem_mib")),
        _whole(found.get("vram_mib")),
        None if gpu is None else min(1.0, gpu),
        _number(found.get("gpu_s")) or 0.0,
        model,
        gpu_mib,
        _number(found.get("wanted")),
        _number(found.get("wanted_s")) or 0.0,
    )


def _number(raw: object) -> float | None:
    value = number_or_none(raw)
    return value if value is not None and 0 <= value < _LARGEST else None


def _whole(raw: object) -> int | None:
    value = _number(raw)
    return None if value is None else int(value)


def line_of(sample: Sample, log: tuple[float, int] | None = None) -> bytes:
    """Return a sample as a line of `usage.jsonl`, with its end.

    Args:
        sample: the sample.
        log: a time and how many bytes the attempt's log had then, since the log itself has no
        times.
    """
    raw: dict[str, Any] = {
        "at": round(sample.at_s, 3),
        "cores": round(sample.cores, 3),
        "mem_mib": sample.mem_mib,
        "vram_mib": sample.vram_mib,
        "gpu": None if sample.gpu is None else round(sample.gpu, 3),
        "log": None if log is None else [round(log[0], 3), log[1]],
    }
    known = {name: value for name, value in raw.items() if value is not None}
    return json.dumps(known, separators=(",", ":")).encode() + b"\n"


def log_sizes(data: bytes) -> Iterator[tuple[float, int]]:
    """Yield from a `usage.jsonl` the times and how many bytes the attempt's log had then."""
    for line in data.split(b"\n"):
        try:
            at_s, size = json.loads(line)["log"]
        except (ValueError, TypeError, KeyError, RecursionError):
            continue
        at_s, size = _number(at_s), _whole(size)
        if at_s is not None and size is not None:
            yield at_s, size


def samples_of(data: bytes) -> Iterator[Sample]:
    """Yield the samples of a `usage.jsonl`; a line that is none, torn or foreign, is left out."""
    for line in data.split(b"\n"):
        try:
            raw = json.loads(line) if line else None
        except (ValueError, RecursionError):
            continue
        if not isinstance(raw, dict):
            continue
        at_s, cores, mem_mib = (_number(raw.get(name)) for name in ("at", "cores", "mem_mib"))
        if at_s is not None and cores is not None and mem_mib is not None:
            vram_mib, gpu = _whole(raw.get("vram_mib")), _number(raw.get("gpu"))
            yield Sample(at_s, 0.0, cores, int(mem_mib), vram_mib, gpu)


def wasted(used: Used, cores: int, mem_mib: int, gpus: int) -> list[str]:
    """Return what a job asked for and hardly used, a sentence each.

    Args:
        used: what it used so far.
        cores: how many cores it asked for.
        mem_mib: how much memory.
        gpus: how many GPUs.
    """
    said = []
    if gpus and used.gpu is not None and used.gpu_s >= LONG_S and used.gpu < _IDLE_GPU:
        its = "its GPU" if gpus == 1 else f"its {gpus} GPUs"
        said.append(f"{its} sat idle: {_percent(used.gpu)} busy on average")
    if used.seconds < LONG_S:
        return said
    if too_few := too_few_cores(used, cores):
        said.append(too_few)
    if used.cores <= cores * _LITTLE and cores - math.ceil(used.cores) >= _WORTH_CORES:
        said.append(f"it kept {used.cores:.1g} of its {cores} cores busy on average")
    most = used.mem_mib
    if most is not None and most <= mem_mib * _LITTLE and mem_mib - most >= _WORTH_MIB:
        said.append(f"it used {most}M of the {mem_mib}M of memory that it asked for")
    return said


def too_few_cores(used: Used, cores: int) -> str:
    """Return that a job wanted more cores than it asked for, and kept these busy; "" if not."""
    if used.wanted is None or used.wanted_s < LONG_S or used.cores < cores * _ALL:
        return ""
    if used.wanted < cores + _WORTH_WANTED:
        return ""
    its = "1 core" if cores == 1 else f"{cores} cores"
    return f"{its}, wanted {used.wanted:.1f}: ask -c {math.ceil(round(used.wanted, 1))}"


def broken(used: Used, mem_mib: int) -> list[str]:
    """Return, a sentence each, which promise of its machine an attempt has broken.

    A default is no limit: its user is told before another job's use ends it.

    Args:
        used: what it used so far.
        mem_mib: how much memory it was promised; 0: that is not known.
    """
    most = used.mem_mib or 0
    if not mem_mib or most < mem_mib + _OVER_MIB:
        return []
    had, promised = rounded_mib(most), rounded_mib(mem_mib)
    more = f"more than the {promised} that it was promised"
    return [f"it used {had} of memory, {more}: ask for more by -m"]


def _percent(share: float) -> str:
    return "less than 1%" if share < 0.01 else f"{share:.0%}"
