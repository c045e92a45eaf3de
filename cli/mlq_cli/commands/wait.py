"""`mlq wait`: until jobs have ended."""

from __future__ import annotations

import argparse

from mlq_cli.parser import add_ids
from mlq_cli.session import open_queue
from mlq_cli.waiting import exit_code_of, say_bad_ends, wait_for

HELP = "wait until jobs have ended; the exit code is theirs"
EXAMPLES = """\
  mlq wait 1042 && python plot.py
  mlq wait 1040-1050 lr-sweep

The exit code is 0 if all jobs finished, else that of the first that did not
(1 if it has none)."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_ids(parser, "id, range (1040-1050) or name")


def run(args: argparse.Namespace) -> int:
    """Wait."""
    queue = open_queue(patient=True)
    jobs = wait_for(queue, queue.select(args.ids))
    say_bad_ends(jobs)
    return exit_code_of(jobs)
