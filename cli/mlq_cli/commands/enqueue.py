"""`mlq enqueue`: puts a job or a sweep in the queue."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from mlq.api.queue import Queue
from mlq.errors import InvalidInputError
from mlq.submit.programs import present_folder
from mlq.units import parse_duration
from mlq_cli import sweep_options
from mlq_cli.enqueue_warnings import warn
from mlq_cli.invocation.parser import add_json, check_text
from mlq_cli.invocation.session import open_queue, print_json, print_lines
from mlq_cli.root_files import give_root
from mlq_cli.waiting import exit_code_of, say_bad_ends, wait_for

HELP = "put a job or a sweep of jobs in the queue and print its id"
EXAMPLES = """\
  mlq enqueue -- python train.py --lr 0.1
  mlq enqueue -c 4 -m 8G --gpus 1 --vram 6G -t 2h -n baseline python train.py
  mlq enqueue --after 1042,1043 python evaluate.py
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
    _configure_resources(parser)
    _configure_order(parser)
    _configure_end(parser)
    _configure_variables(parser)
    parser.add_argument(
        "--metric",
        action="append",
        default=[],
        metavar="NAME=REGEX",
        help="read a metric from the log: 'acc=accuracy ([0-9.]+)'; can be given several times",
    )
    sweep_options.configure(parser)
    parser.add_argument("-n", "--name", default="", help="a name to find the job by")
    parser.add_argument("--cwd", metavar="DIR", help="run in this folder (default: the present)")
    parser.add_argument(
        "--in-place",
        action="store_true",
        default=None,
        help="run in the live folder, not in a copy of the project as it is now",
    )
    parser.add_argument("--shell", metavar="'CMD'", help="run this by /bin/sh -c, not COMMAND")
    parser.add_argument("--wait", action="store_true", help="wait until it has ended")
    add_json(parser)
    parser.add_argument(
        "command", nargs=argparse.REMAINDER, metavar="[--] COMMAND...", help="the program to run"
    )


def _configure_variables(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "its variables", "exported ones go along, but not those that look like secrets"
    )
    group.add_argument(
        "--env",
        action="append",
        default=[],
        metavar="K=V",
        help="set a variable for the job; K alone takes its present value",
    )
    group.add_argument(
        "--secret",
        action="append",
        default=[],
        metavar="NAME",
        help="pass this variable by a private file in the results root, not through the queue",
    )
    group.add_argument(
        "--clean-env",
        action="store_true",
        help="pass on none but those of --env, --secret and the active Python environment",
    )


def _configure_resources(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what it needs")
    group.add_argument("-c", "--cores", type=int, default=1, metavar="N", help="cores (1)")
    group.add_argument(
        "-m",
        "--mem",
        metavar="SIZE",
        help="memory: 8G, 512M or MiB (default: a setting); auto: what finished runs needed",
    )
    group.add_argument("-g", "--gpus", type=int, default=0, metavar="N", help="GPUs (0)")
    group.add_argument(
        "--vram",
        metavar="SIZE",
        help="free memory on each GPU; without it a GPU to itself; auto: what finished runs needed",
    )
    group.add_argument(
        "-t", "--time", metavar="DURATION", help="end it after 90m, 2h or 1d12h (default: never)"
    )
    group.add_argument(
        "--machine", default="", metavar="GLOB", help="only on machines of this name: 'gpu*'"
    )


def _configure_end(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("when it is stopped")
    group.add_argument(
        "--grace", metavar="DURATION", help="from SIGTERM to SIGKILL (default: a setting, 10s)"
    )
    group.add_argument(
        "--signal",
        metavar="[B:]SIG[@TIME]",
        help="send USR1@60: SIGUSR1 60 s before the time limit, and first of all when it is handed"
        " back to the queue; B: to its first process only",
    )


def _configure_order(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("when it runs")
    group.add_argument(
        "-p", "--priority", type=int, default=0, metavar="N", help="larger runs first (0)"
    )
    after = group.add_argument(
        "--after", metavar="ID[,ID...]", help="start once these jobs have finished; also names"
    )
    group.add_argument(
        "--after-any", action="store_true", help="with --after: they need only end, not finish"
    )
    start = group.add_mutually_exclusive_group()
    start.add_argument(
        "--after-time", metavar="DURATION", help="start no earlier than in 30m, 2h, 1d12h"
    )
    start.add_argument(
        "--at", metavar="TIME", help="start no earlier than at 18:00, '2026-12-01 09:00'"
    )
    group.add_argument(
        "--retries", type=int, default=0, metavar="N", help="start again when it fails (0 times)"
    )
    group.add_argument(
        "--retry-oom",
        action="store_true",
        help="if it runs out of the memory it asked for, start it again with 1.5 times as much"
        " (at most twice; always with auto)",
    )
    from mlq_cli.invocation.completers import complete_jobs

    after.completer = complete_jobs  # type: ignore[attr-defined]


def _start(args: argparse.Namespace) -> str | float | None:
    if args.after_time is not None:
        return parse_duration(args.after_time)
    return str(args.at) if args.at is not None else None


def run(args: argparse.Namespace) -> int:
    """Enqueue; with --wait return the exit code of the job, or of the first that failed."""
    from mlq.jobs.metric_patterns import parse_patterns
    from mlq.submit.submission import Submission

    is_search, is_sweep = sweep_options.is_search(args), sweep_options.is_sweep(args)
    argv = () if is_sweep and not _has_command(args) else command_of(args)
    if args.after_any and args.after is None:
        raise InvalidInputError("--after-any needs --after", fix="add --after ID")
    env = variables(args.env, os.environ)
    folder = _folder(args.cwd)
    submission = Submission(
        argv=argv,
        name=args.name,
        cores=args.cores,
        mem=args.mem,
        gpus=args.gpus,
        vram=args.vram,
        time=args.time,
        priority=args.priority,
        after=() if args.after is None else tuple(args.after.split(",")),
        after_any=args.after_any,
        retries=args.retries,
        retry_oom=args.retry_oom,
        grace=args.grace,
        signal=args.signal,
        machine=args.machine,
        env=env,
        secrets=args.secret,
        capture_env=False if args.clean_env else None,
        cwd=folder,
        in_place=args.in_place,
        start=_start(args),
        metrics=parse_patterns(args.metric),
    )
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


def variables(typed: list[str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that `--env K=V` and `--env K` mean.

    Raises:
        InvalidInputError: a variable has no value here, or no name.
    """
    found = {}
    for one in typed:
        name, assigned, value = one.partition("=")
        if not name:
            raise InvalidInputError(f"--env {one} names no variable", fix="--env NAME=VALUE")
        if not assigned and name not in environ:
            raise InvalidInputError(
                f"--env {name} has no value",
                why=f"{name} is not set here",
                fix=f"--env {name}=VALUE",
            )
        found[name] = value if assigned else environ[name]
        check_text(found[name])
    return found


def _folder(typed: str | None) -> str:
    try:
        folder = str(Path(present_folder(os.environ)) / Path(typed or "").expanduser())
    except (OSError, RuntimeError) as error:
        raise InvalidInputError(
            "the job has no folder to run in", why=str(error), fix="name one with --cwd"
        ) from None
    check_text(folder)
    return folder
