"""Nothing is lost and nothing runs twice, whatever befalls a simulated laboratory.

`make simulate SEEDS=10000` runs more seeds, `make simulate SEED=7` tells the story of one.
"""

from __future__ import annotations

import errno
import os

import pytest
from redis_server import RedisServer

from simulation.campaign import run
from simulation.planted import BUGS, Bug
from simulation.supervision import SimLauncher, SupervisorHost
from simulation.world import simulate

SEEDS = 40
QUICKLY = 60
# What each of these seeds found is mended:
#   1577  a queue that forgot a claim gave its number out again, and the worker handed the second
#         one back for the first
#   97    a queue made anew took a job that a machine months behind had ended for one long forgotten
#   99    on a full results root attempts were written down nowhere, and their numbers given again
#   107   a job that no machine could run was made anew as one that waits
FAILED_ONCE = (97, 99, 107, 1577)


@pytest.mark.timeout(900)
def test_no_seed_violates_an_invariant(request: pytest.FixtureRequest) -> None:
    seed = request.config.getoption("--seed")
    seeds = range(SEEDS) if seed is None else range(seed, seed + 1)
    campaign = run(seeds, jobs=min(2, len(seeds)))
    assert campaign.seeds == len(seeds)
    assert not campaign.failed, campaign.report()


@pytest.mark.parametrize("seed", FAILED_ONCE)
def test_a_seed_that_failed_once(redis_server: RedisServer, seed: int) -> None:
    outcome = simulate(seed, redis_server)
    assert not outcome.violation, outcome.story


def test_a_machine_that_has_no_room_for_a_launcher_at_first(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    really, refused = SupervisorHost.launch, [0]

    def launch(supervisor: SupervisorHost) -> SimLauncher:
        refused[0] += 1
        if refused[0] % 3:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return really(supervisor)

    monkeypatch.setattr(SupervisorHost, "launch", launch)
    outcome = simulate(9, redis_server)
    assert refused[0] > 3
    assert not outcome.violation, outcome.story
    assert "no launcher can be started: Resource temporarily unavailable" in outcome.story


def test_a_seed_replays_exactly(redis_server: RedisServer) -> None:
    one, two = (simulate(9, redis_server) for _ in range(2))
    assert one.story == two.story
    assert len(one.story.splitlines()) > 20


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "bug", [pytest.param(bug, id=name) for name, bug in BUGS.items() if bug.within <= QUICKLY]
)
def test_a_planted_bug_is_found(redis_server: RedisServer, bug: Bug) -> None:
    seeds = (bug.at, *range(bug.within))
    outcomes = (simulate(seed, redis_server, bug.lay, bug.alter) for seed in seeds)
    assert any(outcome.violation for outcome in outcomes)
