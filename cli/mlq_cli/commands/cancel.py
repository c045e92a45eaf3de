"""`mlq cancel`: jobs that are no longer wanted."""

from __future__ import annotations

import argparse

from mlq_cli.parser import add_ids
from mlq_cli.render.words import listed
from mlq_cli.session import open_queue, print_lines, say, show_progress

HELP = "cancel jobs; those that run are stopped"
EXAMPLES = """\
  mlq cancel 1042
  mlq cancel 1040-1050 lr-sweep"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_ids(parser, "id, range (1040-1050) or name")


def run(args: argparse.Namespace) -> int:
    """Cancel; 0 if that changed anything."""
    queue = open_queue()
    queue.progress = show_progress("cancel")
    ids = queue.select(args.ids)
    canceled, stopping = queue.cancel(ids)
    if canceled:
        print_lines([f"canceled {listed(canceled)}"])
    if stopping:
        print_lines([f"stopping {listed(stopping)} (see: mlq wait {' '.join(stopping[:3])})"])
    done = {*canceled, *stopping}
    if late := [one for one in ids if one not in done]:
        say(f"nothing to cancel: {listed(late)} had ended")
    return 0 if done else 1
