"""`mlq ls`: the jobs, one a line."""

from __future__ import annotations

import argparse
import gc
import sys
import time

from mlq.api.queue import Queue
from mlq.jobs.lifecycle import ENDED, HELD, WAITING
from mlq.jobs.view import JobView
from mlq_cli.invocation.parser import add_ids, add_json, add_state
from mlq_cli.invocation.session import (
    local_now,
    open_queue,
    out_style,
    print_json,
    print_lines,
    print_painted,
)
from mlq_cli.render.jobs import (
    counts_of,
    ended_of,
    job_table,
    state_of,
    summary,
    total,
)
from mlq_cli.render.words import count

HELP = "list jobs: those that run, wait, or ended in the last 24 hours (of many: 50 each)"
EXAMPLES = """\
  mlq ls
  watch mlq ls
  mlq ls -a --state failed,canceled
  mlq ls 'lr-*' --state failed
  mlq ls --json | jq -r '.[] | select(.progress > 0.5) | .id'"""

_RECENT_S = 86400
# A sweep of thousands of jobs that ended today must not push those that run off the screen.
_ENDED_SHOWN = 50
# Nor must those that wait: the first in line, and how many more there are.
_WAITING_SHOWN = 50


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_ids(parser, "id, range, name or glob ('lr-*'): only these, whenever they ended", nargs="*")
    parser.add_argument("-a", "--all", action="store_true", help="all there ever were")
    add_state(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the jobs."""
    queue = open_queue()
    counts: dict[str, int] | None = None
    if args.json or args.all or args.state or args.ids:
        gc.disable()  # of a hundred thousand jobs nothing is garbage, and looking takes seconds
        if args.ids:
            ids = queue.select(args.ids, args.state or ())
            jobs = queue.with_conditions(queue.views(ids))
        else:
            jobs = _listed(queue, everything=args.all, states=args.state)
    else:
        jobs, counts = queue.glance(time.time() - _RECENT_S, _ENDED_SHOWN)
    if args.json:
        print_json(job.as_json() for job in jobs)
    elif jobs:
        counts = counts or counts_of(jobs)
        shown = jobs
        if not args.all:
            shown = _latest(jobs if args.state else _first(jobs))
        lines = [*job_table(shown, local_now(), out_style()), "", summary(counts)]
        print_painted([*lines, *_left_out(shown, counts, by_state=bool(args.state))])
        _hint(jobs)
    else:
        print_lines([_nothing(everything=args.all, states=args.state)])
    return 0


def _left_out(shown: list[JobView], counts: dict[str, int], *, by_state: bool) -> list[str]:
    ended = sum(job.state in ENDED for job in shown)
    lines = []
    if waiting := total(counts) - ended_of(counts) - (len(shown) - ended):
        every = "" if by_state else ": mlq ls -a"
        lines.append(f"… and {waiting:,} more that wait{every}")
    if more := ended_of(counts) - ended:
        lines.append(f"… and {more:,} more that ended in the last 24 hours: mlq ls -a")
    if held := counts.get(HELD, 0):
        lines.append(f"{count(held, 'job')} held; once what failed is mended: mlq release --all")
    return lines


def _first(jobs: list[JobView]) -> list[JobView]:
    """Return all that do not wait, and of the others the first in order of submission."""
    waiting = [job.id for job in jobs if job.state in WAITING]
    dropped = set(waiting[_WAITING_SHOWN:])
    return [job for job in jobs if job.id not in dropped]


def _listed(queue: Queue, *, everything: bool, states: list[str] | None) -> list[JobView]:
    if everything:
        jobs = queue.with_conditions(queue.every())
    else:
        jobs = queue.recent(time.time() - _RECENT_S)
    return [job for job in jobs if not states or {job.state, state_of(job)} & set(states)]


def _latest(jobs: list[JobView]) -> list[JobView]:
    """Return all that have not ended, and of the others those that ended last."""
    ended = sorted((job for job in jobs if job.ended_at), key=lambda job: job.ended_at or "")
    dropped = {job.id for job in ended[:-_ENDED_SHOWN]}
    return [job for job in jobs if job.id not in dropped]


def _hint(jobs: list[JobView]) -> None:
    waiting = next((job.id for job in jobs if job.state in WAITING), None)
    if waiting and sys.stdout.isatty():
        print_painted([out_style().paint(f"Why does one wait? mlq explain {waiting}", "faint")])


def _nothing(*, everything: bool, states: list[str] | None) -> str:
    which = f"{' or '.join(states)} jobs" if states else "jobs"
    if everything:
        return f"no {which}; the first comes with: mlq enqueue -- COMMAND"
    return f"no {which} in the last 24 hours; all there ever were: mlq ls -a"
