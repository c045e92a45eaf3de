"""`mlq doctor`: checks everything that mlq needs."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlq.settings.load import Loaded, load
from mlq_cli.invocation.parser import add_json
from mlq_cli.invocation.session import out_style, print_json, print_painted
from mlq_cli.remote.command import add_machines, machines_of

if TYPE_CHECKING:
    from mlq_cli.doctor.check import Check
    from mlq_cli.remote.fanout import Show

HELP = "look for what is missing or wrong, here or on other machines, and say what to do"
EXAMPLES = """\
  mlq doctor
  mlq doctor --on gpu01,gpu02
  mlq doctor --all --json"""

_FAR_S = 180.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_machines(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Examine the machines; return 0 unless there is a problem."""
    from mlq_cli.doctor.check import Level, check_table
    from mlq_cli.doctor.runner import examine, probes
    from mlq_cli.render.progress import Progress

    loaded = load(os.environ)
    machines = machines_of(args, loaded.settings)
    with Progress() as progress:
        if machines:
            found = _far(machines, loaded, progress.show)
        else:
            here = loaded.settings.machine
            found = [(here, one) for one in examine(probes(loaded), progress.show)]
    if args.json:
        print_json({"machine": name, **one.as_json()} for name, one in found)
    else:
        print_painted(check_table(found, out_style()))
    return 1 if any(one.level == Level.PROBLEM for _, one in found) else 0


def _far(machines: Sequence[str], loaded: Loaded, show: Show) -> list[tuple[str, Check]]:
    """Have each machine examine itself, add the check of ssh, and compare what must agree."""
    from mlq_cli.doctor import judge, look
    from mlq_cli.doctor.check import Check, ok, problem
    from mlq_cli.doctor.cross_check import disagreements
    from mlq_cli.remote import far_mlq
    from mlq_cli.remote.fanout import on_all
    from mlq_cli.remote.outcome import Outcome
    from mlq_cli.remote.ssh import Ran, Ssh

    def read(machine: str, ran: Ran) -> Outcome:
        checks = far_mlq.read_objects(machine, ran)
        return Outcome(machine, ran.code == 0, "examined", details={"checks": checks})

    settings = loaded.settings
    ssh = Ssh(settings)
    words = ["doctor", "--json"]
    task = far_mlq.task(ssh, settings.root, words, timeout_s=_FAR_S, read=read)
    found: list[tuple[str, Check]] = []
    for outcome in on_all(ssh, machines, task, show=show):
        name = outcome.machine
        if "checks" in outcome.details:
            found.append((name, ok("ssh", "lets us in, its key is known, and it has mlq")))
            found += [(name, Check.from_json(one)) for one in outcome.details["checks"]]
        else:
            found.append((name, problem("reach", outcome.says, outcome.fix)))
    own = [*map(judge.file, look.files(loaded)), judge.times(settings)]
    return disagreements(settings.machine, own, found)
