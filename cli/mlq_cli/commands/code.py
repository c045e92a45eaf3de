"""`mlq code`: writes the code that a job runs into a folder."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mlq.code.tree import make_links
from mlq.errors import InvalidInputError, StorageError
from mlq_cli.invocation.prompts import Asker
from mlq_cli.invocation.session import open_queue, say
from mlq_cli.packs import Packs, codes_of
from mlq_cli.render.words import count
from mlq_cli.root_files import root_files

HELP = "write the code that a job runs into a folder"
EXAMPLES = """\
  mlq code 1042 old-code          as it was when job 1042 was enqueued
  mlq code 1042 . --yes           over the files of the present folder

What git ignored (data, weights) is a link to where it lay."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    from mlq_cli.invocation.completers import complete_jobs

    job = parser.add_argument("id", metavar="ID", help="id or name of a job or sweep")
    job.completer = complete_jobs  # type: ignore[attr-defined]
    parser.add_argument("folder", metavar="DIR", help="the folder to write into; made if missing")
    parser.add_argument("-y", "--yes", action="store_true", help="write over files without asking")


def run(args: argparse.Namespace) -> int:
    """Write the files."""
    queue = open_queue()
    found, *others = codes_of(queue, queue.select([args.id]))
    if others:
        raise InvalidInputError(
            f"{args.id} means jobs of {len(others) + 1} different codes",
            fix=f"name one, by its id: mlq code {found.job_id} {args.folder}",
        )
    files = root_files(queue.settings)
    try:
        packs = Packs(files, queue.settings.root)
        tree, links = packs.tree(found.code["pack"]), packs.links(found.code["links"])
        folder = Path(args.folder).expanduser()
        _allow(folder, args, len(tree.entries))
        tree.write(folder, tree.entries)
        make_links(folder, links, found.code["project"])
    except OSError as error:
        raise StorageError(
            f"cannot write the code of {found.job_id}",
            why=f"{error.filename or args.folder}: {error.strerror}",
        ) from None
    finally:
        files.close()
    live = f", and {count(len(links), 'link')} to what is live" if links else ""
    say(f"{args.folder} holds the code of {found.job_id}: {count(len(tree.entries), 'file')}{live}")
    return 0


def _allow(folder: Path, args: argparse.Namespace, number: int) -> None:
    """Check that the user allows files to be overwritten.

    Raises:
        InvalidInputError: the user does not allow it, or cannot be asked.
    """
    try:
        is_empty = next(folder.iterdir(), None) is None
    except FileNotFoundError:
        is_empty = True
    if is_empty or args.yes:
        return
    asker = Asker(wanted=sys.stdin.isatty() and sys.stderr.isatty())
    question = f"{args.folder} is not empty; write {count(number, 'file')} into it?"
    if not asker.wanted or not asker.surely(question):
        raise InvalidInputError(
            f"{args.folder} is not empty, and nothing was written",
            fix="name a new folder; or, to write over what is there: --yes",
        )
