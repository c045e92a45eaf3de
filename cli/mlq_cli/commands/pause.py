"""`mlq pause`: keeps the queue from starting jobs."""

from __future__ import annotations

import argparse

from mlq.errors import InvalidInputError
from mlq_cli.invocation.parser import check_text
from mlq_cli.invocation.session import open_queue, print_lines

HELP = "let the queue start no more jobs; those that run go on (undo: mlq resume)"
EXAMPLES = """\
  mlq pause
  mlq pause --reason 'the file server is mended tonight'"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("--reason", metavar="TEXT", help="shown by mlq ls and mlq explain")


def run(args: argparse.Namespace) -> int:
    """Pause the queue."""
    reason = "its user paused it" if args.reason is None else args.reason
    check_text(reason)
    if not reason.strip():
        raise InvalidInputError("--reason is empty", fix="leave it out, or say why")
    open_queue().store.pause(reason)
    print_lines(["the queue gives nothing out; what runs goes on. Back again: mlq resume"])
    return 0
