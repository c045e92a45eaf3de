"""`mlq logs`: prints what jobs have written."""

from __future__ import annotations

import argparse
import sys

from mlq.api.queue import Queue
from mlq.api.selecting import sweep_meant
from mlq.errors import InvalidInputError
from mlq.jobs.lifecycle import ENDED, State
from mlq.jobs.view import JobView
from mlq_cli.invocation.parser import add_ids
from mlq_cli.invocation.session import open_queue, print_lines, say
from mlq_cli.logs import Sink, follow, out_sink, show_once
from mlq_cli.logs_together import follow_together
from mlq_cli.render.jobs import state_of
from mlq_cli.render.words import count
from mlq_cli.root_files import RootFiles, root_files

HELP = "print what jobs have written (stdout and stderr)"
EXAMPLES = """\
  mlq logs 1042
  mlq logs -f 1042                follow until the job ends, across machines
  mlq logs -f lr                  of a sweep: each line says which member wrote it
  mlq logs 1042 --attempt 1
  mlq logs 1042 | grep accuracy   into a pipe: byte for byte as written"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_ids(parser, "id, range (1040-1050), sweep or name; several one after the other")
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the job ends")
    parser.add_argument(
        "--attempt", type=int, metavar="N", help="of this attempt (default: the last)"
    )


def run(args: argparse.Namespace) -> int:
    """Print the logs; return 1 if one of them does not exist yet."""
    queue = open_queue(patient=args.follow)
    ids = queue.select(args.ids)
    if args.follow and args.attempt is None and len(ids) > 1 and sweep_meant(queue.store, args.ids):
        jobs = queue.views(ids)
        ended = sum(job.state in ENDED for job in jobs)
        if ended < len(jobs):
            if ended:
                say(f"{count(ended, 'member')} had ended before; mlq logs shows them, too")
            follow_together(queue, root_files(queue.settings), ids, out_sink(), _remark)
            return 0
    jobs = queue.views(ids)
    sink, files = out_sink(), root_files(queue.settings)
    shown = True
    for job in jobs:
        if len(jobs) > 1:
            _head(job)
        attempt = _attempt(job, args.attempt)
        if args.follow:
            end = follow(queue, files, job.id, attempt, sink, _remark)
            _remark(f"{end.id} {end.state}" + (f": {end.reason}" if end.reason else ""))
        else:
            shown = _print(queue, files, job, attempt, sink) and shown
    return 0 if shown else 1


def _attempt(job: JobView, wanted: int | None) -> int:
    if wanted is None:
        return job.attempt
    if not 1 <= wanted <= job.attempt:
        has = f"it has had {job.attempt}" if job.attempt else "it has not started yet"
        raise InvalidInputError(f"job {job.id} has no attempt {wanted}", why=has)
    return wanted


def _print(queue: Queue, files: RootFiles, job: JobView, attempt: int, sink: Sink) -> bool:
    if attempt and show_once(queue, files, job, attempt, sink):
        for note in job.notes if attempt == job.attempt else ():
            if note.startswith("its log"):  # the log shown is not complete
                _remark(f"{job.id}: {note}")
        return True
    if job.state == State.STARTED:
        why = "it has only just started"
    elif job.attempt:
        why = f"it is {job.state}, and its log is gone"
    else:
        why = f"it is {state_of(job)} and has never started"
    say(f"no log of {job.id}: {why}")
    return False


def _head(job: JobView) -> None:
    print_lines([f"==> {job.id} {job.name}".rstrip() + " <=="])
    sys.stdout.flush()


def _remark(text: str) -> None:
    sys.stdout.flush()
    say(text)
