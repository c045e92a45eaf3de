"""`mlq hold`: keeps waiting jobs and sweeps from starting until the user releases them."""

from __future__ import annotations

import argparse
import time

from mlq.api.held import hold, sorted_out
from mlq.errors import InvalidInputError
from mlq.jobs.lifecycle import BY_HAND, WAITING
from mlq_cli.invocation.parser import add_ids, check_text
from mlq_cli.invocation.session import open_queue, print_lines, say, show_progress
from mlq_cli.render.words import listed_briefly

HELP = "hold jobs and sweeps that wait; what runs goes on (back again: mlq release)"
EXAMPLES = """\
  mlq hold 1042
  mlq hold lr --reason 'until the new data are there'
  mlq hold 'lr-*'"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_ids(parser, "id, range (1040-1050), sweep, name or glob ('lr-*')")
    parser.add_argument("--reason", metavar="TEXT", help="shown as the reason why they wait")


def run(args: argparse.Namespace) -> int:
    """Hold the jobs; return 0 if that changed anything."""
    reason = BY_HAND if args.reason is None else args.reason
    check_text(reason)
    if not reason.strip():
        raise InvalidInputError("--reason is empty", fix="leave it out, or say why")
    queue = open_queue()
    sweeps, words = sorted_out(queue.store, args.ids)
    ids = queue.select(words, eligible=[*WAITING]) if words else []
    done = hold(queue.store, ids, sweeps, reason, time.time(), show_progress("hold"))
    print_lines([f"held sweep {number}: none of it starts" for number in done.sweeps])
    if done.jobs:
        print_lines([f"held: {listed_briefly(done.jobs)}"])
    if done.others:
        say(f"nothing to hold: {listed_briefly(done.others)} held already, or not waiting")
    if done.other_sweeps:
        say(f"sweep {listed_briefly(list(map(str, done.other_sweeps)))} is held already")
    return 0 if done.jobs or done.sweeps else 1
