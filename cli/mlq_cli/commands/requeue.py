"""`mlq requeue`: stops running attempts and queues their jobs again, with their place and retries.

In a job it needs no queue for the job itself, so that a handler of a signal can rely on it.
"""

from __future__ import annotations

import argparse

from mlq.errors import InvalidInputError
from mlq.jobs.lifecycle import State
from mlq.jobs.own_attempt import leave_wish, own_job
from mlq_cli.choosing import chosen, told
from mlq_cli.invocation.parser import add_choice
from mlq_cli.invocation.session import open_queue, print_lines, say
from mlq_cli.render.words import listed_briefly

HELP = "stop running jobs and queue them again; they go on from their checkpoints"
EXAMPLES = """\
  mlq requeue 1042
  mlq requeue 1042_7 'lr-*'
  trap 'mlq requeue; exit' USR1      # in a job's script: the job itself

Jobs keep their place. No retry and no loss is counted, and the exit code does
not matter. In a job it works even while the queue cannot be reached."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_choice(parser, "queue again; none in a job: that job")


def run(args: argparse.Namespace) -> int:
    """Queue the jobs again; return 0 if that changed anything."""
    own = own_job()
    if not args.ids and not args.state:
        if not own:
            raise InvalidInputError(
                "requeue: which jobs",
                why="ids or names are needed outside of a job",
                fix="see: mlq requeue --help",
            )
        args.ids = [own]
    is_left = own in args.ids and leave_wish()
    if is_left:
        args.ids = [one for one in args.ids if one != own]
        print_lines([f"stopping {own}, to be queued again"])
        if not args.ids:
            return 0
    return _ask_queue(args, is_left=is_left)


def _ask_queue(args: argparse.Namespace, *, is_left: bool) -> int:
    queue = open_queue()
    done = queue.requeue(chosen(queue, args, (State.STARTED,)))
    if done.stopping:
        print_lines([f"stopping {told(args, done.stopping)}, to be queued again"])
    if done.waiting:
        waits = "waits" if len(done.waiting) == 1 else "wait"
        say(f"{listed_briefly(done.waiting)} {waits} in the queue already")
    if done.canceled:
        say(f"{listed_briefly(done.canceled)}: canceled, and being stopped; that stays so")
    if done.ended:
        again = " ".join(done.ended[:3])
        say(f"{listed_briefly(done.ended)} had ended (to run again: mlq retry {again})")
    return 0 if done.stopping or is_left else 1
