"""`mlq enqueue --search`: drives a search until it has ended, or lets a job drive it."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlq.api.queue import Queue
from mlq.api.search_look import CURVE_BYTES, ReadFile
from mlq.search.decide import MAX_RUNNING, Aim, Standing, progress_line
from mlq.search.goal import goal_of
from mlq.search.history import Outcome
from mlq.search.listed import ListedSpace
from mlq.search.order import Asked, Order
from mlq.settings.load import load
from mlq.submit.in_lab import folder_there, is_elsewhere
from mlq.submit.programs import present_folder
from mlq.sweeps import in_command, naming
from mlq.sweeps.files import Files
from mlq_cli.invocation.session import open_queue, print_json, print_lines, say
from mlq_cli.remote.far_reader import Log
from mlq_cli.render.clean import clean
from mlq_cli.root_files import give_root, root_files
from mlq_cli.sweeping import param
from mlq_cli.waiting import live_line

if TYPE_CHECKING:
    from mlq.submit.submission import Submission

Finish = Callable[[Queue, Sequence[str]], int]


def search(submission: Submission, args: argparse.Namespace, finish: Finish) -> int:
    """Search, or enqueue a job that does; return the exit code.

    Args:
        submission: what the members have in common.
        args: the options.
        finish: reports on the job that drives the search.

    Raises:
        InvalidInputError: an option or a value cannot be used; nothing was enqueued.
        SearchError: the members do not report the objective, or they all fail.
    """
    asked, space = _asked(submission, args)
    if args.dry_run:
        print_lines(_shown(asked))
        return 0
    if not args.detach:
        from mlq.search.study import check_optuna

        check_optuna()
    queue = open_queue(patient=not args.detach)
    give_root(queue)
    order = queue.begin_search(asked, submission, args.max_fails, typed=True)
    if args.detach:
        return _detached(queue, order, space, args, finish)
    return _driven(queue, order, space, args)


def _asked(submission: Submission, args: argparse.Namespace) -> tuple[Asked, ListedSpace]:
    command, params = submission.argv, [param(one) for one in args.param]
    if args.sweep:
        found = in_command.extract(command, braces=bool(params))
        command, params = found.command, [*params, *found.params]
    folder = submission.cwd or present_folder(os.environ)
    space = ListedSpace.typed(params, Files(folder, sys.stdin.buffer.read))
    asked = Asked(
        name=args.name or naming.name_of(command),
        command=command,
        folder=folder_there(folder, load(os.environ).settings, os.environ),
        env=submission.env,
        aim=Aim(
            goal_of(args.minimize, args.maximize),
            args.search,
            MAX_RUNNING if args.max_running is None else args.max_running,
            args.prune or "",
        ),
        seed=args.sample_seed or 0,
        unused_ok=args.unused_ok,
        space=space.text,
    )
    return asked, space


def _shown(asked: Asked) -> list[str]:
    aim = asked.aim
    what = f"{aim.trials} members, {aim.max_running} at once, to {aim.goal.text}"
    prune = f"; pruned by {aim.pruner}" if aim.pruner else ""
    return [
        f"search {asked.name}: {what}{prune}",
        *(f"  {name}={text}" for name, text in asked.space.items()),
    ]


def _detached(
    queue: Queue, order: Order, space: ListedSpace, args: argparse.Namespace, finish: Finish
) -> int:
    from mlq.api.search_job import job_of

    (job,) = queue.submit([job_of(order, space, machine=args.machine, priority=args.priority)])
    if not args.json:
        print_lines(
            [
                f"search {order.number} {order.asked.name}: job {job.id} drives it",
                f"  how far it is: mlq ls {order.number}; stop it: mlq cancel {job.id}",
            ]
        )
        sys.stdout.flush()
    return finish(queue, [job.id])


def _driven(queue: Queue, order: Order, space: ListedSpace, args: argparse.Namespace) -> int:
    """Drive a search from here; return 0 if a member has a value."""
    number, asked, _ = order
    show, clear = _display(order)
    try:
        ended = queue.driver(order, space, show, reader_of(queue)).run()
    except KeyboardInterrupt:
        clear()
        cancel = f"mlq cancel {shlex.quote(str(number))}"
        say(f"the members of search {number} that run go on ({cancel} stops them)")
        say("the same command again goes on with the search; with --detach a job does")
        raise
    finally:
        clear()
    if args.json:
        ids = queue.select([str(number)]) if ended.there else []
        print_json(one.as_json() for one in queue.views(ids))
    else:
        print_lines([progress_line(number, asked.name, ended, asked.aim.goal)])
    return 0 if ended.best is not None else 1


def _display(order: Order) -> tuple[Callable[[Standing], None], Callable[[], None]]:
    """Return what shows how far a search is, and what clears that.

    On a terminal that is one line, which changes; elsewhere a line for each end of a member.
    """
    number, asked, _ = order
    live, clear = live_line()
    told: list[object] = [None]

    def show(now: Standing) -> None:
        line = clean(progress_line(number, asked.name, now, asked.aim.goal))
        if sys.stderr.isatty():
            live(line)
            return
        ended = {one: count for one, count in now.outcomes.items() if one is not Outcome.RUNNING}
        if (ended, now.held) != told[0]:
            told[0] = ended, now.held
            say(line)

    return show, clear


def reader_of(queue: Queue) -> ReadFile | None:
    """Return what reads the results root through the queue's host; None if it is mounted here."""
    if not is_elsewhere(queue.settings):
        return None
    files = root_files(queue.settings)

    def read(path: str) -> bytes | None:
        found = files.open_log(Path(path), 0)
        if not isinstance(found, Log):
            return None
        data = b"".join(found.pieces)
        return data[-CURVE_BYTES:]

    return read
