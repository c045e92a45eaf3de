"""Chooses the memory of jobs that asked for `auto`, from what finished runs of the command used.

The choice is made once, when a job is enqueued, and is part of the signed text like any size that a
user typed. Without a finished run a job gets a whole GPU, and the default memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from mlq.jobs.needs import command_word
from mlq.jobs.past import GROW_AS_NEEDED, Estimate, Run, estimate, params_of, parse_runs
from mlq.jobs.placement import IDLE_GPU_SHARE, Offer
from mlq.jobs.request import Request
from mlq.jobs.spec import JobSpec
from mlq.machines.said import offer_of
from mlq.submit.submission import AUTO, Submission
from mlq.units import rounded_mib

if TYPE_CHECKING:
    from mlq.submit.batch import Checked

Machines = Mapping[str, tuple[float, Mapping[str, Any]]]
"""Machine -> how long ago it was heard, and its record."""

Past = Callable[[Sequence[str]], Mapping[str, Sequence[str]]]
"""Returns the lines that the queue keeps of each of these commands."""

_MEMORY, _OF_GPU = "memory", "GPU memory"


class Choice(NamedTuple):
    """What one job should ask for; None where no run tells, or it did not ask for `auto`."""

    mem: Estimate | None
    vram: Estimate | None


class Chooser:
    """Chooses for the jobs of one batch.

    Args:
        past: reads what finished runs used.
        machines: what each machine last said; their GPU models are those that count.
    """

    def __init__(self, past: Past, machines: Machines) -> None:
        self._past, self._machines = past, machines
        self._runs: dict[str, list[Run]] = {}
        self._offers: dict[tuple[str, str], list[Offer]] = {}
        self._chosen: dict[tuple[bool, bool, Request, str, str], Choice] = {}

    def choose(
        self, submission: Submission, like: JobSpec, argv: Sequence[str], params: Mapping[str, str]
    ) -> Choice:
        """Return the choice for one job.

        Args:
            submission: what its user asked for.
            like: a job that equals it except for its command.
            argv: its command.
            params: its parameters as a member of a sweep; empty for other jobs.
        """
        word = command_word(replace(like, argv=tuple(argv)))
        digest = params_of(like, argv, params)
        key = (submission.mem == AUTO, submission.vram == AUTO, like.request, word, digest)
        if key not in self._chosen:
            self._chosen[key] = self._estimates(submission, like, word, digest)
        return self._chosen[key]

    def _estimates(self, asked: Submission, like: JobSpec, word: str, digest: str) -> Choice:
        if word not in self._runs:
            self._runs[word] = parse_runs(self._past([word]).get(word, ()))
        runs, gpus = self._runs[word], like.request.gpus
        offers = self._allowed(like.request)
        names = {gpu.name for offer in offers for gpu in offer.gpus} or None
        models = names if gpus else {""}
        mem = estimate(runs, digest, models, of_gpu=False) if asked.mem == AUTO else None
        vram = estimate(runs, digest, models, of_gpu=True) if asked.vram == AUTO else None
        return Choice(mem and _within_machine(mem, offers), vram and _within_card(vram, offers))

    def _allowed(self, asked: Request) -> list[Offer]:
        """Return what the machines have that a job may run on, of GPUs those that it may have."""
        key = asked.machine, asked.gpu_type
        if key not in self._offers:
            self._offers[key] = [
                replace(offer, gpus=tuple(one for one in offer.gpus if asked.takes(one.name)))
                for machine, (_, record) in self._machines.items()
                if asked.allows(machine) and (offer := offer_of(record))
            ]
        return self._offers[key]


def _within_machine(found: Estimate, offers: Sequence[Offer]) -> Estimate:
    """Return an estimate that the largest machine can meet."""
    most = max((one.total_mem_mib for one in offers), default=0)
    return found._replace(mib=min(found.mib, most or found.mib))


def _within_card(found: Estimate, offers: Sequence[Offer]) -> Estimate:
    """Return an estimate of GPU memory; 0, a whole GPU, if no card has as much free."""
    sizes = [gpu.total_mib * IDLE_GPU_SHARE for one in offers for gpu in one.gpus]
    return found._replace(mib=0) if sizes and found.mib > max(sizes) else found


def applied(checked: Iterable[Checked], choices: Iterable[Choice]) -> list[Checked]:
    """Return checked submissions with what was chosen for each; alike ones share one job still."""
    made: dict[tuple[int, Choice], JobSpec] = {}
    done = []
    for (submission, like), choice in zip(checked, choices, strict=True):
        key = (id(like), choice)
        if key not in made:
            made[key] = _with(submission, like, choice)
        done.append((submission, made[key]))
    return done


def _with(submission: Submission, like: JobSpec, choice: Choice) -> JobSpec:
    request = like.request
    if choice.mem is not None:
        request = replace(request, mem_mib=choice.mem.mib)
    if choice.vram is not None:
        request = replace(request, vram_mib=choice.vram.mib)
    env = like.captured_env
    if submission.vram == AUTO and not request.vram_mib:
        # It has the GPU to itself. If it took all memory at once, nothing could be learned.
        env = {**{one: GROW_AS_NEEDED[one] for one in GROW_AS_NEEDED if one not in like.env}, **env}
    return replace(like, request=request, captured_env=env)


def texts(submissions: Sequence[Submission], choices: Sequence[Choice]) -> list[str]:
    """Return what was chosen for these jobs, and from how many runs, for people."""
    pairs = list(zip(submissions, choices, strict=True))
    of_mem = [choice.mem for asked, choice in pairs if asked.mem == AUTO]
    of_gpu = [choice.vram for asked, choice in pairs if asked.vram == AUTO]
    found = []
    if of_mem:
        found.append(_text(_MEMORY, of_mem, "the default, for no run of this command has finished"))
    if of_gpu:
        none = "a whole GPU, for no run of this command has finished on such a GPU"
        found.append(_text(_OF_GPU, of_gpu, none))
    return found


def _text(what: str, found: Sequence[Estimate | None], none: str) -> str:
    known = [one for one in found if one is not None]
    if not known:
        return f"{what}: {none}"
    sizes = sorted({one.mib for one in known}, key=lambda mib: mib or math.inf)
    ends = dict.fromkeys((sizes[0], sizes[-1]))
    size = " to ".join(rounded_mib(one) if one else "a whole GPU" for one in ends)
    alike = [one for one in known if one.same]
    if not alike or len(set(known)) == 1:
        runs = max(one.runs for one in known)
        how = "with the same parameters" if alike else "of this command"
        text = f"{what}: {size}, from {runs} finished {'run' if runs == 1 else 'runs'} {how}"
    else:
        text = (
            f"{what}: {size}, from finished runs of this command; for {len(alike)} of "
            f"{len(found)} jobs from runs with the same parameters"
        )
    return text if len(known) == len(found) else f"{text}; for {len(found) - len(known)} {none}"
