"""`mlq logs`: prints what jobs have written."""

from __future__ import annotations

import argparse
import re
import sys
import time
from pathlib import Path

from mlq.api.queue import Queue
from mlq.api.selecting import sweep_meant
from mlq.errors import InvalidInputError
from mlq.jobs.lifecycle import ENDED, State
from mlq.jobs.view import JobView
from mlq.units import format_duration, parse_duration
from mlq_cli.invocation.parser import add_ids
from mlq_cli.invocation.session import open_queue, print_lines, say
from mlq_cli.log_sinks import Sink, Wanted, out_sink
from mlq_cli.logs import Begin, First, follow, show_once
from mlq_cli.logs_together import follow_together
from mlq_cli.render.jobs import state_of
from mlq_cli.render.words import count
from mlq_cli.root_files import RootFiles, root_files

HELP = "print what jobs have written (stdout and stderr)"
EXAMPLES = """\
  mlq logs 1042                   a progress bar only as it is now
  mlq logs -f 1042                follow until the job ends, across machines
  mlq logs -f lr                  of a sweep: each line says which member wrote it
  mlq logs 1042 --tail 20         the last 20 lines, at once however long the log is
  mlq logs 1042 --grep 'val.acc' --tail 1
  mlq logs 1042 --since 10m
  mlq logs 1042 --attempt 1
  mlq logs 1042 --raw > log.txt   byte for byte as written"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_ids(parser, "id, range (1040-1050), sweep or name; several one after the other")
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the job ends")
    parser.add_argument(
        "--attempt", type=int, metavar="N", help="of this attempt (default: the last)"
    )
    parser.add_argument("--tail", type=_rows, metavar="N", default=0, help="only the last N lines")
    parser.add_argument(
        "--since",
        metavar="TIME",
        help="only what was written in the last TIME: 10m, 2h (to about ten seconds)",
    )
    parser.add_argument(
        "--grep", metavar="REGEX", default="", help="only lines in which this is found"
    )
    parser.add_argument(
        "--raw",
        action="store_true",
        help="byte for byte as written, with colours and all states of bars",
    )


def _rows(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 1 << 40:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of lines: write for example 20")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Print the logs; return 1 if one of them does not exist yet."""
    wanted, begin = _wanted(args)
    since_s = parse_duration(args.since) if args.since else None
    queue = open_queue(patient=args.follow)
    ids = queue.select(args.ids)
    jobs, files = queue.views(ids), root_files(queue.settings)
    if args.follow and args.attempt is None and len(ids) > 1 and sweep_meant(queue.store, args.ids):
        ended = sum(job.state in ENDED for job in jobs)
        if ended < len(jobs):
            if args.raw:
                raise InvalidInputError(
                    "--raw cannot follow several jobs at once",
                    why="their lines are mixed, and each says which job wrote it",
                )
            if ended:
                say(f"{count(ended, 'member')} had ended before; mlq logs shows them, too")

            def sink_of(prefix: str) -> Sink:
                return out_sink(follows=True, wanted=wanted._replace(prefix=prefix))

            def begin_of(job: JobView) -> Begin:
                return _begin(queue, files, job, job.attempt, since_s, begin) or begin

            follow_together(queue, files, ids, sink_of, _remark, begin_of)
            return 0
    sink = out_sink(follows=args.follow, raw=args.raw, wanted=wanted)
    shown = True
    for job in jobs:
        if len(jobs) > 1:
            _head(job)
        attempt = _attempt(job, args.attempt)
        its_begin = _begin(queue, files, job, attempt, since_s, begin)
        if its_begin is None:
            say(f"{job.id} wrote nothing in the last {format_duration(since_s or 0)}")
        elif args.follow:
            end = follow(queue, files, sink, _remark, First(job.id, attempt, its_begin))
            _remark(f"{end.id} {end.state}" + (f": {end.reason}" if end.reason else ""))
        else:
            shown = _print(queue, files, job, attempt, sink, its_begin) and shown
    return 0 if shown else 1


def _begin(
    queue: Queue, files: RootFiles, job: JobView, attempt: int, since_s: float | None, begin: Begin
) -> Begin | None:
    """Return where to begin with this log; None if nothing was written since then."""
    if since_s is None or not attempt:
        return begin
    from mlq_cli.log_since import offset_since

    usage_file = Path(queue.layout.folder(job.id).usage_file(attempt))
    offset = offset_since(files, usage_file, job, attempt, since_s, time.time())
    return None if offset is None else begin._replace(offset=offset)


def _wanted(args: argparse.Namespace) -> tuple[Wanted, Begin]:
    """Return what of a log is shown, and where reading it begins.

    Raises:
        InvalidInputError: the regular expression is none, or options contradict each other.
    """
    if args.raw and args.grep:
        raise InvalidInputError(
            "--raw and --grep do not go together",
            why="--grep looks at lines as a terminal shows them",
            fix="leave out --raw, or pipe: mlq logs --raw ID | grep REGEX",
        )
    begin = Begin(rows=args.tail, pattern=args.grep)
    if not args.grep:
        return Wanted(last=0 if args.follow else args.tail), begin
    try:
        pattern = re.compile(args.grep)
    except (re.error, OverflowError, RecursionError) as error:
        raise InvalidInputError(
            f"--grep {args.grep!r} is not a valid regular expression",
            why=str(error),
            fix="a character that has a meaning there is written with a backslash: \\( \\[ \\*",
        ) from None
    return Wanted(pattern, 0 if args.follow else args.tail), begin


def _attempt(job: JobView, wanted: int | None) -> int:
    if wanted is None:
        return job.attempt
    if not 1 <= wanted <= job.attempt:
        has = f"it has had {job.attempt}" if job.attempt else "it has not started yet"
        raise InvalidInputError(f"job {job.id} has no attempt {wanted}", why=has)
    return wanted


def _print(
    queue: Queue, files: RootFiles, job: JobView, attempt: int, sink: Sink, begin: Begin
) -> bool:
    log = queue.layout.log_file(job.id, attempt)
    if attempt and show_once(files, log, sink, begin):
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
