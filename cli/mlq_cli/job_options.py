"""The options of one job, which `mlq enqueue` and the commands that enqueue in another way share.

Every `mlq enqueue` imports this module, so it must import nothing that is slow to load.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mlq.errors import InvalidInputError
from mlq.submit.programs import present_folder
from mlq.units import parse_duration
from mlq_cli.invocation.parser import check_text

if TYPE_CHECKING:
    from mlq.submit.submission import Submission


def configure_what(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what the job is called, where it runs, and what it reports."""
    parser.add_argument(
        "--metric",
        action="append",
        default=[],
        metavar="NAME=REGEX",
        help="read a metric from the log: 'acc=accuracy ([0-9.]+)'; can be given several times",
    )
    parser.add_argument("-n", "--name", default="", help="a name to find the job by")
    parser.add_argument(
        "--comment", default="", metavar="TEXT", help="a note of your own, for mlq show"
    )
    parser.add_argument("--cwd", metavar="DIR", help="run in this folder (default: the present)")
    parser.add_argument(
        "--in-place",
        action="store_true",
        default=None,
        help="run in the live folder, not in a copy of the project as it is now",
    )


def configure_variables(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which variables the job gets."""
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


def configure_resources(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what the job needs."""
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
        "--gpu-type",
        default="",
        metavar="TYPE",
        help="part of the GPUs' model: a100, rtx-3090",
    )
    group.add_argument(
        "--machine",
        default="",
        metavar="GLOB[,...]",
        help="only on machines of these names: 'gpu*', gpu01,gpu02",
    )
    group.add_argument(
        "--exclude", default="", metavar="GLOB[,...]", help="not on machines of these names"
    )


def configure_end(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how the job is stopped."""
    group = parser.add_argument_group("when it is stopped")
    group.add_argument(
        "--grace", metavar="DURATION", help="from SIGTERM to SIGKILL (default: a setting, 10s)"
    )
    group.add_argument(
        "--signal",
        metavar="[B:]SIG[@TIME]",
        help="send USR1@60: SIGUSR1 60 s before the time limit, and before SIGTERM if it is stopped"
        " and will run again; B: to the script alone",
    )


def configure_order(parser: argparse.ArgumentParser) -> None:
    """Add the options that say when the job runs."""
    group = parser.add_argument_group("when it runs")
    group.add_argument(
        "-p", "--priority", type=int, default=0, metavar="N", help="larger runs first (0)"
    )
    after = group.add_argument(
        "--after",
        metavar="[any:|failed:]ID[,...]",
        help="start once these jobs have finished; also names; any:1042: once it has ended,"
        " failed:1042: once it has failed",
    )
    group.add_argument(
        "--after-any", action="store_true", help="with --after: they need only end, not finish"
    )
    group.add_argument(
        "--singleton",
        action="store_true",
        help="start after all earlier jobs of its name",
    )
    group.add_argument(
        "--hold", action="store_true", help="hold it until you let it go: mlq release"
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
    group.add_argument(
        "--no-requeue",
        action="store_true",
        help="never run it again if its machine is lost or takes it off: then it has failed",
    )
    from mlq_cli.invocation.completers import complete_jobs

    after.completer = complete_jobs  # type: ignore[attr-defined]


def submission_of(args: argparse.Namespace, argv: tuple[str, ...]) -> Submission:
    """Return the job that the options ask for; `cwd` is absolute.

    Raises:
        InvalidInputError: an option cannot be used.
    """
    from mlq.jobs.metric_patterns import parse_patterns
    from mlq.submit.submission import Submission

    if args.after_any and args.after is None:
        raise InvalidInputError("--after-any needs --after", fix="add --after ID")
    return Submission(
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
        exclude=args.exclude,
        gpu_type=args.gpu_type,
        env=variables(args.env, os.environ),
        secrets=args.secret,
        capture_env=False if args.clean_env else None,
        cwd=folder_of(args.cwd),
        in_place=args.in_place,
        start=start_of(args),
        metrics=parse_patterns(args.metric),
        singleton=args.singleton,
        hold=args.hold,
        requeue=not args.no_requeue,
        comment=args.comment,
    )


def start_of(args: argparse.Namespace) -> str | float | None:
    """Return when the job may start, as `Submission` takes it; None for at once."""
    if args.after_time is not None:
        return parse_duration(args.after_time)
    return str(args.at) if args.at is not None else None


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


def folder_of(typed: str | None) -> str:
    """Return the absolute folder that `--cwd` means; the present one without it.

    Raises:
        InvalidInputError: there is none.
    """
    try:
        folder = str(Path(present_folder(os.environ)) / Path(typed or "").expanduser())
    except (OSError, RuntimeError) as error:
        raise InvalidInputError(
            "the job has no folder to run in", why=str(error), fix="name one with --cwd"
        ) from None
    check_text(folder)
    return folder
