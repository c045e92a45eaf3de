"""Random faults for a while, with a stream of jobs: none is lost, and none runs twice at once.

`make lab SOAK_S=600 SEED=7` soaks for longer, and under other faults.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from campus import OFFER, Campus, new_campus
from figures import NewScenario
from saying import Say
from soak import OF_A_MACHINE, OF_THE_QUEUES_HOST, RETRIES, Soak, draw

MACHINES = ("lab01", "lab02", "lab03")


@pytest.fixture
def campus(request: pytest.FixtureRequest) -> Iterator[Campus]:
    """A lab of three machines whose workers cron brings back after a reboot."""
    with new_campus(len(MACHINES)) as campus:
        for machine in campus.machines.values():
            campus.ok("worker", "install", *OFFER, on=machine)
        campus.start_workers()
        yield campus
        print(campus.story())


def test_a_seed_tells_the_faults() -> None:
    drawn = draw(7, 1e4, MACHINES)
    assert drawn == draw(7, 1e4, MACHINES)
    assert drawn != draw(8, 1e4, MACHINES)
    kinds = {fault.kind for faults in drawn.values() for fault in faults}
    assert kinds == OF_A_MACHINE.keys() | OF_THE_QUEUES_HOST.keys()
    for faults in drawn.values():
        assert all(one.end_s < other.begin_s for one, other in pairwise(faults))


@pytest.mark.timeout(0)  # as long as one likes; each wait in it has a deadline of its own
def test_a_soak(
    campus: Campus, scenario: NewScenario, request: pytest.FixtureRequest, say: Say
) -> None:
    length_s = request.config.getoption("--soak-s")
    seed = request.config.getoption("--seed") or 0
    soaked = scenario(f"soak of {length_s:g} s, seed {seed}")
    soak = Soak(soaked, seed, length_s, say)
    soaked.enqueue(6, 8, *RETRIES)
    soak.run()
    soaked.until_finished(300)
    faults, rescued = soak.counts.total(), soaked.end().attempts - len(soaked.jobs)
    soaked.note(f"{faults} faults, {rescued} attempts more than jobs")
    if length_s >= 300:
        assert len(soak.counts) > 8
        assert rescued > 10
