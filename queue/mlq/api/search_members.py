"""Begins a search, and makes its members one at a time.

The index of a member is the number of its trial. The queue makes a member only under the next free
index, and refuses it if that has moved since the search looked. So of two searches at once only one
makes member 17, the other one looks again, and together they make no more than were asked for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace

from mlq.api.search_look import look
from mlq.api.sweeps import SweepOptions
from mlq.errors import InvalidInputError
from mlq.jobs.spec import JobSpec
from mlq.jobs.strict_spec import parse_spec
from mlq.search.note import read_note
from mlq.search.order import Asked, Order
from mlq.search.space import Drawn
from mlq.store.store import Store
from mlq.store.sweeps import Made, find_sweep, open_sweep, submit_members
from mlq.submit.members import CheckedMember, MemberSigner
from mlq.submit.submission import Submission
from mlq.submit.typed import check_texts
from mlq.sweeps.commands import check_use
from mlq.sweeps.identity import Identity
from mlq.sweeps.names import check_names
from mlq.sweeps.plan import PlannedMember
from mlq.sweeps.standing import Seen as SeenMember
from mlq.sweeps.template import read

_NOBODY = SeenMember(-1)


def check(asked: Asked) -> None:
    """Check a search before anything is done for it.

    Raises:
        InvalidInputError: it cannot be driven, or a parameter would be used by nothing.
    """
    aim = asked.aim
    for option, value in (("search", aim.trials), ("max-running", aim.max_running)):
        if not 0 < value <= 100_000:
            raise InvalidInputError(
                f"--{option} {value} cannot be used", why="from 1 to 100,000 are possible"
            )
    if not asked.command:
        raise InvalidInputError("no command to run", fix="mlq enqueue -- python train.py {args}")
    if "{" in asked.command[0]:
        raise InvalidInputError(
            f"{asked.command[0]} cannot be the program of a search",
            why="it is looked up once, and so must not hold a parameter",
            fix="make a script of it, and give that the parameter",
        )
    if asked.space:
        check_names(asked.space)
        template = read(asked.command, tuple(asked.space))
        if not asked.unused_ok:
            check_use(template, tuple(asked.space))


def begin(
    store: Store,
    asked: Asked,
    spec: JobSpec,
    options: SweepOptions,
    at: str,
    tell: Callable[[str], None],
) -> Order:
    """Give a search its sweep, or go on with the one of its name.

    Args:
        store: the queue.
        asked: what its user asks for.
        spec: a job like all its members.
        options: of the sweep.
        at: the present, ISO.
        tell: called with what its user should know.

    Raises:
        InvalidInputError: the sweep of this name has members that did something else.
    """
    before = find_sweep(store, asked.name)
    if before is not None:
        _check_same(store, before.number, asked, tell)
    varying = json.dumps([name for name, text in asked.space.items() if not _is_single(text)])
    noted = {**options.as_fields(), "search": asked.note, "varying": varying}
    opened = open_sweep(store, asked.name, noted, at)
    return Order(opened.number, asked, spec.canonical())


def _is_single(text: str) -> bool:
    return "," not in text and "(" not in text


def _check_same(store: Store, number: int, asked: Asked, tell: Callable[[str], None]) -> None:
    key_of = Keys(asked)
    for one in look(store, number).members:
        if key_of(one.params) != one.key:
            raise InvalidInputError(
                f"sweep {number} {asked.name} has members that are not of this search",
                why=f"{one.id} has another command, folder or --env",
                fix="give the search another name: -n NAME",
            )
    sweep = next(iter(store.reads.sweeps([str(number)])), None)
    note = read_note(sweep.search) if sweep else None
    if note is None or not asked.space or not note.space:
        return
    changed = [
        f"{name} was {note.space.get(name, 'not there')}, is {text}"
        for name, text in asked.space.items()
        if note.space.get(name) != text
    ]
    changed += [
        f"{name} was {text}" for name, text in note.space.items() if name not in asked.space
    ]
    if changed:
        tell(
            f"note: the search goes on with other values ({'; '.join(changed)}); members that these"
            " do not allow count, and are not learned from"
        )


class Keys:
    """By what a search recognizes its members.

    Args:
        asked: the search.
    """

    def __init__(self, asked: Asked) -> None:
        self._identity = Identity(asked.folder, asked.command, asked.env)

    def __call__(self, params: Mapping[str, str]) -> str:
        """Return the key of the member with these parameters."""
        return self._identity.keys(tuple(params), [tuple(params.values())])[0]


class MemberMaker:
    """Makes the members of a search.

    Args:
        store: the queue.
        order: the search.
        key: the signing key.
    """

    def __init__(self, store: Store, order: Order, key: bytes) -> None:
        self._store, self._order, self._key = store, order, key
        self._like = parse_spec(order.spec)
        self.key_of = Keys(order.asked)

    def make(self, drawn: Drawn, index: int, at: str) -> bool:
        """Make a member; return False if the sweep has changed since it was looked at.

        Args:
            drawn: its parameters.
            index: the next free index, as the caller saw it.
            at: the present, ISO.

        Raises:
            InvalidInputError: a parameter cannot be passed, or nothing uses it.
        """
        number, asked, _ = self._order
        params = drawn.params
        check_names(params)
        template = read(self._like.argv, tuple(params))
        if not asked.unused_ok:
            check_use(template, tuple(params))
        check_texts(*params, *params.values())
        member = PlannedMember(params, template.filled(params), self.key_of(params), drawn.drawn)
        like = replace(self._like, submitted_at=at)
        checked = CheckedMember(member, (Submission(argv=tuple(member.argv)), like))
        (job,) = MemberSigner(number, asked.name, self._key).sign([checked], [index])
        made = Made(job, member.key, _NOBODY)
        return submit_members(self._store, number, index, [made], at) is None
