"""`mlq release`: held jobs, back into the queue."""

from __future__ import annotations

import argparse
import time

from mlq.api.many import held_jobs, release
from mlq.errors import InvalidInputError
from mlq.jobs.lifecycle import HELD
from mlq_cli.invocation.parser import add_ids
from mlq_cli.invocation.session import open_queue, print_lines, say, show_progress
from mlq_cli.render.words import listed

HELP = "let held jobs go: those whose command failed wherever it was tried"
EXAMPLES = """\
  mlq release 1042
  mlq release 'lr-*'
  mlq release --all"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_ids(parser, "id, range (1040-1050), name or glob ('lr-*')", nargs="*")
    parser.add_argument("--all", action="store_true", help="all jobs that are held")


def run(args: argparse.Namespace) -> int:
    """Let go; 0 if that changed anything."""
    if bool(args.ids) == args.all:
        raise InvalidInputError(
            "release: which jobs?",
            why="either ids or names are needed, or --all",
            fix="`mlq ls --state held` lists those that are held",
        )
    queue = open_queue()
    ids = held_jobs(queue.store) if args.all else queue.select(args.ids, eligible=[HELD])
    queued, others = release(queue.store, ids, time.time(), show_progress("release"))
    if queued:
        print_lines([f"queued again: {listed(queued)}"])
    if others:
        have = "is" if len(others) == 1 else "are"
        say(f"nothing to release: {listed(others)} {have} not held")
    elif not ids:
        say("no job is held")
    return 0 if queued else 1
