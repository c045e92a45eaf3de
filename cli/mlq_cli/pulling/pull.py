"""One pull from beginning to end: list, plan, write `results.csv`, and fetch.

What is decided is in the pure modules beside this one; here is only their order.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlq.api.queue import Queue
from mlq.errors import InvalidInputError
from mlq.ids import is_valid_id
from mlq.jobs.view import JobView
from mlq.lenient import list_or_empty
from mlq.store import identity
from mlq.units import format_bytes
from mlq_cli.pulling.below import NotPlacedError
from mlq_cli.pulling.fetching import Tally, fetch
from mlq_cli.pulling.folders import Named, assigned
from mlq_cli.pulling.placing import FullDiskError, Place
from mlq_cli.pulling.planning import Here, JobPlan, Wanted, is_ours, plan_of
from mlq_cli.pulling.report import Pull
from mlq_cli.pulling.results_csv import results_csv
from mlq_cli.pulling.source import Source
from mlq_cli.remote.far_tree import Sending
from mlq_cli.remote.far_walk import Listed, Other
from mlq_cli.render.progress import Progress
from mlq_cli.render.pulled import Moving, progress_line

RESULTS = "results.csv"
_DRAWN_EVERY_S = 0.1

Listing = Mapping[str, tuple[Sequence[Listed], Sequence[Other]]]


class Puller:
    """Pulls jobs into a folder.

    Args:
        queue: whose jobs they are.
        source: where their files are.
        folder: where they go.
        wanted: what the user asks for.
        most: the size above which files are left out, as typed; "" if there is none.
    """

    def __init__(
        self, queue: Queue, source: Source, folder: Path, wanted: Wanted, most: str
    ) -> None:
        self._queue, self._source, self._folder = queue, source, folder
        self._wanted, self._most = wanted, most
        self._told: list[str] = []

    def run(self, jobs: Sequence[JobView], *, is_default: bool, is_dry: bool) -> Pull:
        """Pull these jobs, or only plan it.

        Args:
            jobs: which.
            is_default: whether the user has named no folder, so that a strange one is refused.
            is_dry: whether nothing is written.

        Raises:
            InvalidInputError: the folder is not empty, and no pull has made it.
            FullDiskError: the disk is too small; what was fetched is whole.
            MlqError: the files cannot be read, or the folder cannot be written.
        """
        with Place(self._folder.absolute()) as place, Progress() as progress:
            if place.read() and is_default and not place.is_pulled:
                raise InvalidInputError(
                    f"./{self._folder} is not empty, and no pull has made it",
                    fix=f"name the folder to pull into; this one, if you mean it: ./{self._folder}",
                )
            queue_id, named = identity.queue_id(self._queue.store.client), self._named(jobs)
            places = self._places(jobs)
            found = self._listed(places, progress)
            if not is_dry:
                place.open()
            known = _of_queue(place.record.folders, queue_id)
            folders = assigned(named, known, place.record.folders.values())
            here = Here(place.look, place.record.files, place.ignores_case)
            plans = [
                plan_of(job.id, folders[job.id], found.get(job.id, ((), ())), self._wanted, here)
                for job in jobs
            ]
            pull = Pull(str(self._folder), str(place.folder), jobs, plans, self._most)
            if is_dry:
                return pull
            self._check_room(place, plans)
            for one in plans:
                if one.folder:
                    place.add_job(f"{queue_id} {one.job_id}", one.folder)
            # The table comes first: the way to the queue may break while files are fetched.
            if kept := self._write_results(place, jobs, queue_id):
                plans[0] = plans[0]._replace(kept=(*plans[0].kept, kept))
            tally = self._fetched(place, plans, places, progress)
            if not tally.failed:
                place.tidy()
            return pull._replace(tally=tally)

    def _named(self, jobs: Sequence[JobView]) -> list[Named]:
        numbers = {str(job.sweep) for job in jobs if job.sweep is not None}
        sweeps = self._queue.store.reads.sweeps(sorted(numbers)) if numbers else []
        varying = {
            one.number: [name for name in list_or_empty(one.varying) if isinstance(name, str)]
            for one in sweeps
        }
        self._told = list(dict.fromkeys(name for names in varying.values() for name in names))
        return [
            Named(job.id, job.name, job.params, varying.get(job.sweep or 0, ())) for job in jobs
        ]

    def _places(self, jobs: Sequence[JobView]) -> dict[str, str]:
        """Return the folder of each job that has started, relative to the root."""
        root = f"{self._queue.settings.root}/"
        return {
            job.id: self._queue.layout.folder(job.id).path.removeprefix(root)
            for job in jobs
            if job.attempt and is_valid_id(job.id)
        }

    def _listed(self, places: Mapping[str, str], progress: Progress) -> Listing:
        found: dict[str, tuple[list[Listed], list[Other]]] = {}
        ids = {place: job_id for job_id, place in places.items()}

        def note(place: str, files: Sequence[Listed], others: Sequence[Other]) -> None:
            known = found.setdefault(ids[place], ([], []))
            known[0].extend(files)
            known[1].extend(others)
            progress.show({"looking": f"{len(found):,} of {len(places):,} jobs"})

        if places:
            self._source.list_all(list(places.values()), note)
        return found

    def _check_room(self, place: Place, plans: Sequence[JobPlan]) -> None:
        needed = sum(one.fetch_bytes for one in plans) - place.parts_bytes()
        free = place.free_bytes()
        if needed > free:
            items = (item for one in plans for item in one.fetch)
            largest = max(items, key=lambda one: one.file.size)
            raise FullDiskError(
                f"{self._folder} has too little room",
                why=f"{format_bytes(needed)} are to be fetched, {format_bytes(free)} are free:"
                f" {format_bytes(needed - free)} are missing",
                fix=f"nothing was fetched; the largest is {largest.target} with"
                f" {format_bytes(largest.file.size)}, and --max-size 100M leaves out such files",
            )

    def _fetched(
        self,
        place: Place,
        plans: Sequence[JobPlan],
        places: dict[str, str],
        progress: Progress,
    ) -> Tally:
        items = [item for one in plans for item in one.fetch]
        total = sum(item.file.size for item in items)
        began_s = drawn_s = time.monotonic()

        def show(tally: Tally) -> None:
            nonlocal drawn_s
            now_s = time.monotonic()
            if now_s - drawn_s >= _DRAWN_EVERY_S:
                drawn_s = now_s
                moving = (tally.moved, tally.reached, total, len(tally.fetched), len(items))
                line = progress_line(Moving(*moving, now_s - began_s))
                progress.show({str(self._folder): line})

        tally = Tally(show)
        try:
            fetch(self._source, place, items, places, tally)
        except FullDiskError as error:
            left = total - tally.bytes
            raise FullDiskError(
                error.what,
                why=f"{len(tally.fetched):,} of {len(items):,} files are fetched, and"
                f" {format_bytes(left)} are left; {format_bytes(place.free_bytes())} are free",
                fix="make room, and run the same command again: it goes on where it stopped",
            ) from None
        return tally

    def _write_results(self, place: Place, jobs: Sequence[JobView], queue_id: str) -> Other | None:
        """Write the table of all jobs in the folder; return why, if the user's own stays."""
        folders = _of_queue(place.record.folders, queue_id)
        ids = dict.fromkeys([*(job.id for job in jobs), *folders])
        text = results_csv(self._queue.store, list(ids), self._told, folders)
        local = place.look(RESULTS)
        if local is not None:
            if place.content(RESULTS) == text:
                return None
            is_own = is_ours(local, place.record.files.get(RESULTS, ()))
            if not is_own and (not self._wanted.force or local.kind == "a folder"):
                return Other(RESULTS, "was changed here, or not made by pull")
        pieces = iter((text,) if text else ())
        sending = Sending(len(text), time.time_ns(), False, 0, pieces, lambda: True)
        try:
            place.put(RESULTS, sending, local)
        except NotPlacedError as error:
            return Other(RESULTS, error.what)
        return None


def _of_queue(folders: Mapping[str, str], queue_id: str) -> dict[str, str]:
    """Return job -> folder of one queue; a folder may hold what was pulled from several."""
    begin = f"{queue_id} "
    return {key[len(begin) :]: one for key, one in folders.items() if key.startswith(begin)}
