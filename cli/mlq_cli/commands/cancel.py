"""`mlq cancel`: cancels jobs that the user no longer wants."""

from __future__ import annotations

import argparse

from mlq.jobs.lifecycle import HELD, WAITING, State
from mlq_cli.choosing import check_choice, chosen, told
from mlq_cli.invocation.parser import add_choice
from mlq_cli.invocation.session import open_queue, print_lines, say, show_progress
from mlq_cli.render.words import listed_briefly

HELP = "cancel jobs; those that run are stopped"
EXAMPLES = """\
  mlq cancel 1042
  mlq cancel 1040-1050 'lr-*'
  mlq cancel --state queued,held"""

_UNENDED = (*WAITING, State.STARTED, HELD)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_choice(parser, "cancel")


def run(args: argparse.Namespace) -> int:
    """Cancel the jobs; return 0 if that changed anything."""
    check_choice(args, "cancel", _UNENDED)
    queue = open_queue()
    queue.progress = show_progress("cancel")
    ids = chosen(queue, args, _UNENDED)
    canceled, stopping = queue.cancel(ids)
    if canceled:
        print_lines([f"canceled {told(args, canceled)}"])
    if stopping:
        print_lines([f"stopping {told(args, stopping)} (see: mlq wait {' '.join(stopping[:3])})"])
    done = {*canceled, *stopping}
    if late := [one for one in ids if one not in done]:
        say(f"nothing to cancel: {listed_briefly(late)} had ended")
    return 0 if done else 1
