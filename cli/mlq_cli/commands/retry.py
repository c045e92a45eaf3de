"""`mlq retry`: runs jobs again that failed or were canceled.

A finished job has results that a second run may overwrite; so it runs again only if the user asks
for that with `--finished`, and confirms it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from mlq.api.many import Retried
from mlq.api.queue import Queue
from mlq.errors import InvalidInputError
from mlq.ids import order_key, sweep_number
from mlq.jobs.lifecycle import State
from mlq_cli.choosing import check_choice, chosen, told
from mlq_cli.invocation.parser import add_choice
from mlq_cli.invocation.session import open_queue, print_lines, say, show_progress
from mlq_cli.render.words import count, listed_briefly

HELP = "run jobs again that failed or were canceled; they go on from their checkpoints"
EXAMPLES = """\
  mlq retry 1042
  mlq retry 1040-1050
  mlq retry 'lr-*'
  mlq retry lr --failed
  mlq retry --state failed

Jobs keep their place. Those that were canceled because a job that they come
after failed are put back with it."""

_ROOTS_NAMED = 3


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_choice(parser, "run again")
    parser.add_argument(
        "--finished",
        action="store_true",
        help="finished jobs, too; asks before, as they have results",
    )
    parser.add_argument(
        "--failed", action="store_true", help="only those that failed, none that was canceled"
    )
    parser.add_argument("-y", "--yes", action="store_true", help="with --finished: do not ask")


def run(args: argparse.Namespace) -> int:
    """Run the jobs again; return 0 if that changed anything."""
    if args.yes and not args.finished:
        raise InvalidInputError("--yes needs --finished", why="no other action asks a question")
    if args.failed:
        if args.state or args.finished:
            raise InvalidInputError("--failed cannot be used with --state or --finished")
        args.state = [str(State.FAILED)]
    states = (State.FAILED, State.CANCELED, *([State.FINISHED] if args.finished else []))
    if State.FINISHED in (args.state or ()) and not args.finished:
        raise InvalidInputError(
            "retry: finished jobs have results that a second run may overwrite",
            fix="say --finished if that is right",
        )
    check_choice(args, "retry", states)
    queue = open_queue()
    queue.progress = show_progress("retry")
    ids = chosen(queue, args, states)
    if args.finished and not args.yes and not _agrees(_finished(queue, ids)):
        say("nothing was run again")
        return 1
    done = queue.retry(ids, finished=args.finished)
    if done.queued:
        print_lines([f"queued again: {told(args, done.queued)}", *_put_back(done)])
        if held := _held_sweeps(queue, done.queued):
            say(f"they wait, for their sweep is held; let it go: mlq release {' '.join(held)}")
    if done.finished:
        which = listed_briefly(done.finished)
        say(f"not queued again: {which} finished (--finished runs them, too)")
    if done.unended:
        have = "has" if len(done.unended) == 1 else "have"
        say(f"not queued again: {listed_briefly(done.unended)} {have} not ended yet")
    return 0 if done.queued else 1


def _held_sweeps(queue: Queue, ids: Sequence[str]) -> list[str]:
    numbers = sorted({sweep_number(one) for one in ids} - {0})
    seen = queue.store.reads.sweeps(list(map(str, numbers))) if numbers else []
    return [str(one.number) for one in seen if one.held]


def _finished(queue: Queue, ids: Sequence[str]) -> list[str]:
    rows = queue.store.reads.rows(("status",), ids)
    return [job_id for job_id, state in rows if state == State.FINISHED]


def _agrees(finished: Sequence[str]) -> bool:
    if not finished:
        return True
    if not sys.stdin.isatty():
        raise InvalidInputError(
            f"{count(len(finished), 'job')} finished, and there is no terminal to ask on",
            why="a second run may overwrite results",
            fix="say `mlq retry --finished --yes ...` if it is right",
        )
    from mlq_cli.invocation.prompts import Asker

    run_again = (
        f"{count(len(finished), 'job')} finished: {listed_briefly(finished)}. Run again, in the"
        " same folders `output` and `checkpoint`? Logs of earlier attempts stay"
    )
    return Asker(wanted=True).surely(run_again)


def _put_back(done: Retried) -> list[str]:
    """Return lines that name the jobs put back with the parents that they were canceled for."""
    roots: dict[str, list[str]] = {}
    for child, root in done.revived.items():
        roots.setdefault(root, []).append(child)
    if len(roots) > _ROOTS_NAMED:
        return [_line(list(done.revived), "them")]
    return [_line(children, root) for root, children in roots.items()]


def _line(children: list[str], because_of: str) -> str:
    were = "was" if len(children) == 1 else "were"
    what = count(len(children), "job")
    ids = listed_briefly(sorted(children, key=order_key))
    return f"also put back {what} that {were} canceled because of {because_of}: {ids}"
