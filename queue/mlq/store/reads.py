"""What people see of the queue: rows of jobs, indexes, names, machines. Nothing is written here.

A short command over a tunnel waits for the network, so what belongs together is asked in one round
trip.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mlq.lenient import dict_or_empty
from mlq.machines.health import LastHeard, LastSeen, read_sightings
from mlq.store.keys import INDEXES
from mlq.store.operations import Operation
from mlq.store.sending import ScriptRunner

if TYPE_CHECKING:
    from mlq.jobs.globs import Sieve

PAGE = 1000
SIFTED = 2000
"""Jobs that are looked at in one operation: some ten milliseconds of the server."""

Conditions = dict[str, tuple[LastHeard, LastSeen | None]]
"""Machine -> how it was last heard by the queue, and seen by the reaper."""


class Glance(NamedTuple):
    """What is shown of a queue at a glance.

    Args:
        rows: of jobs; of one that moved meanwhile there may be two, of which the later one counts.
        conditions: of the machines that hold jobs.
        counts: how many jobs there are of each unended state, and how many are `held`, which
            `deferred` counts, too; None if `rows` has all jobs.
        ended: how many have ended, if `counts` is given.
    """

    rows: list[list[str]]
    conditions: Conditions
    counts: dict[str, int] | None = None
    ended: int = 0


_CONDITIONS = Operation("conditions", {})
_MACHINES = Operation("machines", {})


class Reads:
    """What people ask of the queue.

    Args:
        runner: sends the operations.
    """

    def __init__(self, runner: ScriptRunner) -> None:
        self._runner = runner

    def rows(self, fields: Sequence[str], ids: Sequence[str]) -> list[list[str]]:
        """Return [id, value, ...] for each of these ids that is a job."""
        found: list[list[str]] = []
        for start in range(0, len(ids), PAGE):
            args = {"fields": fields, "ids": ids[start : start + PAGE]}
            (reply,) = self._runner.run(Operation("list", args))
            found += reply["rows"] or ()
        return found

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
            # From the beginning: what ended after the first answers may be in neither.
            pages = [*self.pages(fields, "unended"), *self.pages(fields, "ended", since_s)]
            return [row for page in pages for row in page], _conditions(told)
        return [*(unended["rows"] or ()), *(ended["rows"] or ())], _conditions(told)

    def glance(self, fields: Sequence[str], since_s: float, ended: int) -> Glance:
        """Return what is to be shown of all jobs that have not ended, or since then.

        Whole in one round trip if there are no more than a page of each; otherwise a page of those
        that have not ended, all that run and those that ended last, in two: a short command must
        stay one however much waits.

        Args:
            fields: as for `pages`.
            since_s: unix time.
            ended: how many of those that ended last, if not all.
        """
        asked = [_page(fields, "unended", 0, 0), _page(fields, "ended", since_s, 0)]
        first, last, told = self._runner.run(*asked, _CONDITIONS)
        rows = [*(first["rows"] or ()), *(last["rows"] or ())]
        if not first["next"] and not last["next"]:
            return Glance(rows, _conditions(told))
        args = {"fields": fields, "since": since_s, "ended": ended, "most": PAGE}
        (more,) = self._runner.run(Operation("glance", args))
        rows = [*(first["rows"] or ()), *(more["rows"] or ())]
        return Glance(rows, _conditions(told), more["counts"], more["ended_since"])

    def latest_named(self, name: str) -> tuple[str, int]:
        """Return the latest job of a name that has not ended, else its latest; and of how many.

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
        """Return machine -> (seconds since it was last heard by the server, its record)."""
        (reply,) = self._runner.run(_MACHINES)
        return {
            name: (heard_s, dict_or_empty(text)) for name, heard_s, text in reply["machines"] or ()
        }


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
