"""`mlq jug`: enqueues workers that run one jug program together."""

from __future__ import annotations

import argparse
import os
import secrets
import shlex
import sys
from dataclasses import replace
from pathlib import Path

from mlq.errors import InvalidInputError
from mlq_cli import job_options
from mlq_cli.enqueue_warnings import warn
from mlq_cli.invocation.parser import Parser, add_json
from mlq_cli.invocation.session import open_queue, print_json, print_lines, say
from mlq_cli.root_files import give_root
from mlq_cli.waiting import exit_code_of, say_bad_ends, wait_for

HELP = "run a jug program with several workers"
EXAMPLES = """\
  mlq jug analysis.py --workers 20
  mlq jug analysis.py --workers 4 -c 2 -m 8G -t 12h
  mlq jug analysis.py --workers 4 --jugdir /vol/me/analysis.jugdata
  mlq jug analysis.py --workers 4 -- --aggressive-unload -- data.csv

The workers share the live folder, as those of `jug execute` do. A worker that
finds nothing to do gives its cores back, and returns while the program is not
complete. What stands after -- are options of `jug execute`."""

MOST_WORKERS = 10_000


def configure(parser: Parser) -> None:
    """Add this command's arguments."""
    parser.usage = "mlq jug FILE.py --workers N [options] [-- JUG OPTIONS]"
    parser.add_argument("jugfile", metavar="FILE.py", help="the jug program")
    parser.add_argument(
        "--workers", type=int, required=True, metavar="N", help="how many may work on it at once"
    )
    parser.add_argument("--jugdir", metavar="DIR", help="where jug keeps results (as jug has it)")
    job_options.configure_resources(parser)
    job_options.configure_order(parser)
    job_options.configure_end(parser)
    job_options.configure_variables(parser)
    job_options.configure_what(parser)
    parser.add_argument("--wait", action="store_true", help="wait until the program is complete")
    add_json(parser)
    parser.keep_rest_as("jug_options")


def run(args: argparse.Namespace) -> int:
    """Enqueue the workers, unless the program is complete; with --wait return their exit code."""
    from mlq.api.jug_program import find
    from mlq.jobs.spec import FunctionCall
    from mlq.jug.run import WORKER

    if not 1 <= args.workers <= MOST_WORKERS:
        raise InvalidInputError(
            f"--workers {args.workers} cannot be used", why=f"it must be 1 to {MOST_WORKERS:,}"
        )
    asked = job_options.submission_of(args, ())
    options = [*(["--jugdir", args.jugdir] if args.jugdir else []), *args.jug_options]
    found = find(args.jugfile, options, asked.cwd or "", os.environ)
    if found.survey.complete:
        done = found.survey.finished
        say(f"{args.jugfile} is complete: all {done} tasks are done; nothing was queued")
        if args.json:
            print_json([])
        return 0
    program = found.program._replace(run=secrets.token_hex(8))
    typed = ("jug", args.jugfile, *options)
    submission = replace(
        asked,
        function=FunctionCall(name=WORKER, kwargs=program._asdict(), shown=shlex.join(typed)),
        name=args.name or Path(args.jugfile).stem,
        in_place=True if args.in_place is None else args.in_place,
    )
    queue = open_queue(patient=args.wait)
    give_root(queue)
    ids = [job.id for job in queue.submit([submission] * args.workers)]
    if not args.json:
        print_lines(ids)
        sys.stdout.flush()
    jobs = queue.views(ids if args.json or args.wait else ids[:1])
    warn(queue, jobs[0], asked.cwd or "")
    if args.wait:
        jobs = wait_for(queue, ids)
    if args.json:
        print_json(one.as_json() for one in jobs)
    elif args.wait:
        say_bad_ends(jobs)
    return exit_code_of(jobs) if args.wait else 0
