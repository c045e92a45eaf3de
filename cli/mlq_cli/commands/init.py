"""`mlq init`: asks for the settings of this machine, checks them and writes them."""

from __future__ import annotations

import argparse
import os
import sys

from mlq.settings.load import load
from mlq_cli.invocation.session import print_lines, say

HELP = "set mlq up on this machine: asks, checks each answer, writes the config file and the key"
EXAMPLES = """\
  mlq init
  mlq init --queue-host gpu01 --gateway shell1 --root /vol/bitbucket/me/mlq
  mlq init --machines gpu01,gpu02,gpu03
  mlq init --show                 what to paste on another machine"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument(
        "--queue-host", metavar="HOST", help="the host of the queue's server; '' is this machine"
    )
    parser.add_argument("--gateway", metavar="HOST", help="the ssh host to jump through")
    parser.add_argument("--root", metavar="FOLDER", help="the results root, as machines see it")
    parser.add_argument(
        "--remote-socket", metavar="PATH", help="the server's socket there (found by itself)"
    )
    parser.add_argument("--machines", metavar="HOST,HOST", help="the lab's machines, for --all")
    parser.add_argument(
        "--share-secrets",
        action="store_true",
        help="copy key and password from or to the queue's host by ssh, never over existing ones",
    )
    parser.add_argument(
        "--show", action="store_true", help="print what to paste on another machine; no secrets"
    )


def run(args: argparse.Namespace) -> int:
    """Set this machine up, or show what another machine needs."""
    loaded = load(os.environ)
    if args.show:
        from mlq_cli.setup.config_text import instructions

        print_lines(instructions(loaded.settings))
        return 0
    from mlq_cli.invocation.prompts import Asker
    from mlq_cli.setup.steps import Flags, set_up

    flags = Flags(
        queue_host=args.queue_host,
        gateway=args.gateway,
        root=args.root,
        remote_socket=args.remote_socket,
        machines=args.machines,
        share_secrets=args.share_secrets,
    )
    try:
        print_lines(set_up(loaded, flags, Asker(sys.stdin.isatty()), os.environ))
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        say("interrupted; what was written is whole, `mlq init` goes on from there")
        raise
    return 0
