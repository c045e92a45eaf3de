"""What a pull did or would do, as lines for people and as objects for programs. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from mlq.jobs.view import JobView
from mlq.units import format_bytes
from mlq_cli.pulling.fetching import Tally
from mlq_cli.pulling.planning import Item, JobPlan
from mlq_cli.render.pulled import Named, amount, named_lines, plan_table
from mlq_cli.render.style import Style
from mlq_cli.render.words import count


class Pull(NamedTuple):
    """A pull.

    Args:
        folder: into which, as its user typed it.
        directory: the same, absolute.
        jobs: which were pulled.
        plans: what was planned of each, in the same order.
        most: the size above which files were left out, as typed; "" if there was none.
        tally: what was done; None if nothing was to be done.
    """

    folder: str
    directory: str
    jobs: Sequence[JobView]
    plans: Sequence[JobPlan]
    most: str
    tally: Tally | None = None


def lines_of(pull: Pull, style: Style) -> list[str]:
    """Return the report of a pull that was carried out."""
    tally = pull.tally or Tally()
    lines = [f"{count(len(pull.jobs), 'job')}, {_folders(pull)} in {pull.folder}"]
    same = sum(one.same for one in pull.plans)
    what = f"fetched {amount(len(tally.fetched), tally.bytes)}" if tally.fetched else "nothing new"
    here = f"; {same:,} {'was' if same == 1 else 'were'} here already" if same else ""
    lines.append(f"{what}{here}")
    named = [*_left_out(pull.plans, pull.most), *_trouble(tally)]
    return [*lines, *named_lines(named, style)]


def dry_lines_of(pull: Pull, style: Style) -> list[str]:
    """Return the report of what a pull would do."""
    rows = [
        (one.folder, len(one.fetch), one.fetch_bytes, one.same, job.id, job.state)
        for job, one in zip(pull.jobs, pull.plans, strict=True)
        if one.folder
    ]
    lines = [*plan_table(rows, style), ""] if rows else []
    number, size_bytes = sum(row[1] for row in rows), sum(row[2] for row in rows)
    lines.append(f"{amount(number, size_bytes)} would be fetched into {pull.folder}")
    return [*lines, *named_lines(_left_out(pull.plans, pull.most), style)]


def objects_of(pull: Pull) -> list[dict[str, Any]]:
    """Return an object for each job; the names are a contract."""
    tally = pull.tally or Tally()
    done, failed = _by_job(tally.fetched), defaultdict[str, list[dict[str, str]]](list)
    for item, why in tally.failed:
        failed[item.job_id].append({"path": item.target, "why": why})
    return [
        {
            "id": job.id,
            "name": job.name,
            "state": job.state,
            "params": job.params,
            "folder": one.folder,
            "directory": f"{pull.directory}/{one.folder}" if one.folder else None,
            "to_fetch": len(one.fetch),
            "to_fetch_bytes": one.fetch_bytes,
            "fetched": done[job.id],
            "same": one.same,
            "kept": [kept._asdict() for kept in one.kept],
            "too_large": [{"path": f.path, "size_bytes": f.size} for f in one.too_large],
            "checkpoints": len(one.checkpoints),
            "checkpoints_bytes": sum(f.size for f in one.checkpoints),
            "left_out": [other._asdict() for other in one.others],
            "failed": failed[job.id],
        }
        for job, one in zip(pull.jobs, pull.plans, strict=True)
    ]


def _folders(pull: Pull) -> str:
    number = sum(bool(one.folder) for one in pull.plans)
    without = len(pull.jobs) - number
    more = f" ({count(without, 'job')} without files)" if without else ""
    return f"{count(number, 'folder')}{more}"


def _left_out(plans: Sequence[JobPlan], most: str) -> Iterator[Named]:
    """Yield what is not fetched, and why."""
    kept = tuple((one.path, one.why) for plan in plans for one in plan.kept)
    if kept:
        yield Named(
            f"kept here as they are: {count(len(kept), 'file')} (--force replaces files):", kept
        )
    large = [(plan, one) for plan in plans for one in plan.too_large]
    if large:
        size_bytes = sum(one.size for _, one in large)
        rows = [(f"{_title(plan)}/{one.path}", format_bytes(one.size)) for plan, one in large]
        what = f"left out as larger than {most}: {amount(len(large), size_bytes)}:"
        yield Named(what, tuple(rows))
    saved = [one for plan in plans for one in plan.checkpoints]
    if saved:
        what = amount(len(saved), sum(one.size for one in saved))
        yield Named(f"left out as checkpoints: {what} (--checkpoints)")
    others = tuple((f"{_title(plan)}/{one.path}", one.why) for plan in plans for one in plan.others)
    if others:
        yield Named(f"left out as no files: {len(others):,}:", others)


def _trouble(tally: Tally) -> Iterator[Named]:
    """Yield what was not as planned."""
    if gone := tuple((item.target, "") for item in tally.vanished):
        yield Named(f"vanished before they were read: {count(len(gone), 'file')}:", gone)
    if changing := tuple((item.target, "") for item in tally.changing):
        what = f"changed while they were read, so pull again later: {count(len(changing), 'file')}:"
        yield Named(what, changing)
    if failed := tuple((item.target, why) for item, why in tally.failed):
        yield Named(f"not fetched: {count(len(failed), 'file')}:", failed)


def _title(plan: JobPlan) -> str:
    return plan.folder or plan.job_id


def _by_job(items: Iterable[Item]) -> Mapping[str, int]:
    found = defaultdict[str, int](int)
    for item in items:
        found[item.job_id] += 1
    return found
