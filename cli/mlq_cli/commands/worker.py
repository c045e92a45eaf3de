"""`mlq worker`: starts, stops and installs the worker of this machine or of others."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace

from mlq.errors import InvalidInputError
from mlq.files.paths import checked_machine
from mlq.settings.guest import MODES, with_mode
from mlq.settings.load import load
from mlq.settings.settings import Settings
from mlq.units import parse_duration, parse_size
from mlq_cli.invocation.parser import add_json
from mlq_cli.invocation.session import print_json, print_lines, say
from mlq_cli.remote.command import add_machines, machines_of, run_on
from mlq_cli.remote.outcome import Outcome
from mlq_worker.agent.options import WorkerOptions

HELP = "start, stop or install the worker of this machine, or of others by ssh"
EXAMPLES = """\
  mlq worker start
  mlq worker start --cores 4 --mem 16G --gpus 0,1
  mlq worker start --guest mine   on a machine of your own
  mlq worker stop                 its jobs go on; the next worker adopts them
  mlq worker stop --drain         first let the jobs end
  mlq worker start --foreground   in a job of Slurm, PBS or HTCondor: offer what was granted
  mlq worker start --on gpu01,gpu02
  mlq worker status --all         of all machines that the settings list
  mlq worker install --print      show how it would start after a reboot"""


_FAR_S = 180.0  # longer than a worker takes to start or to stop


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    start = actions.add_parser("start", help="run jobs on this machine", allow_abbrev=False)
    start.add_argument("--foreground", action="store_true", help="stay in this terminal")
    start.add_argument(
        "--keep-trying",
        action="store_true",
        help="while the queue or the results root is away, wait for it (for use at boot)",
    )
    start.add_argument(
        "--allocation",
        choices=["auto", "none"],
        default="auto",
        help="with --foreground: offer what Slurm, PBS or HTCondor granted (auto), or ignore them",
    )
    start.add_argument(
        "--for",
        dest="for_s",
        type=parse_duration,
        metavar="DURATION",
        help="in an allocation: leave after so long (when it ends, as its system says)",
    )
    start.add_argument(
        "--idle",
        type=parse_duration,
        metavar="DURATION",
        help="leave after so long without jobs (never)",
    )
    _add_options(start)
    _add_far(start)
    stop = actions.add_parser("stop", help="run no more jobs here", allow_abbrev=False)
    how = stop.add_mutually_exclusive_group()
    how.add_argument("--drain", action="store_true", help="take no more jobs, wait for the last")
    how.add_argument("--now", action="store_true", help="hand the jobs back to the queue")
    _add_name(stop)
    _add_far(stop)
    drain = actions.add_parser(
        "drain", help="take no more jobs, stop after the last; returns at once", allow_abbrev=False
    )
    _add_name(drain)
    _add_far(drain)
    status = actions.add_parser("status", help="whether a worker runs here", allow_abbrev=False)
    _add_name(status)
    _add_far(status)
    install = actions.add_parser(
        "install", help="start the worker whenever this machine boots", allow_abbrev=False
    )
    install.add_argument("--print", action="store_true", help="show what would be done")
    _add_options(install)
    uninstall = actions.add_parser("uninstall", help="undo install", allow_abbrev=False)
    _add_name(uninstall)


def _add_options(parser: argparse.ArgumentParser) -> None:
    _add_name(parser)
    parser.add_argument("--cores", type=int, metavar="N", help="give jobs at most N cores (all)")
    parser.add_argument("--mem", metavar="SIZE", help="give jobs at most this memory (all)")
    parser.add_argument("--gpus", metavar="all|none|0,1", help="which GPUs jobs may use (all)")
    parser.add_argument(
        "--guest",
        choices=MODES,
        help="how it gives way to people at this machine (the setting `guest`)",
    )


def _add_far(parser: argparse.ArgumentParser) -> None:
    add_machines(parser)
    add_json(parser)


def _add_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", metavar="MACHINE", help="the machine's name (its host name)")


def run(args: argparse.Namespace) -> int:
    """Carry out the action that the user typed."""
    settings = load(os.environ).settings
    machines = machines_of(args, settings) if "on" in args else ()
    if machines:
        return _run_on(machines, settings, args)
    if args.name is not None:
        settings = settings._replace(machine=checked_machine(args.name))
    actions = {
        "start": _start,
        "stop": _stop,
        "drain": _drain,
        "status": _status,
        "install": _install,
        "uninstall": _uninstall,
    }
    return actions[args.action](settings, args)


_FIELDS = {"keep-trying": "keep_trying", "for": "for_s"}


def _run_on(machines: tuple[str, ...], settings: Settings, args: argparse.Namespace) -> int:
    """Have other machines carry out the action."""
    for flag in ("name", "foreground", "keep-trying", "for"):
        if getattr(args, _FIELDS.get(flag, flag), None):
            raise InvalidInputError(
                f"--{flag} cannot be used with --on and --all", why="it is for this machine alone"
            )
    words = ["worker", args.action]
    if args.action == "start":
        words += _options(args).flags()
    if args.action == "stop":
        words += [f"--{how}" for how in ("drain", "now") if getattr(args, how)]
    if args.action == "status":
        words.append("--json")
    waits = args.action == "stop" and args.drain
    timeout_s = None if waits else _FAR_S
    return run_on(settings, machines, words, timeout_s=timeout_s, as_json=args.json)


_ENDS_AT_LOGOUT = (
    "warning: when you log out, this machine ends the worker and its jobs; "
    "`mlq worker install` gives it one that stays, where that can be"
)


def _start(settings: Settings, args: argparse.Namespace) -> int:
    from mlq_worker.service import start as background

    options = _options(args)
    if args.foreground:
        _run_here(settings, args)
        return 0
    if args.for_s is not None:
        raise InvalidInputError(
            "--for cannot be used without --foreground",
            why="it is for a worker inside an allocation of a batch system",
        )
    _warn_in_allocation(args)
    says = background.start(settings, options, keep_trying=args.keep_trying)
    stays = background.outlives_logout(settings)
    if args.json and not stays:
        says = f"{says}; {_ENDS_AT_LOGOUT}"
    _print_done(settings, says, as_json=args.json)
    if not stays:
        say(_ENDS_AT_LOGOUT)
    return 0


def _warn_in_allocation(args: argparse.Namespace) -> None:
    """Warn of a worker that offers a whole machine of which only a part was granted."""
    from mlq_worker.allocation.asking import look

    found = None if args.allocation == "none" else look(os.environ)
    if found is not None:
        say(
            f"warning: this is {found.words}, and the worker offers all of the machine; "
            "with --foreground it offers what was granted, and leaves in time"
        )


def _run_here(settings: Settings, args: argparse.Namespace) -> None:
    """Be the worker in this process, of this machine or of the allocation around it."""
    from mlq_worker.service import allocated, control

    found = None if args.allocation == "none" else allocated.noticed(os.environ, args.for_s)
    if found is None:
        if args.for_s is not None:
            raise InvalidInputError(
                "--for cannot be used here", why="this is no allocation of Slurm, PBS or HTCondor"
            )
        control.run(settings, _options(args), keep_trying=args.keep_trying)
        return
    wanted = _options(args)
    options = allocated.options_inside(replace(wanted, gpus=args.gpus or ""), found)
    with allocated.settled(settings, found, args.name) as here:
        control.run(here, options, keep_trying=args.keep_trying, inside=found)


def _print_done(settings: Settings, says: str, *, as_json: bool) -> None:
    if as_json:
        print_json([Outcome(settings.machine, ok=True, says=says).as_json()])
    else:
        print_lines([says])


def _stop(settings: Settings, args: argparse.Namespace) -> int:
    from mlq_worker.service import control

    how: control.How = "drain" if args.drain else "now" if args.now else "keep"
    control.stop(settings, how, say)
    if args.json:
        _print_done(settings, f"no worker runs for {settings.machine} any more", as_json=True)
    return 0


def _drain(settings: Settings, args: argparse.Namespace) -> int:
    from mlq_worker.service import control

    _print_done(settings, control.drain(settings), as_json=args.json)
    return 0


def _status(settings: Settings, args: argparse.Namespace) -> int:
    from mlq_worker.service.status import status as look

    status = look(settings)
    if args.json:
        print_json(
            [
                {
                    "machine": status.machine,
                    "running": status.running,
                    "pid": status.pid,
                    "doing": status.doing,
                    "supervised": status.supervised,
                    "log": str(status.log),
                    "at_boot": status.at_boot,
                }
            ]
        )
    elif status.running:
        print_lines([f"a worker for {status.machine} runs (process {status.pid})"])
    elif status.supervised:
        print_lines([f"no worker runs for {status.machine}, but its supervisor does: jobs go on"])
    else:
        print_lines([f"no worker runs for {status.machine}; start it with: mlq worker start"])
    if not args.json:
        facts = {"doing": status.doing, "at boot": status.at_boot, "log": str(status.log)}
        print_lines(f"  {label:<9}{text}" for label, text in facts.items() if text)
    return 0 if status.running else 1


def _install(settings: Settings, args: argparse.Namespace) -> int:
    from mlq_worker.service.install import install

    print_lines(install(settings, _options(args), args.print).split("\n"))
    return 0


def _uninstall(settings: Settings, args: argparse.Namespace) -> int:  # noqa: ARG001 - as the others
    from mlq_worker.service.install import uninstall

    print_lines(uninstall(settings).split("\n"))
    return 0


def _options(args: argparse.Namespace) -> WorkerOptions:
    if args.cores is not None and args.cores < 1:
        raise InvalidInputError(f"--cores {args.cores} cannot be used", why="at least 1 is needed")
    gpus: str = args.gpus or "all"
    if gpus not in {"all", "none"} and not all(one.isdigit() for one in gpus.split(",")):
        raise InvalidInputError(
            f"--gpus {gpus} cannot be used", fix="all, none, or the GPUs' numbers: 0,1"
        )
    mem_mib = None if args.mem is None else parse_size(args.mem)
    if args.guest is not None and not getattr(args, "on", None) and not getattr(args, "all", False):
        loaded = load(os.environ)
        with_mode(loaded.settings, args.guest, loaded.origin)
    idle_s = getattr(args, "idle", None)
    return WorkerOptions(args.cores, mem_mib, gpus, idle_s, args.guest or "")
