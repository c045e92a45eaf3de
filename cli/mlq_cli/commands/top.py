"""`mlq top`: a live screen of sweeps, jobs, machines, and a job's log and metrics."""

from __future__ import annotations

import argparse
import os
import sys
import time

from mlq.settings.load import load
from mlq_cli.invocation.session import local_now, open_queue, out_style, print_painted

HELP = "watch the queue on a live screen: sweeps, jobs, machines, a job's log and metrics"
EXAMPLES = """\
  mlq top                         q leaves it, ? lists the keys
  mlq top --once                  one frame as text, as into a pipe
  mlq top --json | jq .counts"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--once", action="store_true", help="print one frame as text, and end")
    how.add_argument("--json", action="store_true", help="print one JSON object, and end")


def run(args: argparse.Namespace) -> int:
    """Show the screen until the user leaves it; outside a terminal print one frame."""
    if args.json or args.once or not _is_screen():
        _print(as_json=args.json)
        return 0
    from mlq_cli.top.live import show

    return show(load(os.environ).settings)


def _is_screen() -> bool:
    both = sys.stdin.isatty() and sys.stdout.isatty()
    return both and os.environ.get("TERM", "dumb") not in {"", "dumb"}


def _print(*, as_json: bool) -> None:
    from mlq_cli.top.asking import Asked, look

    seen = look(open_queue(), Asked(), time.time())
    if as_json:
        import json

        print_painted([json.dumps(seen.as_json())])
        return
    from mlq_cli.top.frame import frame

    print_painted(frame(seen, local_now(), out_style()))
