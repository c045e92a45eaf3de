"""`mlq edit`: changes what a waiting job asks for."""

from __future__ import annotations

import argparse

from mlq.errors import InvalidInputError
from mlq.jobs.lifecycle import HELD, WAITING
from mlq_cli.choosing import check_choice, chosen, told
from mlq_cli.enqueue_warnings import warn_too_large
from mlq_cli.invocation.parser import add_choice
from mlq_cli.invocation.session import open_queue, print_lines, say, show_progress
from mlq_cli.render.words import listed_briefly

HELP = "change what jobs that wait ask for: priority, memory, time limit, cores, machines"
EXAMPLES = """\
  mlq edit 1042 --mem 16G
  mlq edit lr --priority 5 --time 4h
  mlq edit 'lr-*' --time never"""

_OPTIONS = ("priority", "cores", "mem", "vram", "time", "gpu_type", "machine", "exclude")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_choice(parser, "change")
    parser.add_argument("-p", "--priority", type=int, metavar="N", help="larger runs first")
    parser.add_argument("-c", "--cores", type=int, metavar="N", help="cores")
    parser.add_argument("-m", "--mem", metavar="SIZE", help="memory: 8G, 512M or MiB")
    parser.add_argument("--vram", metavar="SIZE", help="free memory on each GPU")
    parser.add_argument("-t", "--time", metavar="DURATION", help="time limit: 90m, 2h, or never")
    parser.add_argument("--gpu-type", metavar="TYPE", help="part of the GPU model's name, or any")
    parser.add_argument("--machine", metavar="GLOB[,...]", help="only on these machines, or any")
    parser.add_argument("--exclude", metavar="GLOB[,...]", help="not on these machines, or none")


def run(args: argparse.Namespace) -> int:
    """Change the jobs; return 0 if that changed anything."""
    states = (*WAITING, HELD)
    typed = {name: getattr(args, name) for name in _OPTIONS if getattr(args, name) is not None}
    if not typed:
        raise InvalidInputError(
            "edit: what is to be changed?",
            fix=f"say one of --{', --'.join(_OPTIONS).replace('_', '-')}",
        )
    check_choice(args, "edit", states)
    from mlq.api.editing import Changes, edit
    from mlq.jobs.signing import load_key

    queue = open_queue()
    ids = chosen(queue, args, states)
    key = load_key(queue.settings.key_file)
    done = edit(queue.store, key, ids, Changes(**typed), show_progress("edit"))
    if done.jobs:
        print_lines([f"changed: {told(args, done.jobs)}"])
        warn_too_large(queue, done.jobs[0])
    if done.same:
        say(f"nothing to change: {listed_briefly(done.same)} asked for that already")
    if done.others:
        say(f"not changed: {listed_briefly(done.others)} no longer waiting, or came by plain rq")
    return 0 if done.jobs else 1
