"""`mlq resume`: a paused queue goes on."""

from __future__ import annotations

import argparse

from mlq_cli.invocation.session import open_queue, print_lines, say

HELP = "let a paused queue go on (see: mlq pause)"
EXAMPLES = "  mlq resume"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add nothing: there is one queue."""


def run(_args: argparse.Namespace) -> int:
    """Go on; 0 if that changed anything."""
    if not open_queue().store.pause(""):
        say("the queue is not paused")
        return 1
    print_lines(["the queue gives jobs out again"])
    return 0
