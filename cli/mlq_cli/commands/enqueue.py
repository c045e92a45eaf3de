"""`mlq enqueue`: a job into the queue."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from mlq.api.queue import Queue
from mlq.errors import InvalidInputError
from mlq.ids import expand
from mlq.jobs.placement import Misfit, Offer, place
from mlq.jobs.request import JobClass
from mlq.jobs.view import JobView
from mlq.machines.said import offer_of
from mlq.settings.settings import Settings
from mlq.submit.present_folder import present_folder
from mlq_cli.invocation.parser import add_json, check_text
from mlq_cli.invocation.session import open_queue, print_json, print_lines, say
from mlq_cli.render.clean import clean
from mlq_cli.render.jobs import asks
from mlq_cli.render.words import about, count
from mlq_cli.waiting import exit_code_of, say_bad_ends, wait_for

HELP = "put a job in the queue and print its id"
EXAMPLES = """\
  mlq enqueue -- python train.py --lr 0.1
  mlq enqueue -c 4 -m 8G --gpus 1 --vram 6G -t 2h -n baseline python train.py
  mlq enqueue --after 1042,1043 python evaluate.py
  mlq enqueue --shell 'python train.py | tee all.txt'
  mlq enqueue --wait -- make test && echo passed
  HF_HOME=/vol/me/hf mlq enqueue --secret WANDB_API_KEY python train.py

The job runs in the present folder, with the present virtual or conda
environment. Options after COMMAND belong to the command."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.usage = "mlq enqueue [options] [--] COMMAND..."
    _configure_resources(parser)
    _configure_order(parser)
    _configure_end(parser)
    _configure_variables(parser)
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
        "-m", "--mem", metavar="SIZE", help="memory: 8G, 512M or MiB (default: a setting)"
    )
    group.add_argument("-g", "--gpus", type=int, default=0, metavar="N", help="GPUs (0)")
    group.add_argument(
        "--vram", metavar="SIZE", help="free memory on each GPU; without it a GPU to itself"
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
    group.add_argument(
        "--retries", type=int, default=0, metavar="N", help="start again when it fails (0 times)"
    )
    from mlq_cli.invocation.completers import complete_jobs

    after.completer = complete_jobs  # type: ignore[attr-defined]


def run(args: argparse.Namespace) -> int:
    """Enqueue; with --wait the exit code is the job's."""
    from mlq.submit.submission import Submission

    argv = command_of(args)
    if args.after_any and args.after is None:
        raise InvalidInputError("--after-any needs --after", fix="add --after ID")
    env = variables(args.env, os.environ)
    folder = _folder(args.cwd)
    queue = open_queue(patient=args.wait)
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
        grace=args.grace,
        signal=args.signal,
        machine=args.machine,
        env=env,
        secrets=args.secret,
        capture_env=False if args.clean_env else None,
        cwd=folder,
        in_place=args.in_place,
    )
    (job,) = queue.submit([submission], typed=True)
    return _report(queue, job.view(), folder, args)


def _report(queue: Queue, job: JobView, folder: str, args: argparse.Namespace) -> int:
    if not args.json:
        print_lines([job.id])
        sys.stdout.flush()
    known = queue.store.reads.machines().values()
    offers = [offer_of(record) for _, record in known]
    heard = [offer_of(record) for heard_s, record in known if heard_s <= queue.settings.lease_s]
    for warning in (
        misleading(job),
        too_large(job, offers, heard),
        _missing(queue.settings, folder),
    ):
        if warning:
            say(warning)
    jobs = wait_for(queue, [job.id]) if args.wait else [job]
    if args.json:
        print_json(one.as_json() for one in jobs)
    elif args.wait:
        say_bad_ends(jobs)
    return exit_code_of(jobs) if args.wait else 0


def _missing(settings: Settings, folder: str) -> str:
    if not settings.is_remote:
        return ""
    from mlq_cli.remote.folder_there import missing_there

    return missing_there(settings, folder)


def command_of(args: argparse.Namespace) -> tuple[str, ...]:
    """Return the command as an argument list.

    Raises:
        InvalidInputError: there is none, or two.
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
        InvalidInputError: a variable that has no value here, or no name.
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


def misleading(job: JobView) -> str:
    """Return a warning if the job's name, where an id is taken, means other jobs; else ""."""
    try:
        if not job.name or expand(job.name).kind == "name":
            return ""
    except InvalidInputError:
        pass  # a range that runs backwards is no name either
    return f"warning: {clean(job.name)!r} means jobs by their ids; this one is found by its own"


def too_large(job: JobView, offers: list[Offer], heard: list[Offer]) -> str:
    """Return a warning if no known machine could ever run the job, else "".

    The largest that is named is one that is `heard`: a dead one is no reason to ask for less.
    """
    job_class = JobClass.parse(job.class_name, default_mem_mib=job.mem_mib)
    fits = [place(job_class.request, offer.when_idle()) for offer in offers]
    if not offers or not all(isinstance(fit, Misfit) for fit in fits):
        return ""
    allowed = [offer for offer in offers if job_class.request.allows(offer.machine)]
    if not allowed:
        return (
            f"warning: job {job.id} waits, for the name of no known machine is"
            f" {clean(job_class.request.machine)} (see: mlq machines)"
        )
    living = [offer for offer in heard if job_class.request.allows(offer.machine)]
    if not living:
        return f"warning: job {job.id} waits, for no known machine can run it ({asks(job)})"
    largest = max(living, key=lambda one: (len(one.gpus), one.total_cores, one.total_mem_mib))
    has = [count(largest.total_cores, "core"), f"{about(largest.total_mem_mib)} of memory"]
    if largest.gpus:
        has.append(f"{count(len(largest.gpus), 'GPU')} of {about(largest.gpus[0].total_mib)}")
    return (
        f"warning: job {job.id} waits, for no known machine can run it ({asks(job)});"
        f" the largest, {largest.machine}, has {', '.join(has)}"
    )


def _folder(typed: str | None) -> str:
    try:
        folder = str(Path(present_folder(os.environ)) / Path(typed or "").expanduser())
    except (OSError, RuntimeError) as error:
        raise InvalidInputError(
            "the job has no folder to run in", why=str(error), fix="name one with --cwd"
        ) from None
    check_text(folder)
    return folder
