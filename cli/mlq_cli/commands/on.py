"""`mlq on`: lets mlq run jobs again on this machine, if it was switched off by `mlq off`."""

from __future__ import annotations

import argparse
import os

from mlq_cli.invocation.parser import add_json
from mlq_cli.invocation.session import print_json, print_lines
from mlq_cli.switching import shared_folder, standing, switch_on

HELP = "let mlq run jobs again on this machine (see: mlq off)"
EXAMPLES = "  mlq on"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Remove what this user switched off."""
    folder = shared_folder(os.environ)
    before = standing(folder)
    switch_on(folder)
    if args.json:
        print_json(one.as_json() for one in standing(folder))
        return 0
    machine = os.uname().nodename.split(".")[0]
    print_lines(
        [f"mlq runs jobs again on {machine}" if before else f"mlq was not off on {machine}"]
    )
    return 0
