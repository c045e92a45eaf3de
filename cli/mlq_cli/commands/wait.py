"""`mlq wait`: waits until jobs have ended."""

from __future__ import annotations

import argparse
from math import inf

from mlq.jobs.lifecycle import ENDED
from mlq.units import parse_duration
from mlq_cli.choosing import check_choice, chosen
from mlq_cli.invocation.parser import add_choice
from mlq_cli.invocation.session import open_queue, say
from mlq_cli.render.words import listed
from mlq_cli.waiting import exit_code_of, say_bad_ends, wait_for

HELP = "wait until jobs have ended; the exit code is theirs"
EXAMPLES = """\
  mlq wait 1042 && python plot.py
  mlq wait 1040-1050 'lr-*'
  mlq wait --timeout 30m 1042

The exit code is 0 if all jobs finished, else that of the first that did not
(1 if it has none), and 124 if they had not ended after --timeout."""

_TIMED_OUT = 124  # as of timeout(1)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_choice(parser, "wait for")
    parser.add_argument(
        "--timeout", metavar="DURATION", help="give up after 90s, 30m or 2h; the jobs go on"
    )


def run(args: argparse.Namespace) -> int:
    """Wait for the jobs; return the exit code of the first that did not finish, else 0."""
    check_choice(args, "wait")
    timeout_s = inf if args.timeout is None else parse_duration(args.timeout)
    queue = open_queue(patient=True)
    jobs = wait_for(queue, chosen(queue, args), timeout_s)
    if left := [job.id for job in jobs if job.state not in ENDED]:
        have = "has" if len(left) == 1 else "have"
        say(f"after {args.timeout} {listed(left)} {have} not ended")
        return _TIMED_OUT
    say_bad_ends(jobs)
    return exit_code_of(jobs)
