"""Users who share a machine for some time, simulated: the real rules, and a clock that is told.

Each worker looks every two seconds at a time of its own, sees the boards of the others as they are
then, and starts what fits. No two look at once: that is the turn's business.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mlq.jobs.placement import Fit, GpuOffer, Offer, place
from mlq.jobs.request import Request
from mlq_worker.guest.boards.board import BoardJob, Waits
from mlq_worker.guest.boards.courtesy import Courtesy
from mlq_worker.guest.boards.fairness import Holder, Usage
from mlq_worker.guest.boards.neighbours import Neighbour, share_of

CORES, GPU, VRAM_MIB = 8, "GPU-1", 11_000
EMPTY = Offer("m", CORES, 64_000, (GpuOffer(GPU, "g", VRAM_MIB, VRAM_MIB),), CORES, 64_000)
_POLL_S = 2.0


@dataclass
class User:
    """One of them, with a queue that never ends.

    Args:
        who: user number and queue.
        request: what each of its jobs asks for.
        lasts_s: draws how long a job runs.
        waits_from_s, waits_until_s: when it has jobs waiting.
        takes_turns: whether its worker starts anything; it says that a job waits all the same.
    """

    who: Holder
    request: Request
    lasts_s: Callable[[random.Random], float]
    waits_from_s: float = 0.0
    waits_until_s: float = float("inf")
    takes_turns: bool = True
    held: list[tuple[BoardJob, float, Request]] = field(default_factory=list)
    held_s: float = 0.0
    starts: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.usage, self.courtesy = Usage(), Courtesy(self.who)
        self.number = 0

    def board(self, at: float) -> Neighbour:
        """Return what the others see of it."""
        ask = self.request
        waits = None
        if self.waits_from_s <= at < self.waits_until_s:
            waits = Waits(f"{self.number}", ask.cores, ask.mem_mib, ask.gpus, ask.vram_mib)
        return Neighbour(*self.who, tuple(job for job, _, _ in self.held), waits)


def share(users: Sequence[User], lasts_s: float, seed: int = 0, patience_s: float = 1800) -> None:
    """Let the users share the machine for so long; then each knows what it has held."""
    rng = random.Random(seed)  # noqa: S311 - a simulation
    due = {user.who: rng.uniform(0, _POLL_S) for user in users}
    before = 0.0
    while (at := min(due.values())) < lasts_s:
        user = next(one for one in users if due[one.who] == at)
        due[user.who] = at + _POLL_S * rng.uniform(0.9, 1.1)
        for one in users:
            held = share_of([job for job, _, _ in one.held], CORES, {GPU: VRAM_MIB})
            one.held_s += held * (at - before)
            one.held = [item for item in one.held if item[1] > at]
        before = at
        _look(user, users, rng, at, patience_s)


def _look(
    user: User, users: Sequence[User], rng: random.Random, at: float, patience_s: float
) -> None:
    offer = EMPTY
    for one in users:
        for job, _, request in one.held:
            offer = offer.after(request, Fit(tuple(job.vram_mib)))
    boards = [one.board(at) for one in users if one is not user]
    shares = {
        (one.uid, one.queue): share_of(one.jobs, CORES, {GPU: VRAM_MIB})
        for one in (*boards, user.board(at))
    }
    user.usage.add(shares, at)
    kept = user.courtesy.keep_free(boards, user.usage, offer, patience_s, at)
    if not user.takes_turns or user.board(at).waits is None or kept.reserved is not None:
        return
    fit = place(user.request, kept.offer)
    if isinstance(fit, Fit):
        user.number += 1
        vram_mib = dict.fromkeys(fit.gpu_uuids, user.request.vram_mib)
        key = f"{user.who[0]}x{user.number}"
        job = BoardJob(key, user.request.cores, user.request.mem_mib, vram_mib, at)
        user.held.append((job, at + user.lasts_s(rng), user.request))
        user.starts.append(at)
