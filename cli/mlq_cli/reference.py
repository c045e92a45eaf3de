"""Writes docs/commands.md from the parsers: `python -m mlq_cli.reference > docs/commands.md`.

It does not use argparse's own help, whose layout differs between versions of Python. A test checks
that the file is current.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from mlq_cli.invocation.parser import new_parser
from mlq_cli.main import COMMANDS, command_module

_INTRODUCTION = """\
# Commands

Written from the command line itself by `python -m mlq_cli.reference > docs/commands.md`.

Wherever a command takes an `ID`, it takes several, ranges (`1040-1050`, `1042_0-9`), sweeps and
names. `--json` prints a list of objects, times in UTC. The exit code is 0 if all went well, 1 if
not, 2 if the command line or a setting cannot be used, 130 after Ctrl-C."""


def reference() -> str:
    """Return the whole page."""
    parts = [_INTRODUCTION]
    for group, names in COMMANDS.items():
        parts.append(f"## {group}")
        for name in names:
            module = command_module(name)
            parser = new_parser(f"mlq {name}", module.HELP, module.EXAMPLES)
            module.configure(parser)
            parts += [*_command(parser, module.HELP, "###"), f"```\n{module.EXAMPLES}\n```"]
    return "\n\n".join(parts) + "\n"


def _command(parser: argparse.ArgumentParser, about: str, level: str) -> Iterator[str]:
    yield f"{level} `{parser.prog}`"
    yield f"{about[0].upper()}{about[1:]}."
    actions = list(parser._actions)  # noqa: SLF001 - argparse lists a parser's options nowhere else
    rows = [_row(one) for one in actions if one.help and not _is_inner(one)]
    shown = [f"| {name} | {meaning} |" for name, meaning in rows if name != "`-h`, `--help`"]
    if shown:
        yield "\n".join(["| Argument | Meaning |", "|---|---|", *shown])
    for action in actions:
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - see above
            helps = {one.dest: one.help or "" for one in action._get_subactions()}  # noqa: SLF001
            for name, inner in action.choices.items():
                yield from _command(inner, helps[name], f"{level}#")


def _is_inner(action: argparse.Action) -> bool:
    return isinstance(action, argparse._SubParsersAction)  # noqa: SLF001 - see above


def _row(action: argparse.Action) -> tuple[str, str]:
    shown = action.metavar or (action.choices and "|".join(action.choices)) or action.dest.upper()
    value = "" if action.nargs == 0 else f" {shown}"
    options = action.option_strings
    named = [f"`{one}`" for one in options[:-1]] + [f"`{options[-1]}{value}`"] if options else []
    text = ", ".join(named) or f"`{shown}`"
    return text.replace("|", "\\|"), str(action.help).replace("|", "\\|")


if __name__ == "__main__":
    print(reference(), end="")
