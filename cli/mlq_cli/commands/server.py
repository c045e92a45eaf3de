"""`mlq server`: the queue's own Redis server."""

from __future__ import annotations

import argparse
import os
from dataclasses import asdict

from mlq import server
from mlq.settings import Settings, load
from mlq_cli.parser import add_json
from mlq_cli.render.clean import clean
from mlq_cli.render.words import count
from mlq_cli.session import print_json, print_lines

HELP = "start, stop or look at the queue's server, on the one machine that keeps the queue"
EXAMPLES = """\
  mlq server start
  mlq server status
  mlq server stop                 the queue stays on disk"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("start", help="start the server unless it runs", allow_abbrev=False)
    actions.add_parser("stop", help="stop the server; the queue stays on disk", allow_abbrev=False)
    status = actions.add_parser("status", help="whether the server runs", allow_abbrev=False)
    add_json(status)


def run(args: argparse.Namespace) -> int:
    """Do what is asked of the server."""
    settings = load(os.environ).settings
    if args.action == "start":
        started = server.start(settings)
        verb = "answers now" if started else "answers already"
        print_lines([f"the queue {verb} at {clean(str(settings.redis_socket))}"])
        return 0
    if args.action == "stop":
        stopped = server.stop(settings)
        print_lines(["the queue's server has stopped" if stopped else "no server runs here"])
        return 0
    return _status(settings, as_json=args.json)


def _status(settings: Settings, *, as_json: bool) -> int:
    """Print how the server is; 0 if it runs and answers."""
    found = server.status(settings)
    if as_json:
        plain = asdict(found)
        plain |= {name: str(plain[name]) for name in ("socket", "folder", "log_file")}
        print_json([plain])
    elif not found.running:
        why = f": {clean(found.note.splitlines()[0])}" if found.note else ""
        print_lines([f"no server runs here{why}; start it with: mlq server start"])
    else:
        memory = "" if found.memory_mib is None else f"{found.memory_mib:.1f} MiB"
        facts = {
            "process": str(found.pid or ""),
            "server": f"{found.version} ({found.binary})" if found.version else "",
            "socket": str(found.socket),
            "data": str(found.folder),
            "log": str(found.log_file),
            "holds": "" if found.jobs is None else f"{count(found.jobs, 'job')} in {memory}",
            "fsync": found.fsync,
            "on disk": found.aof,
        }
        head = "the queue's server runs"
        head += f", but does not answer: {found.note.splitlines()[0]}" if found.note else ""
        lines = [head, *(f"  {label:<9}{text}" for label, text in facts.items() if text)]
        print_lines(clean(line) for line in lines)
    return 0 if found.running and not found.note else 1
