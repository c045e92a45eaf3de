"""`mlq server`: starts, stops, restores and shows the queue's own Redis server."""

from __future__ import annotations

import argparse
import os
from dataclasses import asdict

from mlq.server import control as server
from mlq.server import status as server_status
from mlq.server.files import ServerFiles
from mlq.settings.load import load
from mlq.settings.settings import Settings
from mlq.store.store import Store
from mlq_cli.invocation.parser import add_json
from mlq_cli.invocation.session import print_json, print_lines
from mlq_cli.remote.command import checked_hosts, run_on
from mlq_cli.remote.outcome import Outcome
from mlq_cli.render.clean import clean
from mlq_cli.render.words import count

HELP = "start, stop, restore or look at the queue's server, on the machine that keeps the queue"
EXAMPLES = """\
  mlq server start
  mlq server status
  mlq server start --on gpu01     there, by ssh; see `mlq deploy`
  mlq server stop                 the queue stays on disk
  mlq server restore --dry-run    what could be made anew from the results root"""

_FAR_S = 180.0  # a long append-only log takes a while to load


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    helps = {
        "start": "start the server unless it runs",
        "stop": "stop the server; the queue stays on disk",
        "status": "whether the server runs",
        "restore": "make a queue that its server has lost anew from the results root",
    }
    for name, about in helps.items():
        action = actions.add_parser(name, help=about, allow_abbrev=False)
        action.add_argument("--on", metavar="HOST", help="do it there, by ssh; see `mlq deploy`")
        add_json(action)
        if name == "restore":
            action.add_argument("--dry-run", action="store_true", help="only tell what is there")
            action.add_argument("-y", "--yes", action="store_true", help="do not ask")
        if name == "start":
            action.add_argument(
                "--accept-loss",
                action="store_true",
                help="start even if jobs are missing in the queue's data, or all of them",
            )


def run(args: argparse.Namespace) -> int:
    """Carry out the action that the user typed."""
    settings = load(os.environ).settings
    if args.on is not None:
        words = ["server", args.action, *(["--json"] if args.action == "status" else [])]
        if args.action == "restore":
            words += [*["--dry-run"] * args.dry_run, *["--yes"] * args.yes]
        if args.action == "start":
            words += ["--accept-loss"] * args.accept_loss
        hosts = checked_hosts(args.on)
        return run_on(settings, hosts, words, timeout_s=_FAR_S, as_json=args.json)
    if args.action == "status":
        return _status(settings, as_json=args.json)
    if args.action == "restore":
        from mlq_cli.restoring import restore

        return restore(settings, dry_run=args.dry_run, agreed=args.yes, as_json=args.json)
    if args.action == "start":
        says = _start(settings, accept_loss=args.accept_loss)
    else:
        says = _stop(settings)
    if args.json:
        print_json([Outcome(settings.machine, ok=True, says=says).as_json()])
    else:
        print_lines([says])
    return 0


def _start(settings: Settings, *, accept_loss: bool) -> str:
    notices: list[str] = []
    started = server.start(settings, accept_loss=accept_loss, say=notices.append)
    verb = "answers now" if started else "answers already"
    says = "; ".join([f"the queue {verb} at {settings.redis_socket}", *notices])
    if settings.redis_tcp:
        # The warning is part of the one line that is printed, so --on and --json pass it on too.
        says += (
            f"; warning: redis_tcp is set, so everybody who is logged in on {settings.machine} can "
            f"reach it at 127.0.0.1:{settings.redis_port}, and only its password protects it"
        )
    return says


def _stop(settings: Settings) -> str:
    kept = _keep_copy(settings)
    stopped = server.stop(settings)
    return f"the queue's server has stopped{kept}" if stopped else "no server runs here"


def _keep_copy(settings: Settings) -> str:
    """Copy the jobs that have not ended, and return in words whether that worked."""
    if not ServerFiles(settings.server_dir).is_running():
        return ""
    from mlq.copies.keeper import kept_at_stop

    def open_store() -> Store:
        return Store(server_status.connect(settings))

    kept = kept_at_stop(open_store, settings.root, settings.machine, settings.keep_days)
    if kept.trouble:
        return f"; no copy of its jobs was made: {kept.trouble.splitlines()[0]}"
    return f"; a copy of {count(kept.jobs, 'job')} that had not ended is on the results root"


def _status(settings: Settings, *, as_json: bool) -> int:
    """Print the server's status; return 0 if it runs and answers."""
    found = server_status.status(settings)
    if as_json:
        plain = asdict(found)
        plain |= {name: str(plain[name]) for name in ("socket", "folder", "log_file")}
        print_json([plain])
    elif not found.running:
        lines = ["no server runs here; start it with: mlq server start"]
        if found.note:
            # The last line of a log need not be the reason why no server runs.
            lines.append(
                f"  the last line of {found.log_file}: {clean(found.note.splitlines()[0])}"
            )
        print_lines(lines)
    else:
        memory = "" if found.memory_mib is None else f"{found.memory_mib:.1f} MiB"
        facts = {
            "process": str(found.pid or ""),
            "server": f"{found.version} ({found.binary})" if found.version else "",
            "socket": str(found.socket),
            "data": str(found.folder),
            "log": str(found.log_file),
            "holds": "" if found.jobs is None else f"{count(found.jobs, 'job')} in {memory}",
            "fsync": found.fsync,
            "on disk": found.aof,
        }
        head = "the queue's server runs"
        head += f", but does not answer: {found.note.splitlines()[0]}" if found.note else ""
        lines = [head, *(f"  {label:<9}{text}" for label, text in facts.items() if text)]
        print_lines(lines)
    return 0 if found.running and not found.note else 1
