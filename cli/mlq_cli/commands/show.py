"""`mlq show`: prints everything about jobs."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from mlq.api.environment import environments_of
from mlq.api.job_curves import job_curves
from mlq.store.templates import STORED, Raw, whole_specs
from mlq.submit.secrecy import given
from mlq_cli.choosing import check_choice, chosen
from mlq_cli.invocation.parser import add_choice, add_json
from mlq_cli.invocation.session import local_now, open_queue, out_style, print_json, print_painted
from mlq_cli.render.figures import JobFigures, figures_of
from mlq_cli.render.job_details import Known, details

if TYPE_CHECKING:
    from mlq.api.queue import Queue

HELP = "show everything about jobs"
EXAMPLES = """\
  mlq show 1042
  mlq show 1040-1050 --json"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_choice(parser, "show")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the jobs."""
    check_choice(args, "show")
    queue = open_queue()
    jobs = queue.with_conditions(queue.views(chosen(queue, args)))
    raws = [Raw(*row) for row in queue.store.reads.rows(STORED, [job.id for job in jobs])]
    specs = whole_specs(queue.store.client, raws)
    found = {raw.id: given(spec) for raw, spec in zip(raws, specs, strict=True)}
    variables = {job.id: found.get(job.id) or given("") for job in jobs}
    attempts = {job.id: job.attempt for job in jobs}
    environments = environments_of(queue.layout, attempts)
    figures = _figures(queue, attempts, with_curves=not args.json)
    if args.json:
        print_json(
            job.as_json()
            | variables[job.id].as_json()
            | {"environment": environments.get(job.id)}
            | figures[job.id].as_json()
            for job in jobs
        )
        return 0
    now, style = local_now(), out_style()
    for number, job in enumerate(jobs):
        log = str(queue.layout.log_file(job.id, job.attempt)) if job.attempt else ""
        known = Known(environments.get(job.id), figures[job.id])
        lines = details(job, variables[job.id], log, now, style, known)
        print_painted([*([""] if number else []), *lines])
    return 0


def _figures(queue: Queue, attempts: dict[str, int], *, with_curves: bool) -> dict[str, JobFigures]:
    """Return what jobs measured and used: curves only of those that have any."""
    rows = queue.store.reads.rows(("status", "mlq_metrics", "mlq_used"), list(attempts))
    known = {row[0]: (row[2], row[3]) for row in rows}
    measured = {one: attempts[one] for one, texts in known.items() if any(texts)}
    curves = job_curves(queue.layout, measured) if with_curves and measured else {}
    return {one: figures_of(*known.get(one, ("", "")), curves.get(one)) for one in attempts}
