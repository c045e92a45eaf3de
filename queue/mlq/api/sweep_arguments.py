"""What `Queue.sweep` takes: the values of a sweep, how it is enqueued, what its jobs need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from mlq.api.sweeps import HowSwept
from mlq.errors import InvalidInputError
from mlq.settings.settings import Settings
from mlq.submit import python_arguments
from mlq.submit.in_lab import folder_there
from mlq.submit.programs import present_folder
from mlq.submit.submission import Options, Submission, argv_of
from mlq.sweeps import python_values
from mlq.sweeps.files import Files
from mlq.sweeps.planning import Wanted, plan

_OF_THE_QUEUE = ("again", "max_running", "max_fails")


class SweepArguments(Options, HowSwept, total=False):
    """The options of a sweep besides those of every job: see `Queue.sweep`."""

    grid: Mapping[str, Any]
    rows: Iterable[Mapping[str, Any]]
    seeds: int
    repeat: int
    zips: Sequence[Sequence[str]]
    sample: int
    sample_seed: int
    unused_ok: bool
    yes: bool


class Asked:
    """A sweep as Python code asks for it.

    Args:
        command: with `{lr}` in the place of a parameter.
        environ: the caller's variables.
        given: the other arguments.
        settings: of this installation.

    Raises:
        InvalidInputError: an argument cannot be used.
    """

    def __init__(
        self,
        command: Sequence[str],
        environ: Mapping[str, str],
        given: SweepArguments,
        settings: Settings,
    ) -> None:
        argv = argv_of(command)
        of_jobs = {name: given[name] for name in Options.__annotations__ if name in given}  # type: ignore[literal-required]
        self.how = cast(HowSwept, {name: given[name] for name in _OF_THE_QUEUE if name in given})  # type: ignore[literal-required]
        self.submission = Submission(**cast(Options, of_jobs), argv=argv)
        folder = str(Path(present_folder(environ)) / (self.submission.cwd or ""))
        there = folder_there(folder, settings, environ)
        self.plan = plan(self._wanted(argv, there, given), Files(folder, lambda _: b""))

    def _wanted(self, argv: tuple[str, ...], folder: str, given: SweepArguments) -> Wanted:
        zips = [
            python_arguments.texts("names that walk together", one, 'zips=[["lr", "wd"]]')
            for one in given.get("zips", ())
        ]
        return Wanted(
            argv,
            folder,
            env=python_arguments.mapping("env", self.submission.env),
            name=self.submission.name,
            params=python_values.grid(given.get("grid", {})),
            table=python_values.table(given.get("rows")),
            seeds=_whole("seeds", given.get("seeds")),
            repeat=_whole("repeat", given.get("repeat")),
            zips=zips,
            sample=_whole("sample", given.get("sample")),
            sample_seed=_whole("sample_seed", given.get("sample_seed")) or 0,
            unused_ok=given.get("unused_ok", False),
            yes=given.get("yes", False),
        )


def _whole(name: str, given: object) -> int | None:
    if given is None or (isinstance(given, int) and not isinstance(given, bool)):
        return given
    raise InvalidInputError(f"{name} must be a whole number, not {given!r}")
