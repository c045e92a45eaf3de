"""`mlq submit`: queues what a job file of Slurm, PBS or HTCondor describes."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mlq_cli import job_options
from mlq_cli.enqueue_warnings import warn
from mlq_cli.invocation.parser import Parser, add_json
from mlq_cli.invocation.session import open_queue, print_json, print_lines, say
from mlq_cli.job_files import edges_of, queue_job, read_file, where_of
from mlq_cli.waiting import exit_code_of, say_bad_ends, wait_for

if TYPE_CHECKING:
    from mlq.scripts.script_job import ScriptJob
    from mlq.submit.of_script import ManyJobs
    from mlq.submit.submission import Submission

HELP = "queue a job file of Slurm, PBS or HTCondor"
EXAMPLES = """\
  mlq submit train.sh
  mlq submit train.sh --lr 0.1
  mlq submit --dry-run train.sh
  mlq submit --array 0-99%8 -t 2h train.sh
  mlq submit --as condor sweep.sub

Options before FILE override what the file says. The script is copied now, and
runs in the folder that its system would take; the project is not copied, except
with --copy."""

# What an option of this command overrides: names of the fields of `Submission`.
_FIELDS = {
    "after_time": "start",
    "at": "start",
    "no_requeue": "requeue",
    "metric": "metrics",
    "secret": "secrets",
    "clean_env": "capture_env",
    "exclude": "machine",
}


def configure(parser: Parser) -> None:
    """Add this command's arguments."""
    parser.usage = "mlq submit [options] FILE [ARGS]"
    job_options.configure_resources(parser)
    job_options.configure_order(parser)
    job_options.configure_end(parser)
    job_options.configure_variables(parser)
    job_options.configure_what(parser)
    # A default must not override the file.
    parser.set_defaults(defaults=parser.forget_defaults())
    parser.add_argument("--array", metavar="0-9[%N]", help="task numbers, as in Slurm")
    parser.add_argument(
        "--copy", action="store_true", help="run in a copy of the project as it is now"
    )
    parser.add_argument(
        "--as",
        dest="system",
        choices=("slurm", "pbs", "condor"),
        help="what the file is; otherwise that is seen from its lines",
    )
    parser.add_argument("--dry-run", action="store_true", help="queue nothing, show what would be")
    parser.add_argument("--yes", action="store_true", help="allow more than 10,000 jobs")
    parser.add_argument("--wait", action="store_true", help="wait until all have ended")
    add_json(parser)
    parser.add_argument("file", metavar="FILE", help="the job file; - is standard input")
    parser.add_argument(
        "args", nargs=argparse.REMAINDER, metavar="ARGS", help="arguments of the script"
    )


def run(args: argparse.Namespace) -> int:
    """Queue; with --wait return the exit code of the job, or of the first that failed."""
    from mlq.scripts.recognising import parse, recognised
    from mlq.submit.of_script import many_jobs, only_element, submission_of

    text = read_file(args.file)
    where = where_of(args.file, args.args)
    system = args.system or recognised(text, args.file)
    job = parse(text, where, system, edges_of(where))
    if args.array is not None:
        batch = replace(job.batch, array=args.array.partition("%")[0])
        job = job._replace(array=args.array, batch=batch)
    for note in job.notes:
        say(note)
    submission = _overridden(submission_of(job, os.environ), args)
    many = many_jobs(job, submission, yes=args.yes or args.dry_run)
    if many is None:
        submission = only_element(job, submission)
    if args.dry_run or job.is_test:
        _show(submission, many, args)
        return 0
    return _queue(job, submission, many, args)


def _queue(
    job: ScriptJob, submission: Submission, many: ManyJobs | None, args: argparse.Namespace
) -> int:
    waits = args.wait or job.is_waited_for
    queue = open_queue(patient=waits)
    queued = queue_job(queue, job, submission, many)
    if not args.json:
        print_lines([queued.id] if job.is_parsable else queued.lines)
        sys.stdout.flush()
    jobs = queue.views(queued.ids if args.json or waits else queued.ids[:1])
    warn(queue, jobs[0], submission.cwd or "")
    if waits:
        jobs = wait_for(queue, queued.ids)
    if args.json:
        print_json(one.as_json() for one in jobs)
    elif waits:
        say_bad_ends(jobs)
    return exit_code_of(jobs) if waits else 0


def _overridden(submission: Submission, args: argparse.Namespace) -> Submission:
    """Return the submission with what was typed in the place of what the file says."""
    typed = {name for name in args.defaults if hasattr(args, name)}
    whole = argparse.Namespace(**{**args.defaults, **vars(args)})
    asked = job_options.submission_of(whole, submission.argv)
    fields = {_FIELDS.get(name, name) for name in typed}
    changed = {name: getattr(asked, name) for name in fields}
    if "env" in changed:
        changed["env"] = {**submission.env, **changed["env"]}
    if "cores" in changed and submission.batch is not None and submission.batch.cpus_per_task:
        each = max(1, asked.cores // max(1, submission.batch.tasks))
        changed["batch"] = replace(submission.batch, cpus_per_task=each)
    if args.copy:
        changed["in_place"] = None
    return replace(submission, **changed)


def _show(submission: Submission, many: ManyJobs | None, args: argparse.Namespace) -> None:
    """Print what would be queued."""
    shown = list(_shown(submission, many))
    if args.json:
        print_json(shown)
        return
    first = shown[0]
    told = {name: _words(value) for name, value in first.items() if value not in (None, "", {})}
    lines = [f"{name:13}{text}" for name, text in told.items()]
    if len(shown) > 1:
        lines.append(f"and {len(shown) - 1:,} more jobs like it")
    print_lines(lines)


def _words(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name}={one}" for name, one in value.items())
    return str(value).replace("\n", " ")


def _unnumbered(text: str) -> str:
    """Return a text with the words of its file in the place of the job's number."""
    from mlq.scripts.number_mark import NUMBER

    return text.replace(NUMBER, "$(Cluster)")


def _shown(submission: Submission, many: ManyJobs | None) -> Iterator[dict[str, Any]]:
    """Yield each job as `--dry-run` shows it; its patterns of files are not filled in."""
    from datetime import UTC, datetime

    from mlq.jobs.spec import command_line
    from mlq.settings.load import load
    from mlq.submit.batch import check_all

    settings = load(os.environ).settings
    at = datetime.now(UTC).isoformat()
    submissions = [submission] if many is None else many.submissions
    checked = check_all(submissions, at, settings.default_mem_mib, typed=True)
    for index, (one, spec) in enumerate(checked):
        member = {} if many is None else dict(many.plan.members[index].params)
        ask, streams = spec.request, spec.streams
        yield {
            "command": command_line(tuple(map(_unnumbered, one.argv))),
            "cwd": spec.cwd,
            "name": spec.name,
            "cores": ask.cores,
            "mem_mib": ask.mem_mib,
            "gpus": ask.gpus,
            "time_limit_s": spec.time_limit_s,
            "env": {name: _unnumbered(value) for name, value in spec.env.items()},
            "output": streams.output if streams else "",
            "error": (streams.error or streams.output) if streams else "",
            **({"params": member} if member else {}),
        }
