"""`mlq off`: switches off every mlq of this machine, whoever runs it."""

from __future__ import annotations

import argparse
import os

from mlq.errors import InvalidInputError
from mlq.units import parse_duration
from mlq_cli.invocation.parser import add_json, check_text
from mlq_cli.invocation.session import print_json, print_lines
from mlq_cli.switching import local_time, shared_folder, standing, switch_off

HELP = "switch off every mlq of this machine, also other people's (back again: mlq on)"
EXAMPLES = """\
  mlq off                         for 12 hours
  mlq off --for 4h 'demo at noon'
  touch /tmp/mlq-off              the same, for those who have no mlq"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument(
        "--for",
        dest="for_s",
        type=parse_duration,
        metavar="DURATION",
        help="at most 24h (12h)",
    )
    parser.add_argument("why", nargs="*", metavar="WHY", help="shown to those whose jobs wait")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Switch it off; jobs pause within two seconds and are handed back after a minute."""
    why = " ".join(args.why)
    if args.why and not why.strip():
        raise InvalidInputError("WHY is empty", fix="say why, or leave it out")
    check_text(why)
    folder = shared_folder(os.environ)
    path = switch_off(folder, args.for_s, why)
    switches = standing(folder)
    if args.json:
        print_json(one.as_json() for one in switches)
        return 0
    own = next(one for one in switches if one.path == path)
    machine = os.uname().nodename.split(".")[0]
    until = local_time(own.until)
    print_lines([f"mlq is off on {machine} until {until}; `mlq on` ends that sooner"])
    if switches[0] is not own:
        other = switches[0]
        print_lines([f"and until {local_time(other.until)} by {other.by}: {other.path}"])
    return 0
