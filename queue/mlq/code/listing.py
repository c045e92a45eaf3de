"""Which files of a project are its code, by git's own answers: no git rule is imitated here.

Git lists what is tracked, what is neither tracked nor ignored, and what is ignored; in submodules
and in clones inside, git is asked again. The lines of `.mlqignore` are passed to git as
`--exclude`, which comes before every other rule, so `!*.so` includes files that `.gitignore`
excludes.

Invariant: a path is in `files` or below one of `ignored`, or git does not know of it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mlq.code.git import Git, Ran, said
from mlq.errors import InvalidInputError

RULES = ".mlqignore"

_SUBMODULE = b"160000"
_MOST_RULES_BYTES = 1 << 16


class Listing(NamedTuple):
    """What git says of a project; paths are relative to it, bytes as surrogates (PEP 383).

    Args:
        tracked, untracked: files and links that are not ignored.
        ignored: files and folders that git ignores, or `.mlqignore` leaves out.
        commit, branch: what is checked out; "" if there is none.
    """

    tracked: list[str]
    untracked: list[str]
    ignored: list[str]
    commit: str = ""
    branch: str = ""

    @property
    def files(self) -> list[str]:
        """The files and links to take, in order of path."""
        return sorted({*self.tracked, *self.untracked})


class NotARepositoryError(Exception):
    """Git does not take the folder for the root of a repository."""


def list_project(git: Git, folder: str) -> Listing:
    """Return what git says of the repository in this folder, and of those inside.

    Raises:
        NotARepositoryError: the folder is not the root of a repository.
        InvalidInputError: git refuses to look, or is not installed.
    """
    rules = read_rules(folder)
    state, *lists = git.run(
        folder,
        ("rev-parse", "--show-cdup", "HEAD", "--symbolic-full-name", "HEAD"),
        *_questions(rules),
    )
    lines = state.out.decode("utf-8", "surrogateescape").split("\n")
    if not state.out.startswith(b"\n"):  # the way up from a repository's root is none
        if "not a git repository" in state.err or state.out:
            raise NotARepositoryError
        raise _refused(folder, state)
    found = _answers(folder, lists)
    if state.code == 0 and len(lines) > 2:  # a failure means that nothing is committed yet
        branch = lines[2].removeprefix("refs/heads/")
        found = found._replace(commit=lines[1], branch="" if branch == "HEAD" else branch)
    return _with_inner(git, folder, rules, found)


def list_by_rules(git: Git, folder: str, scratch: Path) -> Listing:
    """Return the files of a folder outside git, without those that `.mlqignore` excludes.

    Args:
        git: evaluates the rules.
        folder: its files all count as untracked.
        scratch: where an empty repository is or is made, because git needs one.
    """
    if not (scratch / "HEAD").exists():
        for name in ("objects", "refs"):
            (scratch / name).mkdir(parents=True, exist_ok=True)
        (scratch / "HEAD").write_text("ref: refs/heads/none\n")
    rules = read_rules(folder)
    excludes = [word for rule in rules for word in ("-x", rule)]
    there = [f"--git-dir={scratch}", f"--work-tree={folder}", "ls-files", "-z", "-o"]
    asked = [[*there, "-s", "-t", *excludes], [*there, "-i", "--directory", *excludes]]
    return _with_inner(git, folder, rules, _answers(folder, git.run(folder, *asked)))


def read_rules(folder: str) -> tuple[str, ...]:
    """Return the lines of `.mlqignore` that are patterns, as git reads such a file."""
    try:
        opened = os.open(f"{folder}/{RULES}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(opened, "rb") as file:  # do not wait for a writer if a pipe is in its place
            text = file.read(_MOST_RULES_BYTES + 1) or b""
    except OSError:
        return ()
    if len(text) > _MOST_RULES_BYTES or b"\0" in text:
        raise InvalidInputError(
            f"{folder}/{RULES} cannot be used", why="it is longer than 64 KiB, or holds a NUL"
        )
    lines = text.decode("utf-8", "surrogateescape").removeprefix("\ufeff").split("\n")
    return tuple(
        one
        for line in lines
        if (one := _without_spaces(line.removesuffix("\r"))) and not one.startswith("#")
    )


def _without_spaces(line: str) -> str:
    bare = line.rstrip(" ")
    return f"{bare} " if bare.endswith("\\") and bare != line else bare


def _questions(rules: Sequence[str]) -> list[list[str]]:
    excludes = [word for rule in rules for word in ("-x", rule)]
    standard = ["--exclude-standard", *excludes]
    asked = [
        ["ls-files", "-z", "-c", "-o", "-s", "-t", *standard],
        ["ls-files", "-z", "-o", "-i", "--directory", *standard],
    ]
    if rules:
        asked.append(["ls-files", "-z", "-c", "-i", *excludes])
    return asked


def _answers(folder: str, ran: Sequence[Ran]) -> Listing:
    for one in ran:
        if one.code:
            raise _refused(folder, one)
    tracked, untracked, inner = [], [], []
    for entry in ran[0].out.split(b"\0"):
        if entry.startswith(b"? "):
            untracked.append(os.fsdecode(entry[2:]))
        elif entry:
            about, _, path = entry.partition(b"\t")
            if about.split()[1] == _SUBMODULE:
                inner.append(f"{os.fsdecode(path)}/")
            else:
                tracked.append(os.fsdecode(path))
    ignored = [os.fsdecode(one).rstrip("/") for one in ran[1].out.split(b"\0") if one]
    if len(ran) > 2:
        left_out = {os.fsdecode(one) for one in ran[2].out.split(b"\0") if one}
        tracked = [one for one in tracked if one not in left_out]
        inner = [one for one in inner if one.rstrip("/") not in left_out]
        ignored += sorted(left_out)
    # A repository inside is listed with a slash at its end.
    inner += [one for one in untracked if one.endswith("/")]
    return Listing(tracked, [*(one for one in untracked if one[-1] != "/"), *inner], ignored)


def _with_inner(git: Git, folder: str, rules: tuple[str, ...], found: Listing) -> Listing:
    """Return the listing with those of repositories inside, which it names with a final `/`."""
    done = found._replace(untracked=[one for one in found.untracked if one[-1] != "/"])
    level = [(one, rules) for one in found.untracked if one[-1] == "/"]
    while level:
        there = [one for one in level if os.path.lexists(f"{folder}/{one[0]}.git")]
        # A submodule that was never fetched is an empty folder; anything in it is used live.
        done.ignored.extend(one.rstrip("/") for one, _ in level if (one, _) not in there)
        asked = [
            (place, inner, _questions((*inner, *read_rules(f"{folder}/{place}"))))
            for place, above in there
            for inner in [rules_inside(above, place)]
        ]
        ran = iter(git.run_each([(f"{folder}/{p}", q) for p, _, some in asked for q in some]))
        level = []
        for place, inner, questions in asked:
            answer = _answers(f"{folder}/{place}", [next(ran) for _ in questions])
            done.tracked.extend(place + one for one in answer.tracked)
            done.ignored.extend(place + one for one in answer.ignored)
            for one in answer.untracked:
                if one[-1] == "/":
                    level.append((place + one, inner))
                else:
                    done.untracked.append(place + one)
    return done


def rules_inside(rules: Sequence[str], place: str) -> tuple[str, ...]:
    """Return those of a project's rules that may match something in a repository inside.

    A pattern with a slash in it is anchored to the project, so in the inner repository only the
    part after that repository's folder applies.
    """
    found = []
    for rule in rules:
        sign, pattern = ("!", rule[1:]) if rule.startswith("!") else ("", rule)
        bare = pattern.removeprefix("/")
        if "/" not in pattern.rstrip("/") or pattern.startswith("**/"):
            found.append(rule)
        elif bare.startswith(place) and bare != place:
            found.append(f"{sign}/{bare.removeprefix(place)}")
    return tuple(found)


def _refused(folder: str, ran: Ran) -> InvalidInputError:
    return InvalidInputError(
        f"git does not list the files of {folder}",
        why=said(ran),
        fix="try `git status` there, or run the job in the live folder: --in-place",
    )
