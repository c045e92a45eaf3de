"""`mlq deploy`: installs this mlq in the results root, for all machines."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mlq.errors import InvalidInputError
from mlq.settings.check import HOST_RULE, is_host
from mlq.settings.load import load
from mlq.settings.settings import Settings
from mlq_cli.invocation.parser import add_json
from mlq_cli.invocation.session import print_json, print_lines

if TYPE_CHECKING:
    from mlq_cli.remote.deploy import Runner

HELP = "put this mlq into the results root, from where all machines run it"
EXAMPLES = """\
  mlq deploy                      by the queue's host, or here if that is this machine
  mlq deploy --on gpu01           by another machine, if that one has the better Python
  mlq deploy --python /vol/me/python3.12/bin/python3"""

_FAR_S = 1800.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("--on", metavar="HOST", help="the machine that does it, by ssh")
    parser.add_argument(
        "--python", default="", metavar="PATH", help="the Python to use there (the newest found)"
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Deploy."""
    from mlq_cli.remote import deploy, wheel
    from mlq_cli.render.progress import Progress

    if args.on is not None and not is_host(args.on):
        raise InvalidInputError(f"--on {args.on!r} cannot be used", why=HOST_RULE)
    if any(character.isspace() for character in args.python):
        raise InvalidInputError(f"--python {args.python!r} cannot be used", why="it has spaces")
    settings = load(os.environ).settings
    host = args.on or (settings.queue_host if settings.is_remote else "")
    where = host or "this machine"
    with Progress() as progress:
        progress.show({where: "connecting" if host else "working"})
        done = deploy.deploy(
            _by_ssh(settings, host) if host else deploy.run_here,
            where,
            settings.root,
            wheel.build(),
            args.python,
            lambda line: progress.show({where: line}),
        )
    if args.json:
        print_json([{"machine": where, "root": str(settings.root), **done}])
        return 0
    verb = "is now" if done["built"] or done["before"] != done["version"] else "is"
    lines = [f"mlq {done['version']} {verb} what machines run from {settings.root}/software"]
    if done["before"]:
        lines.append(f"  before    {done['before']}, which is kept")
    lines += [f"  deleted   {one}" for one in done["dropped"]]
    print_lines([*lines, "  workers   go on with theirs until started anew: `mlq worker start`"])
    return 0


def _by_ssh(settings: Settings, host: str) -> Runner:
    from mlq_cli.remote.ssh import Ran, Ssh

    ssh = Ssh(settings)

    def run(words: Sequence[str], stdin: bytes, told: Callable[[str], None]) -> Ran:
        return ssh.run(host, words, stdin=stdin, timeout_s=_FAR_S, told=told)

    return run
