"""Two machines of one name: somebody copied the settings, or cloned a machine with them."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from simulation.machine import Machine

_OFTEN = 0.2


def share_a_name(seed: int, machines: Sequence[Machine]) -> None:
    """In some seeds, give the last machine the first one's name in the queue.

    Its chance is its own, so that the other seeds stay as they were.
    """
    if Random(f"{seed}/twins").random() < _OFTEN:
        machines[-1].queue_name = machines[0].queue_name
