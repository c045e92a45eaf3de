"""The parser of the command line: argparse with our own error messages.

A wrong option gives one message that says what to type instead, like any other error.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from mlq.errors import InvalidInputError

HELP_COLUMNS = 80


class Parser(argparse.ArgumentParser):
    """A parser that raises `InvalidInputError` where argparse would print a usage and exit."""

    def may_begin_with_dash(self, option: argparse.Action) -> None:
        """Let the value of an option begin with a dash: `--sort -acc`."""
        self._dashed = {*getattr(self, "_dashed", ()), *option.option_strings}

    def keep_rest_as(self, name: str) -> None:
        """Put all words after the first `--` under this name, as they are."""
        self._rest = name

    def forget_defaults(self) -> dict[str, Any]:
        """Take the options' defaults away, so that one sees what was typed; return them."""
        defaults = {one.dest: one.default for one in self._actions if one.dest != "help"}
        for one in self._actions:
            one.default = argparse.SUPPRESS
        return defaults

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse words; join the values that may begin with a dash to their options."""
        words = list(sys.argv[1:] if args is None else args)
        if name := getattr(self, "_rest", ""):
            namespace = namespace or argparse.Namespace()
            end = words.index("--") if "--" in words else len(words)
            setattr(namespace, name, words[end + 1 :])
            words = words[:end]
        dashed: set[str] = getattr(self, "_dashed", set())
        joined: list[str] = []
        while words:
            word = words.pop(0)
            is_value = word in dashed and words and words[0][:1] == "-" and words[0][1:2] != "-"
            joined.append(f"{word}={words.pop(0)}" if is_value else word)
        return super().parse_known_args(joined, namespace)

    def option_strings(self) -> list[str]:
        """Return all options of this command and of its actions."""
        known = list(self._option_string_actions)
        for action in self._actions:
            if isinstance(action.choices, dict):  # the parsers of the actions, by name
                known += [
                    one for inner in action.choices.values() for one in inner.option_strings()
                ]
        return known

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """Flush the help text and exit; a failed write is an error like any other."""
        sys.stdout.flush()
        super().exit(status, message)

    def error(self, message: str) -> NoReturn:
        """Raise our own error for argparse's message."""
        command = self.prog.removeprefix("mlq ").strip()
        unknown = re.fullmatch(r"unrecognized arguments: (.*)", message)
        if unknown:
            word = next(iter(unknown[1].split()), "''")
            guess = nearest(word.split("=")[0], self.option_strings())
            kind = "option" if word.startswith("-") else "argument"
            raise InvalidInputError(
                f"{command}: unknown {kind} {word}",
                fix=f"did you mean {guess}? " * bool(guess) + f"See: {self.prog} --help",
            )
        number = re.fullmatch(r"argument (?:\S+/)?(\S+): invalid int value: '(.*)'", message)
        if number:
            message = f"{number[1]} {number[2]} cannot be used: a whole number is needed"
        raise InvalidInputError(f"{command}: {message}", fix=f"see: {self.prog} --help")


class _Formatter(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        # With a width given, argparse does not import shutil to ask the terminal for each option.
        super().__init__(prog, width=HELP_COLUMNS)


def new_parser(prog: str, description: str, examples: str) -> Parser:
    """Return an empty parser for one command; `examples` is shown below its help."""
    return Parser(
        prog=prog,
        description=description,
        epilog=f"examples:\n{examples}",
        formatter_class=_Formatter,
        allow_abbrev=False,
    )


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word that is most like this one, or ""."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, list(known), n=1, cutoff=0.6)), "")


def check_text(text: str) -> None:
    """Refuse an argument or a variable that is not text.

    Raises:
        InvalidInputError: it is not UTF-8, so mlq can neither store nor show it.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidInputError(
            f"{text!a} cannot be used",
            why="it is not UTF-8 text",
            fix="a file with such a name can be reached by --shell and a wildcard",
        ) from None


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add --json, which is the same for every command."""
    parser.add_argument("--json", action="store_true", help="print a list of JSON objects")


def add_ids(parser: argparse.ArgumentParser, what: str, nargs: str = "+") -> None:
    """Add the argument for the jobs of a command; the shell completes ids and names."""
    from mlq_cli.invocation.completers import complete_jobs

    action = parser.add_argument("ids", nargs=nargs, metavar="ID", help=what)
    action.completer = complete_jobs  # type: ignore[attr-defined]


def add_choice(parser: argparse.ArgumentParser, doing: str) -> None:
    """Add the argument for the jobs of a command (ids, ranges, names, globs), and --state."""
    what = f"id, range (1040-1050), sweep, name or glob ('lr-*') of jobs to {doing}"
    add_ids(parser, what, nargs="*")
    add_state(parser)


def add_state(parser: argparse.ArgumentParser) -> None:
    """Add --state, which is the same for every command."""
    from mlq_cli.invocation.completers import complete_states

    action = parser.add_argument(
        "--state",
        action="extend",
        type=_states,
        metavar="STATE[,STATE]",
        help="only jobs in these states: deferred, scheduled, queued, started, finished, failed,"
        " canceled or held",
    )
    action.completer = complete_states  # type: ignore[attr-defined]


def _states(typed: str) -> list[str]:
    from mlq.api.selecting import STATES

    words = [one.strip() for one in typed.split(",")]
    for word in words:
        if word not in STATES:
            guess = nearest(word, STATES)
            raise InvalidInputError(
                f"--state {word}: there is no such state",
                why=f"a job is {', '.join(STATES[:-1])} or {STATES[-1]}",
                fix=f"did you mean {guess}?" if guess else "",
            )
    return words
