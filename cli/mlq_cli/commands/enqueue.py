"""`mlq enqueue`: puts a job or a sweep in the queue."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial

from mlq.api.queue import Queue
from mlq.errors import InvalidInputError
from mlq_cli import job_options, sweep_options
from mlq_cli.enqueue_warnings import warn
from mlq_cli.invocation.parser import add_json
from mlq_cli.invocation.session import open_queue, print_json, print_lines, say
from mlq_cli.job_file_warning import job_file_warning
from mlq_cli.root_files import give_root
from mlq_cli.waiting import exit_code_of, say_bad_ends, wait_for

HELP = "put a job or a sweep of jobs in the queue and print its id"
EXAMPLES = """\
  mlq enqueue -- python train.py --lr 0.1
  mlq enqueue -c 4 -m 8G --gpus 1 --vram 6G -t 2h -n baseline python train.py
  mlq enqueue --after 1042,1043 python evaluate.py
  mlq enqueue --after any:1042,failed:lr python tidy_up.py
  mlq enqueue --shell 'python train.py | tee all.txt'
  mlq enqueue --wait -- make test && echo passed
  HF_HOME=/vol/me/hf mlq enqueue --secret WANDB_API_KEY python train.py
  mlq enqueue --param lr=1e-3,1e-4 --seeds 5 -- python train.py {args}
  mlq enqueue --sweep -- python train.py -m lr=1e-3,1e-4 'seed=range(5)'
  mlq enqueue --commands jobs.txt --max-running 4

The job runs in the present folder, with the present virtual or conda
environment. Options after COMMAND belong to the command."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.usage = "mlq enqueue [options] [--] COMMAND..."
    job_options.configure_resources(parser)
    job_options.configure_order(parser)
    job_options.configure_end(parser)
    job_options.configure_variables(parser)
    job_options.configure_what(parser)
    sweep_options.configure(parser)
    parser.add_argument("--shell", metavar="'CMD'", help="run this by /bin/sh -c, not COMMAND")
    parser.add_argument("--wait", action="store_true", help="wait until it has ended")
    add_json(parser)
    parser.add_argument(
        "command", nargs=argparse.REMAINDER, metavar="[--] COMMAND...", help="the program to run"
    )


def run(args: argparse.Namespace) -> int:
    """Enqueue; with --wait return the exit code of the job, or of the first that failed."""
    is_search, is_sweep = sweep_options.is_search(args), sweep_options.is_sweep(args)
    argv = () if is_sweep and not _has_command(args) else command_of(args)
    submission = job_options.submission_of(args, argv)
    folder, env = submission.cwd or "", submission.env
    if is_search:
        from mlq_cli.searching import search

        return search(submission, args, partial(_report, folder=folder, args=args))
    if is_sweep:
        from mlq_cli.sweeping import enqueue_sweep, read_sweep

        sweep = read_sweep(args, argv, folder, env)
        return enqueue_sweep(sweep, submission, args, partial(_report, folder=folder, args=args))
    queue = open_queue(patient=args.wait)
    give_root(queue)
    (job,) = queue.submit([submission], typed=True)
    if not args.json:
        print_lines([job.id])
        sys.stdout.flush()
    return _report(queue, [job.id], folder, args)


def _has_command(args: argparse.Namespace) -> bool:
    return args.shell is not None or args.command not in ([], ["--"])


def _report(queue: Queue, ids: Sequence[str], folder: str, args: argparse.Namespace) -> int:
    """Warn about the new jobs, which are alike, and wait for them if the user asked for that."""
    jobs = queue.views(ids if args.json or args.wait else ids[:1])
    warn(queue, jobs[0], folder)
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    if unread := job_file_warning(command, folder):
        say(unread)
    if args.wait:
        jobs = wait_for(queue, ids)
    if args.json:
        chosen = {"chosen": queue.chosen} if queue.chosen else {}
        print_json({**one.as_json(), **chosen} for one in jobs)
    elif args.wait:
        say_bad_ends(jobs)
    return exit_code_of(jobs) if args.wait else 0


def command_of(args: argparse.Namespace) -> tuple[str, ...]:
    """Return the command as an argument list.

    Raises:
        InvalidInputError: there is no command, or there are two.
    """
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    if args.shell is not None:
        if command:
            raise InvalidInputError(
                "--shell and COMMAND cannot both be given", why=f"{command[0]} is a COMMAND"
            )
        command = ["/bin/sh", "-c", args.shell]
    if not command or not command[-1 if args.shell is not None else 0]:
        raise InvalidInputError("no command to run", fix="mlq enqueue -- python train.py")
    return tuple(command)
