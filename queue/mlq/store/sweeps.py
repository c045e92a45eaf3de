"""The operations on sweeps, typed; see `lua/_sweeps.lua` for what the queue stores of a sweep.

`submit_members.lua` alone decides which client makes a member: a batch says how its caller saw each
member, and is refused as a whole if one has changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from mlq.errors import JobNotFoundError
from mlq.store import keys
from mlq.store.operations import Operation
from mlq.store.store import job_as_args
from mlq.sweeps.standing import Seen

if TYPE_CHECKING:
    from mlq.store.record import SignedJob
    from mlq.store.store import Store

LOOKED_AT = 1000
"""The number of members that one operation examines: a few milliseconds of the server."""
MADE = 300
"""The number of members that one operation makes: some twenty milliseconds of the server."""


class Opened(NamedTuple):
    """A sweep that is about to be enqueued.

    Args:
        number: its job number.
        held: why it was held (its first members had failed); it no longer is. "" if it was not.
    """

    number: int
    held: str


class Made(NamedTuple):
    """A member that is to be made.

    Args:
        job: signed, under its task number in an array or the next free index.
        key: by which the sweep knows the member.
        seen: the member's standing when the caller decided to make it.
    """

    job: SignedJob
    key: str
    seen: Seen


def open_sweep(
    store: Store,
    name: str,
    options: Mapping[str, str],
    at: str,
    array: Sequence[str] = (),
    *,
    is_new: bool = False,
) -> Opened:
    """Give a sweep its number, if it has none, and change its options; those not named stay.

    Args:
        store: the queue.
        name: of the sweep.
        options: fields of its hash.
        at: the time of submission, ISO.
        array: the keys of its members if it is an array; if the array of this name knows none of
            the first ones, this is another one.
        is_new: whether it gets a number of its own, even if there is a sweep of this name; the
            name then means the new one.
    """
    args = {"name": name, "options": dict(options), "at": at, "is_new": is_new}
    if array:
        args["array"] = list(array[:LOOKED_AT])
    (reply,) = store.runner.run(Operation("open_sweep", args))
    return Opened(int(reply["number"]), reply["held"])


def find_sweep(store: Store, name: str) -> Opened | None:
    """Return what `open_sweep` would, but change nothing; None if there is no such sweep."""
    number = store.client.call("HGET", keys.SWEEPS, name)
    fields = ("name", "held", "failing")
    found: list[bytes | None] = [None]
    if number:
        found = store.client.call("HMGET", keys.sweep(int(number)), *fields)
    if found[0] is None:
        return None
    held = (found[1] or b"") if found[2] else b""
    return Opened(int(number), held.decode(errors="replace"))


def look_members(store: Store, number: int, keys: Sequence[str]) -> tuple[list[Seen], int]:
    """Return the standing of these members, and the next free index."""
    found: list[Seen] = []
    free = 0
    for start in range(0, max(1, len(keys)), LOOKED_AT):
        args = {"number": str(number), "keys": keys[start : start + LOOKED_AT]}
        (reply,) = store.runner.run(Operation("look_members", args))
        found += [Seen(*one) for one in reply["members"] or ()]
        free = int(reply["next"])
    return found, free


def submit_members(
    store: Store, number: int, first: int, made: Sequence[Made], at: str
) -> int | None:
    """Make members, at most `MADE` of them; when this returns they are in the queue for good.

    Args:
        store: the queue.
        number: of the sweep.
        first: the next free index, as the caller saw it.
        made: the members; those that have no task number of their own in the order of indices.
        at: the time of submission, ISO.

    Returns:
        None; or the next free index, if the sweep has changed since the caller saw it. Then nothing
        was made.

    Raises:
        JobNotFoundError: one of them comes after a job that does not exist; nothing was made.
    """
    from mlq.store.record import common_fields
    from mlq.store.templates import as_args

    templates = [one.job.template for one in made]
    jobs = [
        {
            **job_as_args(one.job, one.job.template),
            "key": one.key,
            "instead": one.seen.job_index,
            "seen": one.seen.state,
        }
        for one in made
    ]
    for one in jobs:
        del one["name"]  # a sweep is found by its own name
    args = {"number": str(number), "first": first, "common": common_fields(at), "jobs": jobs}
    args |= {"templates": as_args(templates), "at": at}
    (reply,) = store.runner.run(Operation("submit_members", args))
    if "unknown" in reply:
        raise JobNotFoundError(
            f"no job {reply['unknown']} to come after",
            fix="`mlq ls -a` lists the jobs that exist",
        )
    return int(reply["next"]) if "next" in reply else None


def hold_sweeps(store: Store, numbers: Sequence[int], reason: str) -> list[int]:
    """Hold sweeps; return those that were not held before."""
    args = {"numbers": [str(one) for one in numbers], "reason": reason}
    (reply,) = store.runner.run(Operation("hold_sweeps", args))
    return list(reply["held"] or ())


def forgive_sweeps(store: Store, numbers: Sequence[int]) -> list[int]:
    """Count no failure of these sweeps so far; return those that were held because of failures."""
    args = {"numbers": [str(one) for one in numbers]}
    (reply,) = store.runner.run(Operation("forgive_sweeps", args))
    return list(reply["released"] or ())


def release_sweeps(store: Store, numbers: Sequence[int]) -> list[int]:
    """Release sweeps, and do not hold them again for failures; return those that were held."""
    args = {"numbers": [str(one) for one in numbers]}
    (reply,) = store.runner.run(Operation("release_sweeps", args))
    return list(reply["released"] or ())
