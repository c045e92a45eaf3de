"""`mlq wait`: until jobs have ended."""

from __future__ import annotations

import argparse

from mlq_cli.choosing import check_choice, chosen
from mlq_cli.parser import add_choice
from mlq_cli.session import open_queue
from mlq_cli.waiting import exit_code_of, say_bad_ends, wait_for

HELP = "wait until jobs have ended; the exit code is theirs"
EXAMPLES = """\
  mlq wait 1042 && python plot.py
  mlq wait 1040-1050 'lr-*'

The exit code is 0 if all jobs finished, else that of the first that did not
(1 if it has none)."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_choice(parser, "wait for")


def run(args: argparse.Namespace) -> int:
    """Wait."""
    check_choice(args, "wait")
    queue = open_queue(patient=True)
    jobs = wait_for(queue, chosen(queue, args))
    say_bad_ends(jobs)
    return exit_code_of(jobs)
