"""`mlq retry`: jobs that ended, once more."""

from __future__ import annotations

import argparse

from mlq_cli.parser import add_ids
from mlq_cli.render.words import listed
from mlq_cli.session import open_queue, print_lines, say, show_progress

HELP = "queue ended jobs again, at their old place; they go on from their checkpoints"
EXAMPLES = """\
  mlq retry 1042
  mlq retry 1040-1050"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_ids(parser, "id, range (1040-1050) or name")


def run(args: argparse.Namespace) -> int:
    """Queue again; 0 if that changed anything."""
    queue = open_queue()
    queue.progress = show_progress("retry")
    queued, unended = queue.retry(queue.select(args.ids))
    if queued:
        print_lines([f"queued again: {listed(queued)}"])
    if unended:
        have = "has" if len(unended) == 1 else "have"
        say(f"not queued again: {listed(unended)} {have} not ended yet")
    return 0 if queued else 1
