"""What people see of the queue: rows of jobs, indexes, names, machines. Nothing is written here.

A short command over a tunnel waits for the network, so related questions go in one round trip.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mlq.lenient import dict_or_empty, int_or, list_or_empty, text_of
from mlq.machines.health import LastHeard, LastSeen, read_sightings
from mlq.store import keys
from mlq.store.keys import INDEXES
from mlq.store.operations import Operation
from mlq.store.sending import ScriptRunner

if TYPE_CHECKING:
    from mlq.jobs.globs import Sieve

PAGE = 1000
SIFTED = 2000
"""The number of jobs that one operation examines: some ten milliseconds of the server."""

Conditions = dict[str, tuple[LastHeard, LastSeen | None]]
"""Machine -> how the queue last heard it, and the reaper last saw it."""


class SweepSeen(NamedTuple):
    """A sweep, as the queue counts it.

    Args:
        number: its job number.
        name: its name.
        at: when it was enqueued last, ISO; "" if unknown.
        held: why it is held; "" if it is not.
        members: how many it has.
        counts: how many of them are in each state; `held`, which `deferred` counts, too.
        max_running: how many may run at once; 0: any number.
        max_fails: after how many failures from the first on the rest is held; 0: never.
        took: how many finished; took_s: in how many seconds together.
        varying: JSON list of the names of its parameters that vary.
        ended: when a member ended last, unix time; 0 if none has.
        search: what it is to do, if it is a search, JSON (`mlq.search.note`); "" if it is none.
        word: the number or name by which the caller asked for it.
    """

    number: int
    name: str
    at: str
    held: str
    members: int
    counts: dict[str, int]
    max_running: int
    max_fails: int
    took: int
    took_s: float
    varying: str
    ended: float
    search: str = ""
    word: str = ""


class Glance(NamedTuple):
    """The queue at a glance.

    Args:
        rows: of jobs of no sweep; of one there may be two, of which the later one counts.
        conditions: of the machines that hold jobs.
        sweeps: in order of submission.
        paused: why the user has paused the queue; "" if it is not paused.
        counts: how many jobs there are of each unended state, and how many are `held`, which
            `deferred` counts, too; None if `rows` has all jobs.
        ended: how many have ended, if `counts` is given.
    """

    rows: list[list[str]]
    conditions: Conditions
    sweeps: list[SweepSeen]
    paused: str = ""
    counts: dict[str, int] | None = None
    ended: int = 0


_CONDITIONS = Operation("conditions", {})
_MACHINES = Operation("machines", {})


class Reads:
    """The queries that people make.

    Args:
        runner: sends the operations.
    """

    def __init__(self, runner: ScriptRunner) -> None:
        self._runner = runner

    def rows(self, fields: Sequence[str], ids: Sequence[str]) -> list[list[str]]:
        """Return [id, value, ...] for each of these ids that names a job."""
        found: list[list[str]] = []
        for start in range(0, len(ids), PAGE):
            args = {"fields": fields, "ids": ids[start : start + PAGE]}
            (reply,) = self._runner.run(Operation("list", args))
            found += reply["rows"] or ()
        return found

    def past(self, words: Sequence[str]) -> dict[str, list[str]]:
        """Return what finished runs of these commands used, a line each (`mlq.jobs.past`)."""
        call = self._runner.client.call
        return {
            word: [text_of(one) for one in call("LRANGE", keys.past(word), 0, -1)] for word in words
        }

    def pages(
        self, fields: Sequence[str], index: str, from_score: float = 0, limit: int = PAGE
    ) -> Iterator[list[list[str]]]:
        """Yield the rows of an index page by page.

        Args:
            fields: the hash fields wanted, `status` first.
            index: `jobs` (all), `unended` (both in order of submission) or `ended` (by end).
            from_score: the order, or for `ended` the unix time, to begin with.
            limit: how many jobs a page has.
        """
        after = 0
        while True:
            (reply,) = self._runner.run(_page(fields, index, from_score, after, limit))
            yield list(reply["rows"] or ())
            after = int(reply["next"])
            if not after:
                return

    def recent(self, fields: Sequence[str], since_s: float) -> tuple[list[list[str]], Conditions]:
        """Return the rows of all jobs that have not ended, or since then, and the conditions.

        In one round trip if there are no more than a page of each. A job that ends meanwhile may
        have two rows, of which the later one counts.

        Args:
            fields: as for `pages`.
            since_s: unix time.
        """
        asked = [_page(fields, "unended", 0, 0), _page(fields, "ended", since_s, 0)]
        unended, ended, told = self._runner.run(*asked, _CONDITIONS)
        if unended["next"] or ended["next"]:
            # Start over: a job that ended after the first answers may be in neither.
            pages = [*self.pages(fields, "unended"), *self.pages(fields, "ended", since_s)]
            return [row for page in pages for row in page], _conditions(told)
        return [*(unended["rows"] or ()), *(ended["rows"] or ())], _conditions(told)

    def glance(self, fields: Sequence[str], since_s: float, ended: int) -> Glance:
        """Return what to show of all jobs that have not ended, or have ended since then.

        In one round trip: all jobs of no sweep if there are no more than a page of each; otherwise
        a page of those that have not ended, all that run and those that ended last. A short command
        must stay short however many jobs wait. A sweep is returned only as counts.

        Args:
            fields: as for `pages`.
            since_s: unix time.
            ended: how many of those that ended last, if not all.
        """
        args = {"fields": fields, "since": since_s, "ended": ended, "most": PAGE}
        seen, told = self._runner.run(Operation("glance", args), _CONDITIONS)
        counts = None if seen["whole"] else seen["counts"]
        sweeps = sorted((SweepSeen(**one) for one in seen["sweeps"] or ()), key=lambda one: one[0])
        return Glance(
            list(seen["rows"] or ()),
            _conditions(told),
            sweeps,
            seen["paused"],
            counts,
            seen["ended_since"],
        )

    def sweeps(self, words: Sequence[str]) -> list[SweepSeen]:
        """Return the sweeps with these names and numbers, as far as they exist."""
        (reply,) = self._runner.run(Operation("look_sweeps", {"words": list(words)}))
        return [SweepSeen(**one) for one in reply["sweeps"] or ()]

    def members(self, number: int) -> list[str]:
        """Return the jobs that stand for the members of a sweep, in order."""
        found = self._runner.client.call("HVALS", keys.members(number))
        indices = sorted(int_or(text_of(one), -1) for one in found)
        return [f"{number}_{one}" for one in indices if one >= 0]

    def running(self) -> list[str]:
        """Return the ids of the jobs that run: a page of those whose leases expire first."""
        found = self._runner.client.call("ZRANGE", keys.LEASES, 0, PAGE - 1)
        return list(dict.fromkeys(text_of(one).rpartition(":")[0] for one in found))

    def paused(self) -> str:
        """Return why the user has paused the queue; "" if it is not paused."""
        return text_of(self._runner.client.call("GET", keys.PAUSED) or b"")

    def sweeps_between(self, first: int, last: int) -> list[int]:
        """Return the numbers of sweeps from `first` to `last`."""
        found = self._runner.client.call("HVALS", keys.SWEEPS)
        numbers = (int_or(text_of(one)) for one in found)
        return sorted(one for one in numbers if first <= one <= last)

    def latest_named(self, name: str) -> tuple[str, int]:
        """Return a name's latest unended job, else its latest job; and how many jobs have the name.

        The id is "" if there is none.
        """
        (reply,) = self._runner.run(Operation("latest_named", {"name": name}))
        return reply["id"], reply["of"]

    def sift(self, index: str, states: Collection[str], sieve: Sieve) -> Iterator[tuple[str, str]]:
        """Yield id and name of the jobs of an index that are in these states and may match.

        Args:
            index: `jobs` (all) or `unended`.
            states: `held` may be among them; none: any.
            sieve: what their names must have.
        """
        args: dict[str, Any] = {
            "index": INDEXES[index],
            "wanted": dict.fromkeys(states, True),
            **sieve._asdict(),
            "limit": SIFTED,
        }
        part = {"from": "-inf", "skip": 0}
        while part:
            (reply,) = self._runner.run(Operation("sift", {**args, **part}))
            yield from ((job_id, name) for job_id, name in reply["found"] or ())
            part = reply.get("next")

    def conditions(self) -> Conditions:
        """Return how each machine that holds attempts was last heard, and seen by the reaper."""
        (reply,) = self._runner.run(_CONDITIONS)
        return _conditions(reply)

    def machines(self) -> dict[str, tuple[float, dict[str, Any]]]:
        """Return machine -> (seconds since it was last heard by the server, its record).

        Who holds what there now is in the record as `people`, unless that is not known.
        """
        (reply,) = self._runner.run(_MACHINES)
        found = {}
        for name, heard_s, text, people in reply["machines"] or ():
            now = {"people": list_or_empty(people)} if people else {}
            found[name] = (heard_s, {**dict_or_empty(text), **now})
        return found


def _page(
    fields: Sequence[str], index: str, from_score: float, after: int, limit: int = PAGE
) -> Operation:
    args = {
        "fields": fields,
        "ids": [],
        "index": INDEXES[index],
        "from_score": from_score,
        "after": after,
        "limit": limit,
    }
    return Operation("list", args)


def _conditions(reply: dict[str, Any]) -> Conditions:
    seen = read_sightings(dict_or_empty(reply["sightings"]))
    return {
        one["machine"]: (
            LastHeard(one["heard_s"], one["condition"], one["tunnel"]),
            seen.get(one["machine"]),
        )
        for one in reply["machines"] or ()
    }
