"""`mlq results`: the parameters of jobs and what they measured, as a table."""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlq.errors import InvalidInputError
from mlq_cli.choosing import check_choice
from mlq_cli.invocation.parser import Parser, add_choice
from mlq_cli.invocation.session import open_queue, out_style, print_json, print_lines, print_painted

if TYPE_CHECKING:
    from mlq.metrics.table import Table

HELP = "show what jobs measured: a table of parameters and metrics"
EXAMPLES = """\
  mlq results lr
  mlq results lr --sort -acc
  mlq results lr --over seed --sort min:val_loss
  mlq results lr --at min:val_loss --cols lr,acc,val_loss
  mlq results lr --cols +best:acc --csv > lr.csv

A metric is its last value; min:loss, max:acc and best:acc (the largest) are
those of the whole run. A short name is enough while it means one: acc for
val/acc. --over seed shows mean ± sample deviation, and how many of how many
members count: finished ones, or those of --state."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_choice(parser, "show the results of")
    sort = parser.add_argument(
        "--sort", metavar="[-]COLUMN[,...]", help="order by these columns; -: largest first"
    )
    parser.add_argument(
        "--over", metavar="PARAM[,...]", help="average jobs that differ in these only"
    )
    parser.add_argument(
        "--at", metavar="min:METRIC", help="all metrics at the step where this one was least"
    )
    parser.add_argument(
        "--cols",
        metavar="COLUMN[,...]",
        help="these columns only; +COLUMN: this one, too. Parameters, metrics, id, name, state,"
        " time, machine, attempt, command",
    )
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument("--csv", action="store_true", help="print CSV, numbers at full precision")
    forms.add_argument("--json", action="store_true", help="print a list of JSON objects")
    forms.add_argument("--md", action="store_true", help="print a table in Markdown")
    forms.add_argument("--latex", action="store_true", help="print a table in LaTeX")
    if isinstance(parser, Parser):
        parser.may_begin_with_dash(sort)


def run(args: argparse.Namespace) -> int:
    """Print the table."""
    from mlq.api.results import results_of, taken_at
    from mlq_cli.curves import points_by_job

    check_choice(args, "results")
    gc.disable()  # collecting takes a second for 10,000 members, and none of them is garbage
    queue = open_queue()
    states = args.state or ()
    table, sweep = results_of(queue.store, args.ids, states, time.time(), queue.tell)
    if args.at:
        table = taken_at(table, args.at, lambda some: points_by_job(queue, some))
    if args.over:
        table = table.with_means(_words(args.over, "--over"))
    if args.cols:
        table = table.showing(_words(args.cols, "--cols"))
    if args.sort:
        table = table.ordered(_words(args.sort, "--sort"))
    if args.csv or args.json or args.md or args.latex:
        _print_as(table, args)
        return 0
    from mlq_cli.render.clean import clean
    from mlq_cli.render.results import remarks, result_table
    from mlq_cli.render.sweeps import summary_line

    lines = [] if sweep is None else [clean(summary_line(sweep)), ""]
    lines += result_table(table, out_style())
    below = [clean(line) for line in remarks(table)]
    print_painted([*lines, *([""] if below else []), *below])
    return 0


def _print_as(table: Table, args: argparse.Namespace) -> None:
    from mlq_cli.render.result_texts import csv_text, json_rows, latex, markdown

    if args.csv and sys.stdout.isatty():
        print_lines(csv_text(table).split("\n")[:-1])
    elif args.csv:
        sys.stdout.write(csv_text(table))
    elif args.json:
        print_json(json_rows(table))
    else:
        print_lines(markdown(table) if args.md else latex(table))


def _words(typed: str, option: str) -> Sequence[str]:
    words = [one.strip() for one in typed.split(",")]
    if not all(words):
        raise InvalidInputError(
            f"{option} {typed}: a name is missing", fix=f"write for example {option} lr,acc"
        )
    return words
