"""What finished runs of a command used, and how much the next one should ask for. Pure.

The queue keeps of each command (the last word of `mlq.jobs.needs`: program, script, folder and
environment) what its last finished runs used at most, a line each; so `--mem auto` and
`--vram auto` read one list, however many jobs have ended. Runs with the same parameters count
first. The seed is no such parameter: it decides what a run computes, not how much memory that
takes.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from mlq.jobs.needs import digest_of, parameters_of
from mlq.lenient import int_or

if TYPE_CHECKING:
    from mlq.jobs.spec import JobSpec

MARGIN, SHARE, FEW = 1.15, 0.95, 5
STEP_MIB = 64
"""A choice is rounded up to a multiple of this: runs that used nearly the same form one class."""
LONGEST_MODEL = 100

GROW_AS_NEEDED = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
"""Variables with which JAX and TensorFlow take GPU memory as they need it, not all at once."""

_SEED = re.compile(r"(?:.*[._/])?(?:seeds?|random_state|repeat)", re.IGNORECASE | re.ASCII)


class Run(NamedTuple):
    """A finished run.

    Args:
        params: the digest of its parameters (`params_of`).
        mem_mib: the most memory that its processes had together; 0 if unknown.
        vram_mib: the most memory that they had on one GPU; 0 if unknown or not to be learned from.
        gpu_model: the model of its GPUs; "" if it had none.
    """

    params: str
    mem_mib: int
    vram_mib: int
    gpu_model: str

    def as_text(self) -> str:
        """Return the line that the queue keeps."""
        model = " ".join(self.gpu_model.split())[:LONGEST_MODEL]
        return f"{self.params} {self.mem_mib} {self.vram_mib} {model}"


def parse_runs(lines: Iterable[str]) -> list[Run]:
    """Read the lines that the queue keeps; lines of any other form are left out."""
    found = []
    for line in lines:
        params, *rest = line.split(" ", 3)
        if len(rest) == 3:
            found.append(Run(params, max(0, int_or(rest[0])), max(0, int_or(rest[1])), rest[2]))
    return found


class Estimate(NamedTuple):
    """How much to ask for.

    Args:
        mib: so much memory.
        runs: from how many finished runs that follows.
        same: whether they had the same parameters but the seed.
    """

    mib: int
    runs: int
    same: bool


def estimate(
    runs: Iterable[Run], params: str, models: Collection[str] | None, *, of_gpu: bool
) -> Estimate | None:
    """Return how much memory a job should ask for; None if no run tells.

    Args:
        runs: of its command.
        params: the digest of its parameters.
        models: the GPU models that it may run on; {""} without a GPU, None for any.
        of_gpu: whether memory of a GPU is meant; for several models it is the most.
    """
    known = [
        one
        for one in runs
        if _peak(one, of_gpu=of_gpu) > 0 and (models is None or one.gpu_model in models)
    ]
    alike = [one for one in known if one.params == params]
    chosen = alike or known
    if not chosen:
        return None
    by_model: dict[str, list[int]] = {}
    for one in chosen:
        by_model.setdefault(one.gpu_model, []).append(_peak(one, of_gpu=of_gpu))
    most = max(map(_enough, by_model.values()))
    mib = math.ceil(most * MARGIN / STEP_MIB) * STEP_MIB
    return Estimate(mib, len(chosen), bool(alike))


def _peak(run: Run, *, of_gpu: bool) -> int:
    return run.vram_mib if of_gpu else run.mem_mib


def _enough(peaks: Sequence[int]) -> int:
    """Return the 95th percentile (nearest rank), the largest of fewer than five."""
    ordered = sorted(peaks)
    if len(ordered) < FEW:
        return ordered[-1]
    return ordered[math.ceil(SHARE * len(ordered)) - 1]


def params_of(spec: JobSpec, argv: Sequence[str], params: Mapping[str, str]) -> str:
    """Return the digest of a job's parameters but the seed.

    `--lr 0.1`, `--lr=0.1`, `lr=0.1` and a sweep's parameter `lr` are the same, in any order.

    Args:
        spec: a job that equals it except for what follows.
        argv: its command.
        params: its parameters as a member of a sweep; empty for other jobs.
    """
    call = spec.function
    if call is not None:
        named = {name: json.dumps(one, sort_keys=True) for name, one in call.kwargs.items()}
        words = [json.dumps(one, sort_keys=True) for one in call.args]
    else:
        named, words = _read(parameters_of(argv))
        values = set(params.values())
        words = [one for one in words if one not in values]
    named |= {_plain(name): value for name, value in params.items()}
    items = [f"{name}={value}" for name, value in named.items() if not _is_seed(name)]
    return digest_of((f"gpus={spec.request.gpus}", *sorted(items), "", *words))


def spec_params(spec: JobSpec) -> str:
    """Return the digest of the parameters of a job as it was signed."""
    return params_of(spec, spec.argv, {} if spec.member is None else spec.member.params)


def _read(words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Return the named parameters among the words of a command, and the other words."""
    named: dict[str, str] = {}
    others: list[str] = []
    name = ""
    for word in words:
        is_option = word[:1] == "-" and _is_option(word)
        left, assigned, value = word.partition("=") if "=" in word else (word, "", "")
        if name and (is_option or assigned):
            named[name], name = "", ""
        if name:
            named[name], name = word, ""
        elif assigned and (is_option or left[:1].isalpha() or left[:1] in ("+", "~")):
            named[_plain(left)] = value
        elif is_option:
            name = _plain(word)
        else:
            others.append(word)
    if name:
        named[name] = ""
    return named, others


def _is_option(word: str) -> bool:
    return len(word) > 1 and not (word[1].isdigit() or (word[1] == "." and word[2:3].isdigit()))


# The names of parameters are the same in thousands of jobs.
@lru_cache(maxsize=1024)
def _plain(name: str) -> str:
    return name.lstrip("-+").replace("-", "_")


@lru_cache(maxsize=1024)
def _is_seed(name: str) -> bool:
    return _SEED.fullmatch(name) is not None
