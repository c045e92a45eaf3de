"""Which jobs typed words mean: ids, ranges, names and globs, optionally only in some states.

Every command and the Python API follow the same rule. An id is an id. A name that was used
again means its latest job that has not ended, else its latest. A sweep, by its number or its name,
means the jobs that now stand for its members; the name of a jug run means its
workers. A glob means all jobs whose names match.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from mlq.errors import InvalidInputError, JobNotFoundError
from mlq.ids import expand, is_number, order_key
from mlq.jobs.globs import is_glob, matches, only, sieve_of
from mlq.jobs.lifecycle import ENDED, HELD, State
from mlq.jobs.parents import Meant, Parents, of_all, split
from mlq.store.store import Store
from mlq.submit.python_arguments import texts

if TYPE_CHECKING:
    from mlq.store.reads import SweepSeen
    from mlq.submit.submission import Submission

_LONGEST_CHAIN = 20

STATES = (*map(str, State), HELD)


def select(
    store: Store,
    typed: Iterable[str],
    states: Collection[str] = (),
    eligible: Collection[str] = (),
    tell: Callable[[str], None] = lambda _: None,
) -> list[str]:
    """Return the ids of the jobs that the words mean, each once, in the order of the words.

    Args:
        store: the queue.
        typed: ids, ranges, names, globs; none with `states`: all jobs in these.
        states: only jobs in one of these; none: in any.
        eligible: globs and sweeps mean only jobs in these states, unless `states` says which.
        tell: called with a message if a name was used several times: which job it means.

    Raises:
        JobNotFoundError: one of them means no job.
        InvalidInputError: one of them, or of the states, cannot be used.
    """
    check_states(states)
    words = list(typed)
    if not words:
        found = list(_sifted(store, "", states)) if states else []
        if states and not found:
            raise JobNotFoundError(f"no job is {' or '.join(sorted(states))}")
        return found
    ids: dict[str, None] = {}
    for word in words:
        meant = _meant(store, word, states or eligible, tell)
        if meant is None:
            meant = list(_sifted(store, word, states or eligible))
            if not meant:
                raise _no_match(word, states or eligible)
        ids.update(dict.fromkeys(meant))
    if not states:
        return list(ids)
    rows = store.reads.rows(("status", "mlq_held"), list(ids))
    left = [row[0] for row in rows if row[1] in states or (row[2] and HELD in states)]
    if not left:
        raise JobNotFoundError(
            f"no job of {' '.join(words)} is {' or '.join(sorted(states))}",
            fix=f"`mlq ls {' '.join(words)}` lists them",
        )
    return left


def check_states(states: Collection[str]) -> None:
    """Check the names of states.

    Raises:
        InvalidInputError: a name is not a state.
    """
    if isinstance(states, str):
        raise InvalidInputError(f"states must be a list, not {states!r}", fix=f"[{states!r}]")
    for one in states:
        if one not in STATES:
            raise InvalidInputError(
                f"{one!r} is no state of a job", why=f"those are {', '.join(STATES)}"
            )


def parents(
    store: Store, after: Sequence[str], *, after_any: bool, tell: Callable[[str], None]
) -> Parents:
    """Return the jobs that a new job comes after.

    Args:
        store: the queue.
        after: ids, ranges, names, globs and sweeps, each perhaps with a condition (`failed:1042`).
        after_any: whether those without a condition need only end.
        tell: called with a message if a name was used several times.

    Raises:
        JobNotFoundError: one of them means no job.
        InvalidInputError: the latest job of a name, or a job that a glob matches, has already ended
            in another way than it should; or a job can meet only one of two conditions.
    """
    found = []
    for typed in after:
        condition, word = split(typed, "ended" if after_any else "finished")
        meant = select(store, [word], tell=tell)
        if expand(word).kind == "name":
            if condition == "finished":
                _check_may_end_well(store, word, meant)
            elif condition == "failed":
                _check_may_fail(store, word, meant)
        several = condition != "finished" and len(meant) > 1
        sweep = sweep_meant(store, [word]) if several else None
        found.append(Meant(condition, meant, str(sweep.number) if sweep else ""))
    return of_all(found)


def with_parents(
    store: Store, submissions: Sequence[Submission], tell: Callable[[str], None]
) -> list[Submission]:
    """Return submissions with the jobs to come after named by id (see `parents`)."""
    known: dict[tuple[tuple[str, ...], bool], Parents] = {}
    placed = []
    for one in submissions:
        after = texts("after", one.after, 'after=["1042"]')
        if after:
            key = (after, one.after_any)
            if key not in known:
                known[key] = parents(store, after, after_any=one.after_any, tell=tell)
            one = one.coming_after(known[key])  # noqa: PLW2901
        placed.append(one)
    return placed


def _check_may_end_well(store: Store, word: str, ids: list[str]) -> None:
    rows = store.reads.rows(("status", "mlq_reason"), ids)
    bad = [row for row in rows if row[1] in ENDED - {State.FINISHED}]
    if not bad:
        return
    job_id, state, reason = bad[0]
    why = f": {reason}" if reason and reason != state else ""
    latest = "" if is_glob(word) else ", the latest of that name,"
    root = _root_of(store, job_id)
    again = "it" if root == job_id else f"job {root}"
    raise InvalidInputError(
        f"a job after {word} would never run",
        why=f"job {job_id}{latest} {_was(state)} already{why}",
        fix=f"run {again} again first (mlq retry {root}), or give the number of the one you mean",
    )


def _check_may_fail(store: Store, word: str, ids: list[str]) -> None:
    rows = store.reads.rows(("status",), ids)
    if all(state == State.FINISHED for _, state in rows):
        raise InvalidInputError(
            f"a job after the failure of {word} would never run",
            why=f"job {rows[-1][0]} finished already",
            fix=f"leave it out, or give the number of the one you mean (mlq ls -a {word})",
        )


def _root_of(store: Store, job_id: str) -> str:
    """Return the job because of which a job was canceled, directly or not; else the job itself."""
    for _ in range(_LONGEST_CHAIN):
        ((_, _, parent),) = store.reads.rows(("status", "mlq_refused_by"), [job_id]) or (
            ("", "", ""),
        )
        if not parent:
            break
        job_id = parent
    return job_id


def _was(state: str) -> str:
    return "was canceled" if state == State.CANCELED else state


def _meant(
    store: Store, word: str, states: Collection[str], tell: Callable[[str], None]
) -> list[str] | None:
    """Return what a word means by id or name; None if it is a glob.

    For a sweep, return its members in these states.

    Raises:
        JobNotFoundError: it means no job.
    """
    choice = expand(word)
    found = [row[0] for row in store.reads.rows(("status",), choice.ids)]
    if choice.kind == "range" and is_number(choice.ids[0]):
        first, last = int(choice.ids[0]), int(choice.ids[-1])
        sweeps = store.reads.sweeps_between(first, last)
        found = sorted(
            [*found, *(one for n in sweeps for one in _members(store, n))], key=order_key
        )
    if found or not choice.name:
        if not found:
            raise _unknown(word)
        return found
    latest, of = store.reads.latest_named(choice.name)
    sweep = next(iter(store.reads.sweeps([choice.name])), None)
    if sweep and (not latest or sweep.number > order_key(latest)[0]):
        found = _members(store, sweep.number, states)
        if not found:
            raise JobNotFoundError(
                f"no member of sweep {sweep.number} {sweep.name}"
                + (f" is {' or '.join(sorted(states))}" if states else ""),
                fix=f"`mlq ls {sweep.number}` lists them",
            )
        return found
    run = _jug_run(store, latest) if latest and of > 1 else ()
    if run:
        return _in(store, run, states) or [latest]
    if latest and of > 1:
        # An unprintable name cannot be typed, and its brackets could split an escape sequence.
        every = f" (all: {only(choice.name)!r})" if choice.name.isprintable() else ""
        tell(f"{choice.name} is job {latest}, the latest of {of} of that name{every}")
    if latest:
        return [latest]
    if not is_glob(choice.name):
        raise _unknown(word)
    return None


def sweep_meant(store: Store, typed: Sequence[str]) -> SweepSeen | None:
    """Return the sweep that the words mean, if they are a single word that means a sweep."""
    if len(typed) != 1 or is_glob(typed[0]):
        return None
    choice = expand(typed[0])
    sweep = next(iter(store.reads.sweeps([choice.name])), None) if choice.name else None
    if sweep is None or store.reads.rows(("status",), choice.ids):
        return None
    latest, _ = store.reads.latest_named(choice.name)
    return sweep if not latest or sweep.number > order_key(latest)[0] else None


def _jug_run(store: Store, job_id: str) -> tuple[str, ...]:
    """Return the workers of the jug run that a job belongs to; none if it is in none."""
    from mlq.jug.run import workers_of

    def calls(ids: Sequence[str]) -> dict[str, str]:
        return {row[0]: row[1] for row in store.reads.rows(("data",), ids)}

    return workers_of(job_id, calls)


def _members(store: Store, number: int, states: Collection[str] = ()) -> list[str]:
    return _in(store, store.reads.members(number), states)


def _in(store: Store, ids: Sequence[str], states: Collection[str]) -> list[str]:
    """Return those of these jobs that are in these states; all of them without states."""
    rows = store.reads.rows(("status", "mlq_held"), ids)
    return [
        job_id
        for job_id, state, held in rows
        if not states or state in states or (held and HELD in states)
    ]


def _unknown(word: str) -> JobNotFoundError:
    return JobNotFoundError(
        f"no job {word}",
        why="there is no job with this id or name",
        fix="`mlq ls -a` lists all jobs",
    )


def _no_match(glob: str, states: Collection[str]) -> JobNotFoundError:
    of = f" that is {' or '.join(sorted(states))}" if states else ""
    return JobNotFoundError(
        f"no job {glob}",
        why=f"no name of a job{of} matches it",
        fix="`mlq ls -a` lists all jobs",
    )


def _sifted(store: Store, glob: str, states: Collection[str]) -> Iterator[str]:
    ended = not states or any(one in ENDED for one in states)
    found = store.reads.sift("jobs" if ended else "unended", states, sieve_of(glob))
    ids = [job_id for job_id, name in found if not glob or (name and matches(name, glob))]
    yield from sorted(dict.fromkeys(ids), key=order_key)
