"""Which jobs a command is about, as typed: ids, ranges, names, globs and --state."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence

from mlq.api.queue import Queue
from mlq.errors import InvalidInputError
from mlq_cli.render.words import count, listed_briefly


def check_choice(args: argparse.Namespace, command: str, eligible: Collection[str] = ()) -> None:
    """Check what the user typed before the command asks the queue.

    Args:
        args: with `ids` and `state` (`mlq_cli.invocation.parser.add_choice`).
        command: its name.
        eligible: the states of jobs that the command acts on; empty: any state.

    Raises:
        InvalidInputError: the user typed no jobs, or a state on which the command does not act.
    """
    states = args.state or ()
    if not args.ids and not states:
        raise InvalidInputError(
            f"{command}: which jobs",
            why="either ids or names are needed, or --state",
            fix=f"see: mlq {command} --help",
        )
    if eligible and (useless := [one for one in states if one not in eligible]):
        raise InvalidInputError(
            f"{command}: --state {','.join(useless)} does not apply",
            why=f"it is for jobs that are {', '.join(sorted(eligible))}",
        )


def chosen(queue: Queue, args: argparse.Namespace, eligible: Collection[str] = ()) -> list[str]:
    """Return the ids of the jobs that the user typed; raise JobNotFoundError if there are none."""
    return queue.select(args.ids, args.state or (), eligible)


def told(args: argparse.Namespace, ids: Sequence[str]) -> str:
    """Return the jobs in words, and their number if the user did not type them one by one."""
    from mlq.jobs.globs import is_glob

    which = listed_briefly(ids)
    if args.state or any(map(is_glob, args.ids)):
        return f"{count(len(ids), 'job')}: {which}"
    return which
