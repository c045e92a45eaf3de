"""Warnings for the user who has just enqueued a job."""

from __future__ import annotations

from mlq.api.queue import Queue
from mlq.errors import InvalidInputError
from mlq.ids import expand
from mlq.jobs.choice_of_machines import machines_of
from mlq.jobs.placement import Misfit, Offer, place
from mlq.jobs.request import JobClass
from mlq.jobs.view import JobView
from mlq.machines.said import offer_of
from mlq_cli.invocation.session import say
from mlq_cli.render.clean import clean
from mlq_cli.render.jobs import asks
from mlq_cli.render.words import about, count


def warn(queue: Queue, job: JobView, folder: str) -> None:
    """Warn the user of what may surprise them about this job, which runs in this folder."""
    for warning in (misleading(job), _too_large(queue, job), _missing(queue, job, folder)):
        if warning:
            say(warning)


def warn_too_large(queue: Queue, job_id: str) -> None:
    """Warn if no known machine could ever run a job after its request was changed."""
    if warning := _too_large(queue, queue.views([job_id])[0]):
        say(warning)


def _too_large(queue: Queue, job: JobView) -> str:
    known = queue.store.reads.machines().values()
    offers = [offer_of(record) for _, record in known]
    heard = [offer_of(record) for heard_s, record in known if heard_s <= queue.settings.lease_s]
    return too_large(job, offers, heard)


def misleading(job: JobView) -> str:
    """Return a warning if the job's name, where an id is taken, means other jobs; else ""."""
    try:
        if not job.name or expand(job.name).kind == "name":
            return ""
    except InvalidInputError:
        pass  # a range that runs backwards is not a name either
    return f"warning: {clean(job.name)!r} means jobs by their ids; this one is found by its own"


def too_large(job: JobView, offers: list[Offer], heard: list[Offer]) -> str:
    """Return a warning if no known machine could ever run the job, else "".

    The warning names the largest machine in `heard`: a dead machine is no reason to ask for less.
    """
    job_class = JobClass.parse(job.class_name, default_mem_mib=job.mem_mib)
    fits = [place(job_class.request, offer.when_idle()) for offer in offers]
    if not offers or not all(isinstance(fit, Misfit) for fit in fits):
        return ""
    allowed = [offer for offer in offers if job_class.request.allows(offer.machine)]
    if not allowed:
        asked = machines_of(job_class.request.machine)
        which = "the name of no known machine is" if asked.wanted else "every known machine is"
        names = clean(asked.in_words() if asked.wanted else " or ".join(asked.excluded))
        return f"warning: job {job.id} waits, for {which} {names} (see: mlq machines)"
    living = [offer for offer in heard if job_class.request.allows(offer.machine)]
    if not living:
        return f"warning: job {job.id} waits, for no known machine can run it ({asks(job)})"
    largest = max(living, key=lambda one: (len(one.gpus), one.total_cores, one.total_mem_mib))
    has = [count(largest.total_cores, "core"), f"{about(largest.total_mem_mib)} of memory"]
    if largest.gpus:
        has.append(f"{count(len(largest.gpus), 'GPU')} of {about(largest.gpus[0].total_mib)}")
        has[-1] += f" ({clean(largest.gpus[0].name)})" if job.gpu_type else ""
    return (
        f"warning: job {job.id} waits, for no known machine can run it ({asks(job)});"
        f" the largest, {largest.machine}, has {', '.join(has)}"
    )


def _missing(queue: Queue, job: JobView, folder: str) -> str:
    if not queue.settings.is_remote:
        return ""
    from mlq_cli.packs import has_code
    from mlq_cli.remote.folder_there import missing_there

    # `enqueue` has already looked for the folders that a job with code needs.
    return "" if has_code(queue, job.id) else missing_there(queue.settings, folder)
