"""`mlq completion`: prints what makes the Tab key complete."""

from __future__ import annotations

import argparse
import sys

HELP = "print what makes the shell complete commands, options, job ids and names"
EXAMPLES = """\
  mlq completion bash >> ~/.bashrc
  mlq completion zsh >> ~/.zshrc
  mlq completion fish > ~/.config/fish/completions/mlq.fish"""

SHELLS = ("bash", "zsh", "fish")

_ZSH_MARK = "#compdef mlq\n"
# Without this, a ~/.zshrc that never set up completion would print an error at each start.
_ZSH_COMPLETES = "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }\n"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("shell", choices=SHELLS)


def run(args: argparse.Namespace) -> int:
    """Print the shell's own code."""
    from argcomplete.shell_integration import shellcode

    code = shellcode(["mlq"], shell=args.shell).strip()
    if args.shell == "zsh":
        code = _ZSH_MARK + _ZSH_COMPLETES + code.removeprefix(_ZSH_MARK)
    sys.stdout.write(f"{code}\n")
    return 0
