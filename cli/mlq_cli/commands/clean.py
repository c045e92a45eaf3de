"""`mlq clean`: deletes folders of ended jobs and packs of code, which otherwise stay for ever."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from functools import partial

from mlq.api.cleaning import Cleaned, clean, sizes
from mlq.api.pack_cleaning import UnneededPack, needed, remove, unneeded
from mlq.api.queue import Queue
from mlq.errors import InvalidInputError, JobNotFoundError, MlqError, StorageError
from mlq.files.layout import Layout
from mlq.files.root import WrongRootError, pinned
from mlq.jobs.lifecycle import ENDED
from mlq.jobs.view import JobView
from mlq.store import identity
from mlq.units import parse_duration, parse_iso, utc_iso
from mlq_cli.choosing import check_choice, chosen
from mlq_cli.invocation.parser import add_choice, add_json
from mlq_cli.invocation.session import (
    local_now,
    open_queue,
    out_style,
    print_json,
    print_lines,
    print_painted,
    say,
    show_progress,
)
from mlq_cli.render.cleaning import folder_table, size
from mlq_cli.render.words import count

HELP = "delete folders of ended jobs, and unneeded code; without --delete it says what would go"
EXAMPLES = """\
  mlq clean                             those that ended over 30 days ago
  mlq clean --older-than 7d --state failed
  mlq clean 'lr-*' --delete

With a folder go logs, output and checkpoint. The queue goes on listing the
job for as long as it would have. If no jobs are named, the code that no listed
job needs goes, too."""

_DEFAULT_AGE = "30d"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_choice(parser, "delete the folders of")
    parser.add_argument(
        "--older-than",
        metavar="DURATION",
        help=f"only of jobs that ended so long ago (default: {_DEFAULT_AGE}; of those named, any)",
    )
    parser.add_argument("--delete", action="store_true", help="delete them; asks before")
    parser.add_argument("-y", "--yes", action="store_true", help="with --delete: do not ask")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Say what would be deleted, or delete it; return 1 if something could not be deleted."""
    if args.yes and not args.delete:
        raise InvalidInputError("--yes needs --delete", why="no other action asks a question")
    queue = open_queue()
    jobs = _chosen(queue, args)
    queue_id = identity.queue_id(queue.store.client)
    try:
        with pinned(Layout(queue.layout.root, queue_id or "-")) as layout:
            found = sizes(layout, [job.id for job in jobs], show_progress("measured"))
            jobs = [job for job in jobs if job.id in found]
            packs: list[UnneededPack] = []
            if not (args.ids or args.state):
                packs = unneeded(layout, partial(needed, queue.store), time.time())
            return _carry_out(queue, layout, (jobs, packs), found, args)
    except WrongRootError as error:
        raise StorageError(
            "the results root is not here",
            why=str(error.strerror),
            fix="type it on a machine that has the root, such as the queue's host",
        ) from None


def _age(args: argparse.Namespace) -> str:
    """Return how long ago a job must have ended; "" if that does not matter."""
    return args.older_than or ("" if args.ids or args.state else _DEFAULT_AGE)


def _chosen(queue: Queue, args: argparse.Namespace) -> list[JobView]:
    named = bool(args.ids or args.state)
    if args.state:
        check_choice(args, "clean", tuple(ENDED))
    age = _age(args)
    before_s = time.time() - (parse_duration(age) if age else 0)
    try:
        ids = chosen(queue, args, tuple(ENDED)) if named else queue.select([], tuple(ENDED))
    except JobNotFoundError:
        if named:
            raise
        ids = []
    jobs = queue.views(ids)
    if unended := [job.id for job in jobs if job.state not in ENDED]:
        say(f"{count(len(unended), 'job')} of these not ended: their folders stay")
    return [
        job
        for job in jobs
        if job.state in ENDED and (not job.ended_at or parse_iso(job.ended_at) <= before_s)
    ]


def _carry_out(
    queue: Queue,
    layout: Layout,
    chosen: tuple[Sequence[JobView], Sequence[UnneededPack]],
    found: dict[str, int],
    args: argparse.Namespace,
) -> int:
    jobs, packs = chosen
    total = _total(f"{count(len(jobs), 'folder')} with {size(sum(found.values()))}", jobs, packs)
    done, gone = Cleaned([], []), 0
    if not args.json and jobs:
        print_painted(folder_table(jobs, found, local_now(), out_style()))
    if args.delete and total and _agrees(total, args):
        try:
            ids = [job.id for job in jobs]
            done = clean(queue.store, layout, ids, utc_iso(time.time()), show_progress("deleted"))
            gone = sum(remove(layout, pack, time.time()) for pack in packs)
        except OSError as error:
            raise MlqError(
                "not all could be deleted", why=f"{error.filename}: {error.strerror}"
            ) from None
    for one in done.kept:
        say(f"the folder of job {one.id} stays: it {one.why}")
    if args.json:
        print_json(
            {
                "id": job.id,
                "name": job.name,
                "state": job.state,
                "ended_at": job.ended_at,
                "directory": job.directory,
                "size_bytes": found[job.id],
                "deleted": job.id in done.removed,
            }
            for job in jobs
        )
    elif done.removed or gone:
        packed = [_packs(gone)] if gone else []
        folders = [count(len(done.removed), "folder")] if done.removed else []
        print_lines([f"deleted: {' and '.join([*folders, *packed])}"])
    elif not total:
        ended = f"ended over {age} ago" if (age := _age(args)) else "of these has ended"
        print_lines([f"nothing would go: no job {ended}, or their folders are gone"])
    elif not args.delete:
        print_lines([f"{total} would go; nothing is deleted yet (--delete)"])
    return 1 if done.kept else 0


def _total(folders: str, jobs: Sequence[JobView], packs: Sequence[UnneededPack]) -> str:
    """Return in words all that would be deleted; "" if nothing would."""
    packed = f"{_packs(len(packs))} with {size(sum(one.size_bytes for one in packs))}"
    return " and ".join(([folders] if jobs else []) + ([packed] if packs else []))


def _packs(number: int) -> str:
    return f"{count(number, 'pack')} of code that no listed job needs"


def _agrees(total: str, args: argparse.Namespace) -> bool:
    if args.yes:
        return True
    if not sys.stdin.isatty():
        raise InvalidInputError(
            f"{total} would go, and there is no terminal to ask on",
            fix="say --delete --yes if it is right",
        )
    from mlq_cli.invocation.prompts import Asker

    if Asker(wanted=True).surely(f"Delete {total}, logs and results and all?"):
        return True
    say("nothing is deleted")
    return False
