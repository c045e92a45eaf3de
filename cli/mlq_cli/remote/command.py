"""What all commands with `--on` and `--all` share: which machines they mean, how results look."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from mlq.errors import InvalidInputError
from mlq.settings.check import HOST_RULE, is_host
from mlq.settings.settings import Settings
from mlq_cli.remote.outcome import Outcome


def add_machines(parser: argparse.ArgumentParser) -> None:
    """Add --on and --all, which exclude each other."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--on", metavar="HOST,HOST", help="do it there, by ssh; see `mlq deploy`")
    where.add_argument(
        "--all", action="store_true", help="do it on all machines that the setting `machines` lists"
    )


def machines_of(args: argparse.Namespace, settings: Settings) -> tuple[str, ...]:
    """Return the machines that a command line means; empty: this machine.

    Raises:
        InvalidInputError: a name cannot be a host, or the setting `machines` lists none.
    """
    if args.all:
        if settings.machines:
            return tuple(dict.fromkeys(settings.machines))
        raise InvalidInputError(
            "--all means no machine",
            why="the setting `machines` lists none",
            fix="list them: `mlq init --machines gpu01,gpu02`",
        )
    return () if args.on is None else checked_hosts(args.on)


def checked_hosts(text: str) -> tuple[str, ...]:
    """Return the hosts in a list with commas, each once.

    Raises:
        InvalidInputError: a name cannot be a host, or the list is empty.
    """
    names = tuple(dict.fromkeys(one.strip() for one in text.split(",") if one.strip()))
    wrong = next((one for one in names if not is_host(one)), None if names else text)
    if wrong is not None:
        raise InvalidInputError(f"{wrong!r} cannot be used", why=HOST_RULE)
    return names


def run_on(
    settings: Settings,
    machines: Sequence[str],
    words: Sequence[str],
    *,
    timeout_s: float | None,
    as_json: bool,
) -> int:
    """Run `mlq` with these words on machines, print the outcomes; return 0 if all succeeded."""
    from mlq_cli.remote import far_mlq
    from mlq_cli.remote.fanout import on_all
    from mlq_cli.remote.ssh import Ssh
    from mlq_cli.render.progress import Progress

    ssh = Ssh(settings)
    read = far_mlq.read_status if "--json" in words else far_mlq.read_words
    task = far_mlq.task(ssh, settings.root, words, timeout_s=timeout_s, read=read)
    with Progress() as progress:
        outcomes = on_all(ssh, machines, task, show=progress.show)
    return print_outcomes(outcomes, as_json=as_json)


def print_outcomes(outcomes: Sequence[Outcome], *, as_json: bool) -> int:
    """Print the outcome of each machine; return 0 if all succeeded."""
    from mlq_cli.invocation.session import out_style, print_json, print_painted
    from mlq_cli.remote.outcome import outcome_table

    if as_json:
        print_json(one.as_json() for one in outcomes)
    else:
        print_painted(outcome_table(outcomes, out_style()))
    return 0 if all(one.ok for one in outcomes) else 1
