"""`mlq release`: puts held jobs and sweeps back in the queue."""

from __future__ import annotations

import argparse
import time

from mlq.api.held import held_sweeps, sorted_out
from mlq.api.many import held_jobs, release
from mlq.errors import InvalidInputError
from mlq.jobs.lifecycle import HELD, State
from mlq.store.store import Store
from mlq.store.sweeps import release_sweeps
from mlq_cli.invocation.parser import add_ids
from mlq_cli.invocation.session import open_queue, print_lines, say, show_progress
from mlq_cli.render.words import listed_briefly

HELP = "release held jobs and sweeps: their user held them, or their command fails"
EXAMPLES = """\
  mlq release 1042
  mlq release lr
  mlq release 'lr-*'
  mlq release --all"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_ids(parser, "id, range (1040-1050), sweep, name or glob ('lr-*')", nargs="*")
    parser.add_argument("--all", action="store_true", help="all jobs and sweeps that are held")


def run(args: argparse.Namespace) -> int:
    """Release the jobs; return 0 if that changed anything."""
    if bool(args.ids) == args.all:
        raise InvalidInputError(
            "release: which jobs?",
            why="either ids or names are needed, or --all",
            fix="`mlq ls --state held` lists those that are held",
        )
    queue = open_queue()
    if args.all:
        sweeps, ids = held_sweeps(queue.store), held_jobs(queue.store)
    else:
        sweeps, words = sorted_out(queue.store, args.ids)
        ids = queue.select(words, eligible=[HELD]) if words else []
        # Members of a sweep may also be held one by one.
        ids += [one for number in sweeps for one in _held_members(queue.store, number)]
    freed = release_sweeps(queue.store, sweeps) if sweeps else []
    queued, others = release(queue.store, ids, time.time(), show_progress("release"))
    print_lines([f"released sweep {number}" for number in freed])
    if queued:
        print_lines([f"queued again: {listed_briefly(queued)}"])
    if others:
        have = "is" if len(others) == 1 else "are"
        say(f"nothing to release: {listed_briefly(others)} {have} not held")
    if not (freed or queued or others):
        what = f"sweep {listed_briefly(list(map(str, sweeps)))} is not" if sweeps else "nothing is"
        say(f"{what} held")
    return 0 if queued or freed else 1


def _held_members(store: Store, number: int) -> list[str]:
    rows = store.reads.rows(("status", "mlq_held"), store.reads.members(number))
    return [job_id for job_id, state, held in rows if held and state == State.DEFERRED]
