"""`mlq machines`: shows which machines run jobs, and what is free there."""

from __future__ import annotations

import argparse

from mlq.api.root_and_queue import look
from mlq.errors import InvalidInputError
from mlq_cli.invocation.parser import add_json
from mlq_cli.invocation.session import (
    open_queue,
    out_style,
    print_json,
    print_lines,
    print_painted,
    say,
)
from mlq_cli.render.machines import machine_json, machine_table
from mlq_cli.render.people import people_json, people_table
from mlq_cli.render.words import listed

HELP = "list the machines: what is free, what runs, and what is wrong"
EXAMPLES = """\
  mlq machines
  mlq machines --json
  mlq machines --people
  mlq machines forget lab07"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument(
        "action", nargs="?", choices=["forget"], help="forget machines that are gone for good"
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="the machines to forget")
    parser.add_argument(
        "--people",
        action="store_true",
        help="who holds what on them now, by mlq or not, and who waits",
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the machines."""
    if args.action and not args.names:
        raise InvalidInputError("which machine?", fix="mlq machines forget NAME")
    queue = open_queue()
    if args.action:
        for name in args.names:
            queue.store.roles.forget_machine(name, queue.settings.lease_s)
            say(f"{name} is forgotten")
        return 0
    machines = queue.store.reads.machines()
    conditions = queue.conditions()
    pair = look(queue.store.client, queue.layout)
    if pair.other:
        # The queue cannot report this: it does not know these jobs.
        say(f"{pair.other.what}: {pair.other.why}")
        say(pair.other.fix)
        for name, ids in pair.running.items():
            machines.setdefault(name, (float("inf"), {}))
            conditions[name] = (
                f"runs what this queue does not know: {listed(ids)} (by its last beat)"
            )
    lease_s = queue.settings.lease_s
    if args.people:
        live = {name: record for name, (heard_s, record) in machines.items() if heard_s <= lease_s}
        if args.json:
            print_json(people_json(live))
        else:
            print_painted(people_table(live, out_style()) or ["nobody holds anything now"])
    elif args.json:
        print_json(
            machine_json(name, heard_s, record, conditions.get(name, ""), lease_s)
            for name, (heard_s, record) in sorted(machines.items())
        )
    elif machines:
        print_painted(machine_table(machines, conditions, lease_s, out_style()))
    else:
        print_lines(["no machine has ever worked for this queue; on one, type: mlq worker start"])
    return 0
