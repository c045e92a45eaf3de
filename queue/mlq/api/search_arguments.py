"""What `Queue.search` takes, and what it returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, cast

from mlq.errors import InvalidInputError, StorageError
from mlq.search.decide import MAX_RUNNING, Aim, Standing
from mlq.search.goal import goal_of
from mlq.search.history import Outcome
from mlq.search.order import Asked, Order
from mlq.search.pruning import PRUNERS
from mlq.search.suggested import Suggest, SuggestedSpace
from mlq.settings.settings import Settings
from mlq.submit import python_arguments
from mlq.submit.in_lab import folder_there, is_elsewhere
from mlq.submit.programs import present_folder
from mlq.submit.submission import Options, Submission, argv_of
from mlq.sweeps import naming


class SearchArguments(Options, total=False):
    """The options of a search besides those of every job.

    Args:
        trials: how many members it makes.
        minimize, maximize: the metric, one of them; `min:val_loss` takes the least value that a
            member reported, not its last.
        prune: "median" or "asha" stops members that are worse than others at the same step.
        max_running: how many members are unended at once (4).
        seed: another one draws other members (0).
        max_fails: if this many members end first and all of them fail, the search ends (5).
        unused_ok: the command need not use every parameter.
    """

    trials: int
    minimize: str
    maximize: str
    prune: str
    max_running: int
    seed: int
    max_fails: int
    unused_ok: bool


class Searched(NamedTuple):
    """A search that has ended.

    Args:
        number: of its sweep.
        name: of its sweep.
        outcomes: how many members finished, were pruned, and failed.
        id, value, params: of the best member; None and empty if none has a value.
    """

    number: int
    name: str
    outcomes: Mapping[Outcome, int]
    id: str | None = None
    value: float | None = None
    params: Mapping[str, str] = {}


class Request:
    """A search as Python code asks for it.

    Args:
        command: with `{lr}` in the place of a parameter.
        suggest: asks a trial for values.
        environ: the caller's variables.
        given: the other arguments.
        settings: of this installation.

    Raises:
        InvalidInputError: an argument cannot be used.
        StorageError: members are to be pruned, and their curves cannot be read from here.
    """

    def __init__(
        self,
        command: Sequence[str],
        suggest: Suggest,
        environ: Mapping[str, str],
        given: SearchArguments,
        settings: Settings,
    ) -> None:
        argv = argv_of(command)
        of_jobs = {name: given[name] for name in Options.__annotations__ if name in given}  # type: ignore[literal-required]
        self.submission = Submission(**cast(Options, of_jobs), argv=argv)
        self.space = SuggestedSpace(suggest)
        self.max_fails = given.get("max_fails")
        aim = Aim(
            goal_of(given.get("minimize"), given.get("maximize")),
            _whole("trials", given.get("trials")),
            _whole("max_running", given.get("max_running", MAX_RUNNING)),
            _pruner(given.get("prune") or "", settings),
        )
        folder = str(Path(present_folder(environ)) / (self.submission.cwd or ""))
        self.asked = Asked(
            self.submission.name or naming.name_of(argv),
            argv,
            folder_there(folder, settings, environ),
            python_arguments.mapping("env", self.submission.env),
            aim,
            _whole("seed", given.get("seed", 0)),
            given.get("unused_ok", False),
        )


def searched(order: Order, ended: Standing) -> Searched:
    """Return what a search that has ended found."""
    found = Searched(order.number, order.asked.name, ended.outcomes)
    if ended.best is None:
        return found
    job_id = f"{order.number}_{ended.best.number}"
    return found._replace(id=job_id, value=ended.best.value, params=ended.best.params)


def _pruner(name: str, settings: Settings) -> str:
    if name and name not in PRUNERS:
        raise InvalidInputError(
            f"--prune {name} is not known", why=f"those are {', '.join(PRUNERS)}"
        )
    if name and is_elsewhere(settings):
        raise StorageError(
            "members cannot be pruned from here",
            why=f"their curves are in {settings.root}, which is not mounted here",
            fix="run this on a machine of the lab, for example as a job: mlq enqueue -- python ...",
        )
    return name


def _whole(name: str, given: object) -> int:
    if isinstance(given, int) and not isinstance(given, bool):
        return given
    raise InvalidInputError(
        f"{name} must be a whole number, not {given!r}", fix=f"for example {name}=60"
    )
