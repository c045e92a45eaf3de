"""`mlq resume`: lets a paused queue start jobs again."""

from __future__ import annotations

import argparse

from mlq_cli.invocation.session import open_queue, print_lines, say

HELP = "let a paused queue go on (see: mlq pause)"
EXAMPLES = "  mlq resume"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add no arguments: there is only one queue."""


def run(_args: argparse.Namespace) -> int:
    """Resume the queue; return 0 if that changed anything."""
    if not open_queue().store.pause(""):
        say("the queue is not paused")
        return 1
    print_lines(["the queue gives jobs out again"])
    return 0
