"""A search as it is driven: everything that its driver needs, as JSON if that is a job.

The driver may run on another machine, long after the user typed the command. So the order holds
the members' job as it was checked then, with its code and its variables; only a member's
parameters, its id and its time are put in later.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from mlq.lenient import dict_or_empty
from mlq.search.decide import Aim
from mlq.search.goal import Goal


class Asked(NamedTuple):
    """A search as its user asks for it.

    Args:
        name: of the sweep.
        command: as typed, `{lr}` in the place of a parameter.
        folder: the folder that the jobs run in, as the machines of the lab know it.
        env: the variables that their user sets for them.
        aim: what the search is to do.
        seed: another one draws other members.
        unused_ok: whether the command need not use all parameters.
        space: what each parameter may be, as a person types it; none if a function says it.
    """

    name: str
    command: tuple[str, ...]
    folder: str
    env: Mapping[str, str]
    aim: Aim
    seed: int = 0
    unused_ok: bool = False
    space: Mapping[str, str] = {}

    @property
    def note(self) -> str:
        """What is kept with the sweep, for people (`mlq.search.note`): JSON."""
        aim = self.aim
        said = {"of": aim.trials, "goal": aim.goal.text, "prune": aim.pruner}
        return json.dumps({**said, "space": dict(self.space)})


class Order(NamedTuple):
    """A search that has begun.

    Args:
        number: of its sweep.
        asked: what its user asked for.
        spec: the text of a job like all its members, whose command has places for parameters.
    """

    number: int
    asked: Asked
    spec: str

    def as_json(self) -> dict[str, Any]:
        """Return the order as JSON holds it."""
        asked = self.asked._asdict()
        aim = self.asked.aim
        asked["aim"] = [list(aim.goal), aim.trials, aim.max_running, aim.pruner]
        asked |= {"command": list(self.asked.command), "env": dict(self.asked.env)}
        return {"number": self.number, "asked": asked, "spec": self.spec}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Order:
        """Return the order that `as_json` wrote."""
        asked = dict(raw["asked"])
        goal, trials, max_running, pruner = asked["aim"]
        asked["aim"] = Aim(Goal(*goal), trials, max_running, pruner)
        asked["command"] = tuple(asked["command"])
        return cls(int(raw["number"]), Asked(**asked), raw["spec"])


def code_of(job: Mapping[str, Any]) -> Any:
    """Return what the members of a search have as their code, if this job drives one; else None.

    Args:
        job: the fields of its signed text.
    """
    call = job.get("function")
    kwargs = call.get("kwargs") if isinstance(call, dict) else None
    order = kwargs.get("order") if isinstance(kwargs, dict) else None
    text = order.get("spec") if isinstance(order, dict) else None
    return dict_or_empty(text).get("code") if isinstance(text, str) else None
