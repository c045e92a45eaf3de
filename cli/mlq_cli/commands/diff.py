"""`mlq diff`: shows how a job's code differs from the present code, or from another job's."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from mlq.api.queue import Queue
from mlq.code.git import Git, said
from mlq.code.project import Project
from mlq.code.reading import read_whole
from mlq.code.snapshot import InPlace, Taker
from mlq.code.tree import Tree, differing
from mlq.errors import InvalidInputError, MlqError
from mlq.settings.people import home
from mlq.submit.in_lab import LabPaths
from mlq.submit.programs import present_folder
from mlq_cli.invocation.parser import add_ids
from mlq_cli.invocation.session import open_queue, out_style, print_painted, say
from mlq_cli.packs import JobCode, Packs, codes_of
from mlq_cli.render.differences import changes_of, painted, stat_lines
from mlq_cli.root_files import root_files

HELP = "show how a job's code differs from the present code, or from another job's"
EXAMPLES = """\
  mlq diff 1042                   what was changed since 1042 was enqueued
  mlq diff 1042 1043              from the code of 1042 to that of 1043
  mlq diff 1042 --stat            only which files, and by how much"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_ids(parser, "one job: compare with now; two: the first with the second")
    parser.add_argument("--stat", action="store_true", help="only which files, and by how much")


def run(args: argparse.Namespace) -> int:
    """Print the differences, which git computes."""
    queue = open_queue()
    jobs = _compared_jobs(queue, args.ids)
    if not jobs:
        say("the code is the same")
        return 0
    files = root_files(queue.settings)
    try:
        packs = Packs(files, queue.settings.root)
        trees = [packs.tree(one.code["pack"]) for one in jobs]
        if len(trees) == 1:
            trees.append(_now(queue, jobs[0]))
        text = _compared(trees[0], trees[1], stat=args.stat)
    finally:
        files.close()
    if not text:
        say("the code is the same")
    elif args.stat:
        print_painted(stat_lines(changes_of(text), out_style()))
    elif sys.stdout.isatty():
        print_painted(painted(text.decode(errors="replace"), out_style()))
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(text)  # byte for byte, so that `git apply` accepts it
    return 0


def _compared_jobs(queue: Queue, typed: list[str]) -> list[JobCode]:
    """Return the job to compare with now, or the two to compare; [] if both have the same code.

    Raises:
        InvalidInputError: there are more than two, or one runs in the live folder.
    """
    jobs = codes_of(queue, queue.select(typed))
    if len(jobs) > 2:
        which = ", ".join(one.job_id for one in jobs[:4])
        raise InvalidInputError(
            "diff compares the code of one job or sweep with now, or that of two",
            why=f"{len(jobs)} are meant, such as {which}",
            fix=f"name two: mlq diff {jobs[0].job_id} {jobs[1].job_id}",
        )
    return [] if len(jobs) < len(typed) else jobs


def _now(queue: Queue, job: JobCode) -> Tree:
    """Return the present files of a job's project."""
    home_folder = str(home(os.environ))
    here = LabPaths.of(present_folder(os.environ), home_folder)
    # The job came from a laptop, where the project has another path.
    folder = here.project.folder if here.live == job.code["project"] else job.code["project"]
    has_git = os.path.lexists(f"{folder}/.git")
    if not Path(folder).is_dir():
        raise InvalidInputError(
            f"the project of {job.job_id} is not here",
            why=f"there is no {folder}",
            fix="type it in the project; two jobs can be compared anywhere",
        )
    taker = Taker(home_folder, queue.settings.runtime_dir)
    taken = taker.take(Project(folder, job.code["subfolder"] if has_git else "", has_git))
    if isinstance(taken, InPlace):
        raise InvalidInputError(f"{folder} cannot be compared", why=taken.why)
    taken.memory.keep()

    def content_of(path: str) -> bytes:
        found = taken.contents.get(path)
        return read_whole(folder, path)[0] if found is None else found

    return Tree.of(taken.manifest, content_of)


def _compared(old: Tree, new: Tree, *, stat: bool) -> bytes:
    """Return git's diff of two trees, or its line counts; empty if the trees are equal."""
    paths = differing(old.entries, new.entries)
    if not paths:
        return b""
    with tempfile.TemporaryDirectory(prefix="mlq-diff-") as name:
        folder = Path(name)
        for tree, inside in ((old, "a"), (new, "b")):
            (folder / inside).mkdir()
            tree.write(folder / inside, [path for path in paths if path in tree.entries])
        words = ["diff", "--no-index", "--no-prefix", "--no-color", "--no-ext-diff"]
        (ran,) = Git().run(name, [*words, *(["--numstat", "-z"] if stat else []), "a", "b"])
    if ran.code not in (0, 1):
        raise MlqError("git cannot compare the two", why=said(ran))
    return ran.out
