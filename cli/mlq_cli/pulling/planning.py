"""Decides what is fetched of each job, what stays as it is, and what is left out, and says why.

Invariants: a file that a pull did not put there, or that was changed since, is replaced only by
`force`; and no path leads out of the folder, whatever a listing says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from mlq_cli.pulling.record import Known
from mlq_cli.remote.far_walk import Listed, Other

CHECKPOINTS = "checkpoint/"
_A_FOLDER = "is a folder"


class Local(NamedTuple):
    """What is at a path in the folder: `kind` is "file", or says what else ("a folder")."""

    kind: str
    size: int = 0
    mtime_ns: int = 0


class Wanted(NamedTuple):
    """What a user asks for.

    Args:
        is_chosen: whether a path, relative to its job's folder, is wanted.
        most_bytes: larger files are left out; None: of any size.
        checkpoints: whether checkpoints are wanted.
        force: whether the user's own files are replaced.
    """

    is_chosen: Callable[[str], bool]
    most_bytes: int | None = None
    checkpoints: bool = False
    force: bool = False


class Item(NamedTuple):
    """A file to fetch.

    Args:
        job_id: whose it is.
        file: where it is below the job's folder, and its facts.
        target: where it goes in the folder.
        local: what is there now; None if nothing is.
    """

    job_id: str
    file: Listed
    target: str
    local: Local | None = None


class JobPlan(NamedTuple):
    """What becomes of one job's files.

    Args:
        folder: where they go; "" if there are none.
        fetch: what is fetched.
        same: how many are here already.
        kept: paths of files here that are the user's, each with why.
        too_large: those that are larger than the user wants.
        checkpoints: those left out because the user does not want any.
        others: what cannot be fetched.
    """

    job_id: str
    folder: str
    fetch: tuple[Item, ...] = ()
    same: int = 0
    kept: tuple[Other, ...] = ()
    too_large: tuple[Listed, ...] = ()
    checkpoints: tuple[Listed, ...] = ()
    others: tuple[Other, ...] = ()

    @property
    def fetch_bytes(self) -> int:
        """How many bytes are fetched."""
        return sum(one.file.size for one in self.fetch)


class Here(NamedTuple):
    """What the folder holds.

    Args:
        look: returns what is at a path in it; None if nothing is.
        files: what earlier pulls put there (`mlq_cli.pulling.record`).
        ignores_case: whether its file system takes `A` and `a` for one name.
    """

    look: Callable[[str], Local | None]
    files: Mapping[str, Sequence[Known]]
    ignores_case: bool = False


def plan_of(
    job_id: str,
    folder: str,
    found: tuple[Sequence[Listed], Sequence[Other]],
    wanted: Wanted,
    here: Here,
) -> JobPlan:
    """Return what becomes of a job's files.

    Args:
        job_id: the job.
        folder: its folder, one component.
        found: its files, and what else lies between them.
        wanted: what the user asks for.
        here: what the folder holds.
    """
    files, others = _chosen(found, wanted, ignores_case=here.ignores_case)
    checkpoints = [one for one in files if one.path.startswith(CHECKPOINTS)]
    if not wanted.checkpoints:
        files = [one for one in files if not one.path.startswith(CHECKPOINTS)]
    fetch: list[Item] = []
    kept: list[Other] = []
    too_large: list[Listed] = []
    for one in files:
        target = f"{folder}/{one.path}"
        local = here.look(target)
        why = _why_kept(one, local, here.files.get(target, ()))
        if why is None:
            continue
        if wanted.most_bytes is not None and one.size > wanted.most_bytes:
            too_large.append(one)
        elif why and not (wanted.force and why != _A_FOLDER):
            kept.append(Other(target, why))
        else:
            fetch.append(Item(job_id, one, target, local))
    same = len(files) - len(fetch) - len(kept) - len(too_large)
    return JobPlan(
        job_id,
        folder if fetch or kept or same else "",
        tuple(fetch),
        same,
        tuple(kept),
        tuple(too_large),
        () if wanted.checkpoints else tuple(checkpoints),
        tuple(others),
    )


def _chosen(
    found: tuple[Sequence[Listed], Sequence[Other]], wanted: Wanted, *, ignores_case: bool
) -> tuple[list[Listed], list[Other]]:
    """Return the files that are wanted and can have a place here, and what else must be named."""
    files = [one for one in found[0] if wanted.is_chosen(one.path)]
    others = [one for one in found[1] if not one.path or wanted.is_chosen(one.path)]
    if not wanted.checkpoints:
        others = [one for one in others if not one.path.startswith(CHECKPOINTS)]
    others += [Other(one.path, "has no path that can be used") for one in files if _leads_out(one)]
    files = [one for one in files if not _leads_out(one)]
    if ignores_case:
        doubles = dict.fromkeys(_doubles(files))
        others += [Other(one, "differs from another file in case only") for one in doubles]
        files = [one for one in files if one.path not in doubles]
    return files, others


def is_ours(local: Local, known: Sequence[Known]) -> bool:
    """Return whether a file here is as a pull has put it there."""
    return local.kind == "file" and any(
        (local.size, local.mtime_ns) == (one.size, one.local_ns) for one in known
    )


def _why_kept(file: Listed, local: Local | None, known: Sequence[Known]) -> str | None:
    """Return why a file is not fetched; None: it is here already; "": nothing is against it."""
    if local is None:
        return ""
    if local.kind != "file":
        return f"is {local.kind}"
    if (local.size, local.mtime_ns) == (file.size, file.mtime_ns):
        return None
    if not known:
        return "was not put there by pull"
    if not is_ours(local, known):
        return "was changed here"
    newest = known[-1]
    is_newest = (local.size, local.mtime_ns) == (newest.size, newest.local_ns)
    return None if is_newest and newest[:2] == (file.size, file.mtime_ns) else ""


def _leads_out(file: Listed) -> bool:
    try:
        file.path.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return True  # no file has such a name
    return "\0" in file.path or not {"", ".", ".."}.isdisjoint(file.path.split("/"))


def _doubles(files: Iterable[Listed]) -> Iterator[str]:
    """Yield the paths of all files but the first whose paths are the same without their case."""
    seen = set[str]()
    for one in files:
        key = one.path.casefold()
        if key in seen:
            yield one.path
        seen.add(key)
