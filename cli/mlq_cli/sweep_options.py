"""The options of `mlq enqueue` that make a sweep of one command.

Every `mlq enqueue` imports this module, so it must not import anything of `mlq.sweeps`.
"""

from __future__ import annotations

import argparse

from mlq.errors import InvalidInputError

# Any of these makes a sweep; the other options only say how.
_MAKING = ("param", "seeds", "sweep", "table", "commands", "repeat", "array", "search")
_SAYING_HOW = {
    "zip": "--zip",
    "sample": "--sample",
    "sample_seed": "--sample-seed",
    "unused_ok": "--unused-ok",
    "again": "--again",
    "max_running": "--max-running",
    "max_fails": "--max-fails",
    "dry_run": "--dry-run",
    "csv": "--csv",
    "yes": "--yes",
}
_OF_A_SEARCH = {
    "minimize": "--minimize",
    "maximize": "--maximize",
    "prune": "--prune",
    "detach": "--detach",
}
# A search makes its members one by one, from parameters only.
_NOT_OF_A_SEARCH = {
    "seeds": "--seeds",
    "table": "--from",
    "commands": "--commands",
    "repeat": "--repeat",
    "array": "--array",
    "zip": "--zip",
    "sample": "--sample",
    "again": "--again",
    "csv": "--csv",
    "after_time": "--after-time",
    "at": "--at",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    _configure_values(parser)
    _configure_choice(parser)
    _configure_search(parser)


def _configure_values(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "a sweep",
        "many jobs of one command, in which {lr} stands for the parameter lr, and {args} for"
        " --lr=1e-3 --seed=0; values are 1,2,3 range(5) 0..9 linspace(a,b,n) geomspace(a,b,n)"
        " glob(*.yaml) file(list.txt)",
    )
    group.add_argument(
        "--param", action="append", default=[], metavar="K=VALUES", help="a parameter (repeatable)"
    )
    group.add_argument("--seeds", type=int, metavar="N", help="the parameter seed, from 0 to N-1")
    group.add_argument(
        "--sweep",
        action="store_true",
        help="the command itself says what varies: lr=1e-3,1e-4 (Hydra's -m is dropped)",
    )
    group.add_argument(
        "--zip",
        action="append",
        default=[],
        metavar="A,B",
        help="these parameters vary together (repeatable)",
    )
    group.add_argument(
        "--from",
        dest="table",
        metavar="FILE",
        help="rows of parameters: CSV, JSON Lines or a JSON array; - is standard input",
    )
    group.add_argument(
        "--commands", metavar="FILE", help="one shell command on each line, instead of COMMAND"
    )
    group.add_argument("--repeat", type=int, metavar="N", help="each N times: the parameter repeat")
    group.add_argument("--array", metavar="0-9[%N]", help="as in Slurm, with SLURM_ARRAY_TASK_ID")


def _configure_choice(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("which of a sweep, and how")
    group.add_argument(
        "--sample",
        type=int,
        metavar="N",
        help="draw N; values may then be uniform(a,b), loguniform(a,b) or randint(a,b)",
    )
    group.add_argument(
        "--sample-seed", type=int, metavar="N", help="another N draws other members (0)"
    )
    group.add_argument(
        "--again",
        choices=("code", "all"),
        help="also run members that are done: those of other code, or all",
    )
    group.add_argument(
        "--max-running", type=int, metavar="N", help="at most N run at once; 0: no limit"
    )
    group.add_argument(
        "--max-fails", type=int, metavar="N", help="hold the rest if the first N fail (5); 0: never"
    )
    group.add_argument(
        "--unused-ok", action="store_true", help="the command need not use every parameter"
    )
    group.add_argument("--dry-run", action="store_true", help="enqueue nothing, show what would be")
    group.add_argument(
        "--csv", action="store_true", help="with --dry-run: the whole table, for --from"
    )
    group.add_argument("--yes", action="store_true", help="allow more than 10,000 members")


def _configure_search(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "a search",
        "a sweep whose members are chosen one by one, from what the earlier ones measured",
    )
    group.add_argument("--search", type=int, metavar="N", help="make N members, the best ones last")
    group.add_argument(
        "--minimize",
        metavar="METRIC",
        help="its last value is to become small; the least of a member: min:METRIC",
    )
    group.add_argument("--maximize", metavar="METRIC", help="its last value is to become large")
    group.add_argument(
        "--prune",
        choices=("median", "asha"),
        help="stop members that are worse than others at the same step",
    )
    group.add_argument(
        "--detach", action="store_true", help="let a small job drive the search, not this command"
    )


def is_search(args: argparse.Namespace) -> bool:
    """Return whether the options ask for a search.

    Raises:
        InvalidInputError: an option needs `--search`, or does not go with it.
    """
    if args.search is None:
        for name, option in _OF_A_SEARCH.items():
            if _is_given(getattr(args, name)):
                raise InvalidInputError(
                    f"{option} needs --search", fix="add for example --search 60"
                )
        return False
    for name, option in _NOT_OF_A_SEARCH.items():
        if _is_given(getattr(args, name)):
            raise InvalidInputError(
                f"--search and {option} cannot both be given",
                why="a search makes its members one by one, from --param",
            )
    return True


def is_sweep(args: argparse.Namespace) -> bool:
    """Return whether the options ask for a sweep.

    Raises:
        InvalidInputError: no option says what varies, and some say how.
    """
    if any(_is_given(getattr(args, name)) for name in _MAKING):
        return True
    for name, option in _SAYING_HOW.items():
        if _is_given(getattr(args, name)):
            raise InvalidInputError(
                f"{option} is for sweeps, and nothing varies",
                fix="add for example --param lr=1e-3,1e-4, --seeds 5 or --repeat 3",
            )
    return False


def _is_given(value: object) -> bool:
    return value is not None and value is not False and value != []
