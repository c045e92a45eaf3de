"""`mlq ls`: lists jobs and sweeps, one on each line."""

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
from mlq_cli.render.clean import clean
from mlq_cli.render.jobs import (
    counts_of,
    ended_of,
    job_table,
    state_of,
    summary,
    total,
)
from mlq_cli.render.words import count, paused

HELP = "list jobs and sweeps that run, wait, or ended in the last 24 hours (of many: 50 each)"
EXAMPLES = """\
  mlq ls
  watch mlq ls
  mlq ls lr --sort lr
  mlq ls -a --state failed,canceled
  mlq ls 'lr-*' --state failed
  mlq ls --machine 'gpu*' --since 2h --sort time -r
  mlq ls --json | jq -r '.[] | select(.progress > 0.5) | .id'"""

_RECENT_S = 86400
# If thousands of jobs ended today, they must not push the running ones off the screen.
_ENDED_SHOWN = 50
# Nor must waiting jobs: `mlq ls` shows the first in line, and how many more there are.
_WAITING_SHOWN = 50


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    what = "id, range, sweep, name or glob ('lr-*'): only these, whenever they ended"
    add_ids(parser, what, nargs="*")
    parser.add_argument("-a", "--all", action="store_true", help="all there ever were")
    add_state(parser)
    parser.add_argument("--name", metavar="GLOB", help="only jobs whose name matches")
    parser.add_argument("--machine", metavar="GLOB", help="only jobs that run or ran there")
    parser.add_argument(
        "--since", metavar="DURATION", help="only jobs submitted or ended in the last 2h, 3d, ..."
    )
    parser.add_argument(
        "--sort",
        metavar="KEY",
        help="by id, name, state, machine, time, submitted, ended, or a parameter",
    )
    parser.add_argument("-r", "--reverse", action="store_true", help="with --sort: largest first")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the jobs."""
    queue = open_queue()
    filters = (args.name, args.machine, args.since, args.sort)
    if args.json or args.all or args.state or args.ids or any(one is not None for one in filters):
        gc.disable()  # collecting takes seconds for 100,000 jobs, and none of them is garbage
        _print_chosen(queue, args)
    else:
        _print_glance(queue)
    return 0


def _print_glance(queue: Queue) -> None:
    seen = queue.glance(time.time() - _RECENT_S, _ENDED_SHOWN)
    lines = []
    if seen.paused:
        lines += [out_style().paint(clean(paused(seen.paused)), "bad"), ""]
    counts = seen.counts or counts_of(seen.jobs)
    if seen.sweeps:
        from mlq_cli.render.sweeps import sweep_table

        lines += [*sweep_table(seen.sweeps, out_style()), ""]
        if held := [str(one.number) for one in seen.sweeps if one.held]:
            lines[-1:] = [f"to let what is held go: mlq release {' '.join(held[:3])}", ""]
    if seen.jobs:
        shown = _latest(_first(seen.jobs))
        lines += [*job_table(shown, local_now(), out_style()), "", summary(counts)]
        lines += _left_out(shown, counts, by_state=False)
    elif seen.sweeps:
        lines.pop()
    else:
        lines.append(_nothing(everything=False, states=None))
    print_painted(lines)
    _hint(seen.jobs)


def _print_chosen(queue: Queue, args: argparse.Namespace) -> None:
    sweep = None
    if args.ids:
        from mlq.api.selecting import sweep_meant

        sweep = sweep_meant(queue.store, args.ids)
        if sweep is not None and sweep.held:
            jobs = _members_held(queue, args, sweep.held)
        else:
            ids = queue.select(args.ids, args.state or ())
            jobs = queue.with_conditions(queue.views(ids))
    else:
        jobs = _listed(queue, args)
    if any(one is not None for one in (args.name, args.machine, args.since, args.sort)):
        jobs = _filtered(jobs, args)
    if args.json:
        print_json(job.as_json() for job in jobs)
        return
    if not jobs:
        chosen = args.ids or any(one is not None for one in (args.name, args.machine))
        print_lines(
            ["no job matches"] if chosen else [_nothing(everything=args.all, states=args.state)]
        )
        return
    counts = counts_of(jobs)
    shown = jobs if args.all else _latest(jobs if args.state else _first(jobs))
    if sweep is None:
        lines = [*job_table(shown, local_now(), out_style()), "", summary(counts)]
    else:
        from mlq_cli.render.members import member_table
        from mlq_cli.render.sweeps import summary_line

        lines = [clean(summary_line(sweep))]
        if sweep.held:
            lines.append(clean(f"It is held: {sweep.held}. Let it go: mlq release {sweep.number}"))
        lines += ["", *member_table(shown, sweep.varying, local_now(), out_style())]
    print_painted([*lines, *_left_out(shown, counts, by_state=bool(args.state))])
    _hint(jobs)


def _members_held(queue: Queue, args: argparse.Namespace, why: str) -> list[JobView]:
    """Return the members of a sweep that is held as a whole: its waiting members are held."""
    jobs = queue.with_conditions(queue.views(queue.select(args.ids)))
    jobs = [job._replace(held=why) if job.state in WAITING else job for job in jobs]
    return [job for job in jobs if not args.state or state_of(job) in args.state]


def _filtered(jobs: list[JobView], args: argparse.Namespace) -> list[JobView]:
    from mlq.units import parse_duration
    from mlq_cli.filtering import Filter, ordered

    now_s = time.time()
    since_s = now_s - parse_duration(args.since) if args.since is not None else float("-inf")
    wanted = Filter(args.name or "", args.machine or "", since_s)
    found = [job for job in jobs if wanted.admits(job)]
    return found if args.sort is None else ordered(found, args.sort, now_s, reverse=args.reverse)


def _left_out(shown: list[JobView], counts: dict[str, int], *, by_state: bool) -> list[str]:
    ended = sum(job.state in ENDED for job in shown)
    lines = []
    if waiting := total(counts) - ended_of(counts) - (len(shown) - ended):
        every = "" if by_state else ": mlq ls -a"
        lines.append(f"… and {waiting:,} more that wait{every}")
    if more := ended_of(counts) - ended:
        lines.append(f"… and {more:,} more that ended in the last 24 hours: mlq ls -a")
    if held := counts.get(HELD, 0):
        lines.append(f"{count(held, 'job')} held; to let all go: mlq release --all")
    return lines


def _first(jobs: list[JobView]) -> list[JobView]:
    """Return all jobs that do not wait, and the first of the others in order of submission."""
    waiting = [job.id for job in jobs if job.state in WAITING]
    dropped = set(waiting[_WAITING_SHOWN:])
    return [job for job in jobs if job.id not in dropped]


def _listed(queue: Queue, args: argparse.Namespace) -> list[JobView]:
    if args.all or args.since is not None:
        jobs = queue.with_conditions(queue.every())
    else:
        jobs = queue.recent(time.time() - _RECENT_S)
    states = args.state
    return [job for job in jobs if not states or {job.state, state_of(job)} & set(states)]


def _latest(jobs: list[JobView]) -> list[JobView]:
    """Return all jobs that have not ended, and of the ended ones those that ended last."""
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
