"""`mlq pull`: fetches what jobs made into folders named by their parameters."""

from __future__ import annotations

import argparse
import gc
from contextlib import closing
from pathlib import Path

from mlq.api.queue import Queue
from mlq.errors import InvalidInputError, JobNotFoundError, MlqError
from mlq_cli.choosing import check_choice
from mlq_cli.invocation.parser import add_choice, add_json
from mlq_cli.invocation.session import open_queue, out_style, print_json, print_painted, say

HELP = "fetch what jobs made into folders named by their parameters"
EXAMPLES = """\
  mlq pull lr                     into ./lr: results.csv and a folder for each member
  mlq pull lr ~/results           again later: only what is new or changed
  mlq pull lr --dry-run           what and how much it would fetch
  mlq pull lr --include '*.png' --include result.json
  mlq pull lr --max-size 100M --exclude 'wandb'
  mlq pull 1042 1043 ./two

Of each job: output/, what the job made in work/, the logs and results of its
attempts. The last word is the folder if it has a slash or means no other job."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_choice(parser, "fetch; the last word may be the folder to write into")
    parser.add_argument(
        "--include",
        action="append",
        default=[],
        metavar="GLOB",
        help="only files of this name or path ('*.png', 'output/**'); repeatable",
    )
    parser.add_argument(
        "--exclude", action="append", default=[], metavar="GLOB", help="no such files; repeatable"
    )
    parser.add_argument("--max-size", metavar="SIZE", help="leave out files larger than 500K, 100M")
    parser.add_argument("--checkpoints", action="store_true", help="fetch checkpoints, too")
    parser.add_argument(
        "--force", action="store_true", help="replace files here that pull did not write"
    )
    parser.add_argument("-n", "--dry-run", action="store_true", help="say what would be fetched")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Fetch the files; return 1 if some could not be fetched."""
    from mlq.units import parse_bytes
    from mlq_cli.pulling.patterns import chosen_by
    from mlq_cli.pulling.planning import Wanted

    most = parse_bytes(args.max_size) if args.max_size is not None else None
    wanted = Wanted(chosen_by(args.include, args.exclude), most, args.checkpoints, args.force)
    check_choice(args, "pull")
    gc.disable()  # collecting takes seconds for 100,000 files, and none of them is garbage
    queue = open_queue()
    words, folder, is_default = _words(queue, args)
    jobs = queue.views(queue.select(words, args.state or ()))
    if not jobs:
        raise JobNotFoundError(
            "there is nothing to fetch", why="all of these jobs have been deleted meanwhile"
        )

    from mlq_cli.pulling.pull import Puller
    from mlq_cli.pulling.report import dry_lines_of, lines_of, objects_of
    from mlq_cli.pulling.source import source_of

    with closing(source_of(queue.settings)) as source:
        puller = Puller(queue, source, Path(folder), wanted, args.max_size or "")
        try:
            pull = puller.run(jobs, is_default=is_default, is_dry=args.dry_run)
        except KeyboardInterrupt:
            say("stopped; what was fetched is whole; the same command goes on from there")
            raise
    if args.json:
        print_json(objects_of(pull))
    else:
        print_painted((dry_lines_of if args.dry_run else lines_of)(pull, out_style()))
    return 1 if pull.tally is not None and pull.tally.failed else 0


def _words(queue: Queue, args: argparse.Namespace) -> tuple[list[str], str, bool]:
    """Return the words that mean jobs, the folder, and whether it is the default.

    Raises:
        InvalidInputError: no jobs are named.
    """
    words = list(args.ids)
    if words and _is_folder(queue, words, has_state=bool(args.state)):
        *words, folder = words
        if not words and not args.state:
            raise InvalidInputError(
                "pull: which jobs", why="only a folder is named", fix="see: mlq pull --help"
            )
        return words, str(Path(folder).expanduser()), False
    return words, _default(queue, words), True


def _is_folder(queue: Queue, words: list[str], *, has_state: bool) -> bool:
    last = words[-1]
    if "/" in last or last in (".", "..", "~"):
        return True
    if len(words) == 1 and not has_state:
        return False
    if last in words[:-1]:
        return True
    try:
        queue.select([last])
    except JobNotFoundError:
        return True
    except MlqError:
        return False
    return False


def _default(queue: Queue, words: list[str]) -> str:
    from mlq.api.selecting import sweep_meant
    from mlq_cli.pulling.folders import safe

    sweep = sweep_meant(queue.store, words)
    if sweep is not None:
        return safe(sweep.name or str(sweep.number))
    return safe(",".join(words) or "jobs")
