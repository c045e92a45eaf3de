"""`mlq completion`: the Tab key."""

from __future__ import annotations

import argparse
import sys

HELP = "print what makes the shell complete commands, options, job ids and names"
EXAMPLES = """\
  mlq completion bash >> ~/.bashrc
  mlq completion zsh >> ~/.zshrc
  mlq completion fish > ~/.config/fish/completions/mlq.fish"""

SHELLS = ("bash", "zsh", "fish")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("shell", choices=SHELLS)


def run(args: argparse.Namespace) -> int:
    """Print the shell's own code."""
    from argcomplete.shell_integration import shellcode

    sys.stdout.write(shellcode(["mlq"], shell=args.shell).strip() + "\n")
    return 0
