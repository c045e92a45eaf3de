"""Plans the sweep that the user typed, shows it (`--dry-run`) or enqueues it."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple

from mlq.api.queue import Queue
from mlq.errors import InvalidInputError, QueueUnreachableError
from mlq.files.paths import SecretMissingError
from mlq.jobs.spec import command_line
from mlq.settings.load import load
from mlq.submit.in_lab import folder_there
from mlq.submit.programs import present_folder
from mlq.sweeps import array, commands, rows
from mlq.sweeps.files import Files
from mlq.sweeps.plan import SweepPlan
from mlq.sweeps.planning import Wanted, plan
from mlq.sweeps.rows import Table
from mlq.sweeps.table import as_csv
from mlq_cli.invocation.session import open_queue, print_json, print_lines, say, show_progress
from mlq_cli.render.clean import clean
from mlq_cli.render.words import count
from mlq_cli.root_files import give_root

if TYPE_CHECKING:
    from mlq.api.sweeps import HowSwept
    from mlq.submit.submission import Submission

Finish = Callable[[Queue, Sequence[str]], int]

_FIRST = 3


class Typed(NamedTuple):
    """A sweep as the user typed it: its plan, and its options in the queue."""

    plan: SweepPlan
    how: HowSwept


def read_sweep(
    args: argparse.Namespace, command: tuple[str, ...], folder: str, env: Mapping[str, str]
) -> Typed:
    """Plan the sweep that the user typed; enqueue nothing.

    Args:
        args: the options.
        command: without its sweep options; none with `--commands`.
        folder: the folder that the jobs run in.
        env: the variables set for them.

    Raises:
        InvalidInputError: an option or a value cannot be used.
    """
    _check_together(args, command)
    here = Files(present_folder(os.environ), _stdin)
    table = _table(args, here)
    wanted = Wanted(
        command=command,
        folder=folder_there(folder, load(os.environ).settings, os.environ),
        env=env,
        name=args.name or _stem(args, command),
        params=[param(one) for one in args.param],
        seeds=args.seeds,
        table=table,
        array=args.array,
        repeat=args.repeat,
        zips=[one.split(",") for one in args.zip],
        in_command=args.sweep,
        sample=args.sample,
        sample_seed=args.sample_seed or 0,
        unused_ok=args.unused_ok,
        yes=args.yes or args.dry_run,
    )
    return Typed(plan(wanted, here._replace(folder=folder)), _how(args))


def enqueue_sweep(
    typed: Typed, submission: Submission, args: argparse.Namespace, finish: Finish
) -> int:
    """Enqueue a sweep, or show it; return the exit code.

    Args:
        typed: the sweep.
        submission: what its members have in common.
        args: the options.
        finish: warns about the new jobs, and waits for them.
    """
    if args.dry_run:
        _show(typed, submission, args)
        return 0
    queue = open_queue(patient=args.wait)
    give_root(queue)
    queue.progress = show_progress("enqueued")
    try:
        report = queue.submit_sweep(typed.plan, submission, typed=True, **typed.how)
    except KeyboardInterrupt:
        again = f"enqueue it again for the rest, or: mlq cancel {shlex.quote(typed.plan.name)}"
        say(clean(f"what was enqueued of {typed.plan.name} until now is in the queue; {again}"))
        raise
    if args.json:
        for line in report.lines():
            say(line.strip())
    else:
        print_lines(report.lines())
        sys.stdout.flush()
    # --wait waits for the whole sweep, not only for its new jobs.
    ids = queue.select([str(report.number)]) if args.wait else report.ids
    if ids:
        return finish(queue, ids)
    if args.json:
        print_json([])
    return 0


def _show(typed: Typed, submission: Submission, args: argparse.Namespace) -> None:
    """Print what `--dry-run` shows of a sweep: as JSON, as CSV, or in short."""
    made = typed.plan
    if args.json:
        print_json(
            {"params": dict(one.params), "command": command_line(one.argv)} for one in made.members
        )
        return
    if args.csv:
        _print_table(as_csv(made))
        return
    words = [command_line(one.argv).replace("\n", " ") for one in made.members]
    shown = [f"  {one}" for one in words[:_FIRST]]
    more = len(words) - _FIRST - 1
    if more > 0:
        shown.append(f"  ... {more:,} more")
    print_lines([*_counts(typed, submission), *shown, *(f"  {one}" for one in words[_FIRST:][-1:])])


def _counts(typed: Typed, submission: Submission) -> list[str]:
    """Return how many members there are, and how many of each state if the queue answers."""
    try:
        queue = open_queue()
        return queue.look_at_sweep(typed.plan, submission, typed=True, **typed.how).lines()
    except (QueueUnreachableError, SecretMissingError) as error:
        say(f"{error.what}; how the members stand is not known")
        return [f"sweep {typed.plan.name}: {count(len(typed.plan.members), 'member')}"]


def _print_table(text: str) -> None:
    if sys.stdout.isatty():
        print_lines(text.splitlines())
    else:
        sys.stdout.write(text)  # unchanged, so that `--from` reads the same table


def _check_together(args: argparse.Namespace, command: tuple[str, ...]) -> None:
    if args.csv and not args.dry_run:
        raise InvalidInputError("--csv needs --dry-run", fix="add --dry-run")
    if args.commands is not None and (command or args.table):
        other = "--from" if args.table else "--shell" if args.shell is not None else "COMMAND"
        raise InvalidInputError(
            f"--commands and {other} cannot both be given",
            why="each line of the file is a command",
        )
    if args.sweep and (args.shell is not None or args.commands is not None):
        raise InvalidInputError(
            "--sweep reads a COMMAND",
            why="the text of a shell is no list of arguments",
            fix="name the parameters with --param, and write {lr} in the text",
        )


def param(typed: str) -> tuple[str, str]:
    """Return name and values of what was typed for `--param`; raise InvalidInputError."""
    name, assigned, values = typed.partition("=")
    if not assigned:
        raise InvalidInputError(
            f"--param {typed} names no values", fix=f"--param {typed or 'lr'}=1e-3,1e-4"
        )
    return name.strip(), values


def _table(args: argparse.Namespace, files: Files) -> Table | None:
    if args.commands is not None:
        return commands.table_of(args.commands, files.lines(args.commands))
    return None if args.table is None else rows.parse(args.table, files.text(args.table))


def _stem(args: argparse.Namespace, command: tuple[str, ...]) -> str:
    """Return the name of a sweep of many commands; one command's sweep is named by its script."""
    return "" if command else PurePath(args.commands or args.table or "").stem.strip("-")


def _how(args: argparse.Namespace) -> HowSwept:
    at_once = array.parse(args.array).max_running if args.array is not None else None
    if at_once is not None and args.max_running not in (None, at_once):
        raise InvalidInputError(
            f"--max-running {args.max_running} and --array ...%{at_once} cannot both be given",
            fix="leave out one of them",
        )
    limit = args.max_running if at_once is None else at_once
    return {"again": args.again or "", "max_running": limit, "max_fails": args.max_fails}


def _stdin(size: int) -> bytes:
    return sys.stdin.buffer.read(size)
