"""Collects what a copy holds, without blocking the server and without keeping it all in memory.

Jobs are copied in blocks of some hundred, in order of submission. Each time, the collector asks for
a few short fields of all jobs, page by page. It reads whole and packs anew only the blocks in which
one of these changed; of the others it keeps the packed bytes. So a copy of 100,000 waiting jobs
costs the server some tens of short queries and a worker some megabytes.

Jobs that ended are known by their results on the root. Only where these do not tell all (canceled
before it ran, refused, lost with its machine, run again) is an ended job kept in the copy, too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from mlq.copies.copy_format import Header, header_lines, job_line, last_line, packed
from mlq.errors import OtherQueueError
from mlq.ids import is_job_id
from mlq.jobs.lifecycle import State
from mlq.lenient import int_or
from mlq.store.identity import last_number, moment
from mlq.store.job_hashes import sweep_notes, whole_jobs
from mlq.store.pilots import read_pools

if TYPE_CHECKING:
    from mlq.store.store import Store

# While none of these has changed, nothing that has to be copied of a job has changed.
_VERSION = (
    "status",
    "origin",
    "enqueued_at",
    "started_at",
    "ended_at",
    "mlq_attempt",
    "mlq_failures",
    "mlq_losses",
    "mlq_exit_code",
    "mlq_stop",
    "mlq_reason",
    "mlq_held",
    "mlq_unwritten",
    "mlq_edits",
)
_BLOCK = 256  # job numbers of a block
_READ_AT_ONCE = 64  # jobs
_PAGE = 250  # the server answers no other client while it puts a page together
_OVERLAP_S = 120.0  # the server's clock may have been set back since the last copy

Row = Sequence[str]
BlockKey = tuple[str, int]


class _Block(NamedTuple):
    version: int
    size: int
    packed: bytes


class Collected(NamedTuple):
    """A copy ready to be written; `body` is everything but the header, which holds the time."""

    header: Header
    body: bytes

    @property
    def raw(self) -> bytes:
        """The whole file."""
        return packed(header_lines(self.header)) + self.body

    def is_like(self, other: Collected | None) -> bool:
        """Return whether the other copy holds the same jobs."""
        if other is None or other.body != self.body:
            return False
        return other.header._replace(at_s=0.0) == self.header._replace(at_s=0.0)


class Collector:
    """Remembers what it copied last, so that the next copy costs little.

    Args:
        store: the queue.
        machine: the name written into the copies.
        keep_s: how long ended jobs stay in the queue.
    """

    def __init__(self, store: Store, machine: str, keep_s: float) -> None:
        self._store, self._machine, self._keep_s = store, machine, keep_s
        self._blocks: dict[BlockKey, _Block] = {}
        self._ended: dict[str, tuple[float, Row]] = {}
        self._ended_since_s = 0.0

    def collect(self, queue_id: str) -> Collected:
        """Return a copy of the queue as it is now.

        Args:
            queue_id: the queue that the results root belongs to.

        Raises:
            OtherQueueError: the server holds another queue, or one that is being restored. What it
                holds must not replace the copy.
        """
        at_s = self._check(queue_id)
        unended = [row for page in self._pages("unended") for row in page]
        self._look_for_ends(at_s, {row[0] for row in unended})
        ended = [row for _, row in self._ended.values()]
        parts = [*self._packed("unended", unended), *self._packed("ended", ended)]
        self._check(queue_id)
        last = int_or(last_number(self._store.client))
        unended_count, ended_count = (
            sum(block.size for key, block in self._blocks.items() if key[0] == kind)
            for kind in ("unended", "ended")
        )
        sweeps = sweep_notes(self._store.client)
        pools = read_pools(self._store).texts
        counts = (unended_count, ended_count)
        header = Header(queue_id, last, at_s, self._machine, *counts, sweeps, pools)
        return Collected(header, b"".join(parts) + packed(last_line(header)))

    def _check(self, queue_id: str) -> float:
        """Return the server's time, if it holds this queue and all of it."""
        found = moment(self._store.client)
        if found.queue_id != queue_id or found.is_restoring:
            raise OtherQueueError(
                "the server does not hold the queue of this results root",
                why=f"it holds {found.queue_id or 'none'}, the root {queue_id}",
                fix="mlq server restore",
            )
        return found.server_s

    def _pages(self, index: str, from_score: float = 0) -> Iterator[list[list[str]]]:
        return self._store.reads.pages(_VERSION, index, from_score, _PAGE)

    def _look_for_ends(self, now_s: float, unended: set[str]) -> None:
        for page in self._pages("ended", min(now_s, self._ended_since_s) - _OVERLAP_S):
            for row in page:
                if _needs_copy(row):
                    self._ended[row[0]] = now_s, row
                else:
                    self._ended.pop(row[0], None)
        self._ended_since_s = now_s
        for job_id, (seen_s, _) in list(self._ended.items()):
            if job_id in unended or seen_s < now_s - self._keep_s:
                del self._ended[job_id]

    def _packed(self, kind: str, rows: Sequence[Row]) -> list[bytes]:
        """Return the packed blocks of these jobs, in order; forgets those that are gone."""
        grouped: defaultdict[BlockKey, list[Row]] = defaultdict(list)
        for row in rows:
            grouped[kind, _block_of(row[0])].append(row)
        for key in [key for key in self._blocks if key[0] == kind and key not in grouped]:
            del self._blocks[key]
        for key, members in grouped.items():
            version = hash(tuple(map(tuple, members)))
            known = self._blocks.get(key)
            if known is None or known.version != version:
                lines = self._lines(members)
                self._blocks[key] = _Block(version, len(lines), packed(b"".join(lines)))
        return [self._blocks[key].packed for key in sorted(grouped)]

    def _lines(self, rows: Sequence[Row]) -> list[bytes]:
        lines = []
        for start in range(0, len(rows), _READ_AT_ONCE):
            batch = rows[start : start + _READ_AT_ONCE]
            whole_batch = whole_jobs(self._store.client, [(row[0], row[2]) for row in batch])
            for row, job in zip(batch, whole_batch, strict=True):
                if job.fields:
                    lines.append(job_line(row[0], job.fields, job.pending, job.due))
        return lines


def _block_of(job_id: str) -> int:
    return int(job_id.partition("_")[0]) // _BLOCK if is_job_id(job_id) else -1


def _needs_copy(row: Row) -> bool:
    """Return whether the results on the root say too little of how a job ended."""
    one = dict(zip(("id", *_VERSION), row, strict=True))
    told = one["mlq_exit_code"] != "" and one["mlq_attempt"] == "1" and not one["mlq_unwritten"]
    # One that was canceled while it waited for a retry has the exit code of what failed before.
    told = told and one["status"] != State.CANCELED
    return not told or int_or(one["mlq_losses"]) > 0 or int_or(one["mlq_failures"]) > 1
