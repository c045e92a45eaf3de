"""Makes a plan of what a user asks for: dimensions, combinations, commands, keys.

Every error in a sweep is found here, before anything reaches the queue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mlq.errors import InvalidInputError
from mlq.sweeps import array, combining, in_command, naming, values
from mlq.sweeps.combining import Dimension, Drawn, Row
from mlq.sweeps.commands import Command, CommandLines, check_use
from mlq.sweeps.decimals import LARGEST
from mlq.sweeps.distributions import Distribution
from mlq.sweeps.files import Files
from mlq.sweeps.identity import Identity
from mlq.sweeps.names import check_names
from mlq.sweeps.plan import PlannedMember, SweepPlan
from mlq.sweeps.rows import Table
from mlq.sweeps.template import read

WITHOUT_YES = 10_000
"""A sweep of more members needs `--yes`."""


class Wanted(NamedTuple):
    """A sweep as its user asks for it.

    Args:
        command: as typed, `{lr}` in the place of a parameter; for a shell, `/bin/sh -c TEXT`. None
            at all if the table has a column `command`: one line for the shell in each row.
        folder: the folder that the jobs run in, as the machines of the lab know it.
        env: the variables that their user sets for them.
        name: of the sweep; "" takes the script's.
        params: name and values, in the notation of `mlq.sweeps.values`, or as a list.
        seeds: makes a parameter `seed` from 0 to below this.
        table: rows that each are a combination.
        array: as Slurm writes it; makes a parameter `array`.
        repeat: makes a parameter `repeat` from 0 to below this.
        zips: groups of parameters whose values are combined one by one.
        in_command: whether the command holds parameters of its own (`mlq.sweeps.in_command`).
        sample: draw so many members; None takes all combinations.
        sample_seed: the seed of the random draw.
        unused_ok: whether the command need not use all parameters.
        yes: whether there may be more than WITHOUT_YES members.
    """

    command: tuple[str, ...]
    folder: str
    env: Mapping[str, str] = {}
    name: str = ""
    params: Sequence[tuple[str, str | Sequence[str]]] = ()
    seeds: int | None = None
    table: Table | None = None
    array: str | None = None
    repeat: int | None = None
    zips: Sequence[Sequence[str]] = ()
    in_command: bool = False
    sample: int | None = None
    sample_seed: int = 0
    unused_ok: bool = False
    yes: bool = False


def plan(wanted: Wanted, files: Files) -> SweepPlan:
    """Return the sweep that a user asks for.

    Args:
        wanted: what was typed.
        files: reads the files that it names.

    Raises:
        InvalidInputError: something cannot be used; the message says what and why. Nothing is left
            half done.
    """
    command, params = wanted.command, list(wanted.params)
    if wanted.in_command:
        others = (wanted.table, wanted.array, wanted.seeds)
        more = bool(params) or any(one is not None for one in others)
        found = in_command.extract(command, braces=more)
        command = found.command
        params += found.params
    dimensions, drawn = _dimensions(wanted, params, files)
    repeats = [] if wanted.repeat is None else [_counted("repeat", wanted.repeat)]
    names = combining.names([*dimensions, *repeats], drawn)
    check_names(names)
    dimensions = combining.zipped(dimensions, wanted.zips)
    names = combining.names([*dimensions, *repeats], drawn)
    template = _template(command, names, wanted)
    if not wanted.unused_ok:
        check_use(template, names)
    members = _members(wanted, dimensions, drawn, repeats)
    return _filled(wanted, template, names, members)


def _dimensions(
    wanted: Wanted, params: Sequence[tuple[str, str | Sequence[str]]], files: Files
) -> tuple[list[Dimension], list[Drawn]]:
    dimensions: list[Dimension] = []
    drawn: list[Drawn] = []
    if wanted.table is not None:
        dimensions.append(Dimension(*wanted.table))
    for name, typed in params:
        found = values.parse(name, typed, files) if isinstance(typed, str) else tuple(typed)
        if isinstance(found, Distribution):
            drawn.append(Drawn(name, found))
        elif not found:
            raise InvalidInputError(f"{name} has no values", why="so the sweep has no members")
        else:
            dimensions.append(Dimension((name,), tuple([(value,) for value in found])))
    if wanted.seeds is not None:
        dimensions.append(_counted("seed", wanted.seeds))
    if wanted.array is not None:
        numbers = array.parse(wanted.array).numbers
        dimensions.append(Dimension(("array",), tuple((one,) for one in numbers)))
    if drawn and wanted.sample is None:
        raise InvalidInputError(
            f"{drawn[0].name} is drawn from {drawn[0].source.kind}(...), and how often is not said",
            fix="add --sample 20, or name the values",
        )
    return dimensions, drawn


def _counted(name: str, count: int) -> Dimension:
    option = f"--{name if name == 'repeat' else 'seeds'}"
    if not 0 < count <= LARGEST:
        raise InvalidInputError(
            f"{option} {count} cannot be used", why=f"from 1 to {LARGEST:,} are possible"
        )
    return Dimension((name,), tuple((str(one),) for one in range(count)))


def _template(command: tuple[str, ...], names: Sequence[str], wanted: Wanted) -> Command:
    if command:
        return read(command, names)
    if wanted.table is None or "command" not in wanted.table.names:
        raise InvalidInputError("no command to run", fix="mlq enqueue --seeds 3 -- python train.py")
    at = wanted.table.names.index("command")
    return CommandLines([row[at] for row in wanted.table.rows], names)


def _members(
    wanted: Wanted,
    dimensions: Sequence[Dimension],
    drawn: Sequence[Drawn],
    repeats: Sequence[Dimension],
) -> list[Row]:
    """Return the values of all members, not merged yet."""
    size = combining.count(dimensions) if wanted.sample is None else wanted.sample
    if size < 1:
        raise InvalidInputError(f"--sample {size} cannot be used", why="at least 1 is needed")
    _check_size(size * combining.count(repeats), wanted)
    if wanted.sample is None:
        return list(combining.combinations([*dimensions, *repeats]))
    found = combining.sample(dimensions, drawn, wanted.sample, wanted.sample_seed)
    if not repeats:
        return found
    # `names` has the drawn parameters last.
    fixed = len(combining.names(dimensions))
    return [row[:fixed] + one + row[fixed:] for row in found for one in repeats[0].rows]


def _check_size(size: int, wanted: Wanted) -> None:
    if size > LARGEST:
        raise InvalidInputError(
            f"the sweep would have {size:,} members",
            why=f"at most {LARGEST:,} are possible",
            fix="draw some of them: --sample 1000",
        )
    if size > WITHOUT_YES and not wanted.yes:
        raise InvalidInputError(
            f"the sweep would have {size:,} members",
            why=f"more than {WITHOUT_YES:,} may be a slip",
            fix="look at it with --dry-run, draw some with --sample 1000, or take all with --yes",
        )


def _filled(
    wanted: Wanted,
    template: Command,
    names: Sequence[str],
    members: Sequence[Row],
) -> SweepPlan:
    for value in {value for row in members for value in row}:
        if "\0" in value:
            raise InvalidInputError(
                f"the value {value!r} cannot be used",
                why="no process can be given a NUL character",
                fix="take it out; if a file holds it, save that as UTF-8 text",
            )
    keys = Identity(wanted.folder, template.typed, wanted.env).keys(names, members)
    made: dict[str, PlannedMember] = {}
    is_array = wanted.array is not None and len(names) == 1
    for key, row in zip(keys, members, strict=True):
        if key not in made:
            params = dict(zip(names, row, strict=True))
            task = int(row[0]) if is_array else None
            made[key] = PlannedMember(params, template.filled(params), key, task=task)
    kept = tuple(made.values())
    varying = tuple(
        name for name in names if any(m.params[name] != kept[0].params[name] for m in kept)
    )
    return SweepPlan(wanted.name or naming.name_of(wanted.command), kept, varying)
