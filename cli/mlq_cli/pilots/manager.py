"""Looks at one pool of pilots, and acts on what `mlq.pilots.decide` concludes.

Every change of a pool is first agreed with the queue and carried out then. So a manager that dies
between the two leaves a pilot that is `submitting`; another manager finds it by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

from mlq.api.queue import Queue
from mlq.errors import PilotError
from mlq.files.strict_files import KIB, Content, read_file
from mlq.jobs.lifecycle import State
from mlq.lenient import int_or, text_of
from mlq.machines import said
from mlq.pilots.decide import Listed, Seen, observe, refused, start, submitted, vanished
from mlq.pilots.pool import Pool, read_pool
from mlq.pilots.shape import waiting
from mlq.pilots.systems import (
    cancelling,
    job_of,
    listing,
    read_listing,
    submission,
    trial,
    undo,
)
from mlq.store.keys import registry
from mlq.store.pilots import keep_pool, read_pools
from mlq.store.replies import Head
from mlq_cli.pilots.commands import Commands, LostAnswerError
from mlq_cli.render.clean import clean

_TRIES = 20
_BEHIND = 200
_LOG_BYTES = 16 * KIB


class Pools(NamedTuple):
    """The pools that the queue knows, their texts, and the time by its clock."""

    pools: dict[str, Pool]
    texts: dict[str, str]
    now_s: float


def pools_of(queue: Queue) -> Pools:
    """Return all pools."""
    stored = read_pools(queue.store)
    found = {one: read_pool(text) for one, text in stored.texts.items()}
    return Pools(found, stored.texts, stored.now_s)


def change(queue: Queue, pool_id: str, how: Callable[[Pool | None, float], Pool | None]) -> Pool:
    """Change a pool, again if somebody else has changed it meanwhile; return it as it is then.

    Args:
        queue: the queue.
        pool_id: of the pool.
        how: is given the pool, None if there is none, and the time; returns it changed, or None to
            leave it as it is.

    Raises:
        PilotError: it is changed by others again and again, or there is no such pool.
    """
    for _ in range(_TRIES):
        known = pools_of(queue)
        pool = known.pools.get(pool_id)
        changed = how(pool, known.now_s)
        if changed is None or changed == pool:
            if pool is None:
                raise PilotError(f"there is no pool {pool_id}", fix="see: mlq pilot ls")
            return pool
        if keep_pool(queue.store, pool_id, known.texts.get(pool_id, ""), changed.text()):
            return changed
    raise PilotError(f"the pool {pool_id} is changed by others again and again")


class Manager:
    """Manages one pool.

    Args:
        queue: the queue.
        pool: the pool as its user asked for it.
        commands: runs the system's commands.
        text: the script of its pilots.
        new_name: returns a name that no pilot has had.
        tell: prints a line.
    """

    def __init__(
        self,
        queue: Queue,
        pool: Pool,
        commands: Commands,
        text: str,
        new_name: Callable[[], str],
        tell: Callable[[str], None],
    ) -> None:
        self._queue, self._asked, self._commands = queue, pool, commands
        self._text, self._new_name, self._tell = text, new_name, tell

    def try_out(self) -> None:
        """Ask the system whether it would take a pilot; nothing is stored, nothing runs.

        Raises:
            PilotError: it would not, and says why.
        """
        name = self._new_name()
        answer = self._commands.run(trial(self._asked, name, self._text, self._log(name)))
        if answer.code:
            raise PilotError(
                f"{self._asked.system} refuses such a pilot", why=clean(answer.refusal)
            )
        left = undo(self._asked, answer.out)
        if left is not None:
            self._commands.run(left)

    def store(self) -> Pool:
        """Store the pool, or take up the one that is there, with the limits asked for now."""
        asked = self._asked

        def with_limits(pool: Pool | None, _: float) -> Pool:
            known = pool or asked
            return known._replace(
                most=asked.most,
                queued=asked.queued,
                idle_s=asked.idle_s,
                after_s=asked.after_s,
                is_stopped=False,
            )

        return change(self._queue, asked.id, with_limits)

    def turn(self) -> Pool | None:
        """Look, decide and act once; return the pool, None if somebody else was faster."""
        known = pools_of(self._queue)
        pool, was = known.pools.get(self._asked.id), known.texts.get(self._asked.id, "")
        if pool is None or pool.is_stopped:  # stopped and over, or the queue was made anew
            return self._asked._replace(is_stopped=True)
        seen = self._look(pool, known.now_s)
        observed = observe(pool, seen)
        more = start(observed, seen, self._new_name())
        now = more or observed
        if now.text() != was and not keep_pool(self._queue.store, pool.id, was, now.text()):
            return None
        self._say(pool, now)
        if more is None:
            return now
        name = more.pilots[-1].name
        pool = self._submit(more, name)
        jobs = [one.job for one in pool.pilots if one.name == name and one.job]
        if jobs:
            self._tell(f"pilot {name} is job {jobs[0]} of {pool.system}")
        return pool

    def once(self) -> Pool:
        """Submit one pilot now, whatever waits; return the pool with it as its last.

        Raises:
            PilotError: there are as many as there may be, or the system refuses it.
        """
        name = self._new_name()

        def one_more(pool: Pool | None, now_s: float) -> Pool | None:
            known = pool or self._asked
            seen = self._look(known, now_s)
            return start(observe(known, seen), seen, name, whatever_waits=True)

        pool = change(self._queue, self._asked.id, one_more)
        if not any(one.name == name for one in pool.pilots):
            raise PilotError(
                f"pool {pool.id} has {len(pool.living)} pilots",
                why=f"it may have {pool.most} at once",
                fix="see `mlq pilot ls`, or say --max",
            )
        pool = self._submit(pool, name)
        (pilot,) = (one for one in pool.pilots if one.name == name)
        if pilot.state == "ended":
            raise PilotError(f"{pool.system} refuses the pilot", why=clean(pilot.reason))
        return pool

    def refresh(self) -> Pool:
        """Bring what is known of the pilots up to date; start none."""

        def seen_now(pool: Pool | None, now_s: float) -> Pool | None:
            return None if pool is None else observe(pool, self._look(pool, now_s))

        return change(self._queue, self._asked.id, seen_now)

    def cancel(self, pool: Pool, *, running: bool) -> list[str]:
        """End pilots: those that wait in the system, and with `running` all; return their names."""
        states = ("submitting", "waiting", *(["running"] if running else []))
        ended = []
        for pilot in pool.living:
            if pilot.state in states and pilot.job:
                answer = self._commands.run(cancelling(pool, pilot.job))
                if answer.code:
                    self._tell(f"{pilot.name} is not ended: {answer.refusal}")
                else:
                    ended.append(pilot.name)
        return ended

    def _look(self, pool: Pool, now_s: float) -> Seen:
        listed = self._listed(pool)
        store, settings = self._queue.store, self._queue.settings
        heads = store.peek().heads
        machines = store.reads.machines()
        return Seen(
            now_s,
            listed,
            set(machines),
            {name for name, (_, record) in machines.items() if said.listed(record, "attempts")},
            waiting(pool, heads, now_s, settings.default_mem_mib, self._behind),
            {one.name: self._reason(one.name) for one in vanished(pool, listed)},
        )

    def _behind(self, head: Head) -> list[Head]:
        """Return jobs that wait in the same class, with their time limits."""
        store = self._queue.store
        key = registry(State.QUEUED, head.class_name)
        ids = [text_of(one) for one in store.client.call("LRANGE", key, 1, _BEHIND)]
        rows = store.reads.rows(("timeout", "enqueued_at"), ids)
        return [
            replace(head, id=job, length=1, enqueued_at=at, time_limit_s=_limit_s(limit))
            for job, limit, at in rows
        ]

    def _listed(self, pool: Pool) -> dict[str, Listed] | None:
        try:
            answer = self._commands.run(listing(pool, self._commands.user))
        except LostAnswerError as error:
            self._tell(str(error))
            return None
        if answer.code:
            self._tell(f"{pool.system} does not list its jobs: {answer.refusal}")
            return None
        return read_listing(pool, answer.out)

    def _submit(self, pool: Pool, name: str) -> Pool:
        call = submission(pool, name, self._text, self._log(name))
        try:
            answer = self._commands.run(call)
        except LostAnswerError as error:
            self._tell(f"the answer for {name} is lost; it is looked for by its name: {error.what}")
            return pool
        job = "" if answer.code else job_of(pool, answer.out)
        if answer.code:
            why = answer.refusal
            self._tell(f"{pool.system} refuses {name}: {why}")
            return self._note(pool.id, lambda one, now_s: refused(one, name, why, now_s))
        if not job:  # it is found by its name
            return pool
        return self._note(pool.id, lambda one, now_s: submitted(one, name, job, now_s))

    def _note(self, pool_id: str, how: Callable[[Pool, float], Pool]) -> Pool:
        return change(
            self._queue, pool_id, lambda pool, now_s: None if pool is None else how(pool, now_s)
        )

    def _log(self, name: str) -> str:
        return str(self._queue.layout.pilot_log(name))

    def _reason(self, name: str) -> str:
        """Return what a pilot wrote last, if that is an error."""
        layout = self._queue.layout
        found = read_file(layout.root, layout.pilot_log(name), _LOG_BYTES, tail=True)
        if not isinstance(found, Content):
            return "its worker never came, and it has written nothing"
        return last_error(found.data.decode(errors="replace").splitlines())

    def _say(self, before: Pool, now: Pool) -> None:
        states = {one.name: one for one in before.pilots}
        for name in states.keys() - {one.name for one in now.pilots}:
            with suppress(OSError):
                self._queue.layout.pilot_log(name).unlink()
        for one in now.pilots:
            was = states.get(one.name)
            if was is None or was.state == one.state:
                continue
            if one.state == "ended":
                self._tell(f"pilot {one.name} has ended" + (f": {one.reason}" * bool(one.reason)))
            elif one.state == "running":
                self._tell(f"pilot {one.name} runs")
        if now.paused and not before.paused:
            self._tell(
                f"pool {now.id} is paused: {now.paused}; go on with: mlq pilot resume {now.id}"
            )


def _limit_s(text: str) -> float | None:
    seconds = int_or(text)
    return float(seconds) if seconds > 0 else None


def last_error(lines: Sequence[str]) -> str:
    """Return the last message of mlq in a log, in one line; else its last line."""
    said = [one.strip() for one in lines if one.strip()]
    ours = [one.removeprefix("mlq: ") for one in said if one.startswith("mlq: ")]
    return clean((ours or said or ["its worker never came"])[-1])
