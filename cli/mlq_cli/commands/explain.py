"""`mlq explain`: why a job waits."""

from __future__ import annotations

import argparse
import time
from typing import Any

from mlq.api.queue import Queue
from mlq.ids import order_key
from mlq.jobs.lifecycle import ENDED, State
from mlq.jobs.needs import word_of
from mlq.jobs.request import JobClass
from mlq.jobs.view import JobView
from mlq.lenient import text_of, whole
from mlq.store.replies import Waiting
from mlq_cli.explanation import Circumstances, Verdict, conclusion, verdict
from mlq_cli.explanation_table import verdict_table
from mlq_cli.invocation.parser import add_ids, add_json
from mlq_cli.invocation.session import (
    local_now,
    open_queue,
    out_style,
    print_json,
    print_lines,
    print_painted,
)
from mlq_cli.render.clean import clean
from mlq_cli.render.jobs import asks, seconds_of, state_of
from mlq_cli.render.style import kind_of
from mlq_cli.render.words import count, elapsed, moment

HELP = "say why a job waits: for each machine, what is short"
EXAMPLES = """\
  mlq explain 1042
  mlq explain 1042 --json"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_ids(parser, "id, range (1040-1050) or name")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Explain."""
    queue = open_queue()
    jobs = queue.with_conditions(queue.views(queue.select(args.ids)))
    waiting = queue.store.peek()
    found = [(job, *_judged(queue, job, waiting)) for job in jobs]
    if args.json:
        print_json(_as_json(queue, *one) for one in found)
        return 0
    for number, (job, verdicts, ahead) in enumerate(found):
        print_lines([""] if number else [])
        print_painted(_explained(queue, job, verdicts, ahead, waiting.reservations))
    return 0


def _judged(queue: Queue, job: JobView, waiting: Waiting) -> tuple[list[Verdict], int]:
    if job.state in ENDED or job.state == State.STARTED:
        return [], 0
    default = queue.settings.default_mem_mib
    request = JobClass.parse(job.class_name, default_mem_mib=default).request
    around = Circumstances(job.id, waiting.reservations, *_ties(queue, job.id))
    verdicts = [
        verdict(request, {**record, "machine": name}, heard_s, queue.settings.lease_s, around)
        for name, (heard_s, record) in sorted(queue.store.machines().items())
    ]
    return verdicts, _ahead(queue, job, waiting) if job.state == State.QUEUED else 0


def _ties(queue: Queue, job_id: str) -> tuple[str, str]:
    """Return the machine that lets others take the job first, and the words of what it needs."""
    ((_, _state, machine, until, needs),) = queue.store.rows(
        ("status", "mlq_avoid", "mlq_avoid_until", "mlq_needs"), [job_id]
    )
    return machine if whole(until.partition(".")[0]) > time.time() else "", needs


def _ahead(queue: Queue, job: JobView, waiting: Waiting) -> int:
    """Count the queued jobs that a machine they fit would take first: by priority, then by id.

    Whole classes are counted by their length; only those of the job's own priority are read.
    """
    ahead = 0
    place_in_line = order_key(job.id)
    for head in waiting.heads:
        priority = JobClass.parse(head.class_name, default_mem_mib=1).priority
        if priority > job.priority:
            ahead += head.length
        elif priority == job.priority:
            ids = queue.store.client.call("LRANGE", f"rq:queue:{head.class_name}", 0, -1)
            ahead += sum(order_key(text_of(raw)) < place_in_line for raw in ids)
    return ahead


def _explained(
    queue: Queue, job: JobView, verdicts: list[Verdict], ahead: int, reservations: dict[str, str]
) -> list[str]:
    now, style = local_now(), out_style()
    title = style.paint(clean(f"{job.id} {job.name}").rstrip(), "strong")
    word = state_of(job)
    state = style.paint(clean(word), kind_of(word))
    lasted = elapsed(seconds_of(job, now))
    if job.state in ENDED:
        why = f": {clean(job.reason)}" if job.reason else ""
        return [f"{title} waits no more: it is {state}{why}"]
    if job.state == State.STARTED:
        said = "; ".join(one for one in (job.reason, job.condition) if one)
        why = f" ({clean(said)})" if said else ""
        where = clean(job.machine or "a machine")
        return [f"{title} runs on {where} for {lasted}, attempt {job.attempt}{why}"]
    lines = [f"{title} is {state} for {lasted}; it asks for {asks(job)}"]
    if job.held:
        lines += [clean(job.held[0].upper() + job.held[1:]), *_since(queue, job)]
    elif job.state == State.DEFERRED:
        lines += _parents(queue, job)
    elif job.state == State.SCHEDULED and job.due_at:
        lines.append(f"It is tried again at {moment(job.due_at, now)}: {clean(job.reason)}")
    elif job.state == State.QUEUED:
        lines.append(f"{count(ahead, 'job')} before it in line.")
        lines.append(clean(conclusion(job.id, verdicts, ahead, reservations)))
    table = verdict_table(verdicts, style)
    return [*lines, "", *table] if table else lines


def _since(queue: Queue, job: JobView) -> list[str]:
    """Say how a held job is let go, and whether its command works again."""
    ((_, _state, needs),) = queue.store.rows(("status", "mlq_needs"), [job.id])
    word = word_of(needs, "s")
    told = queue.store.starts([word], queue.settings.lease_s)["starts"] or {}
    newest = (told.get(word) or [""])[0].split(" ")
    works = ["Since then a job of the same command has started well."] * ("good" in newest[1:2])
    return [*works, f"Once it is mended: mlq release {job.id}"]


def _parents(queue: Queue, job: JobView) -> list[str]:
    parents = {row[0]: row[1] for row in queue.store.rows(("status",), job.after)}
    pending = [f"{one} ({state})" for one, state in parents.items() if state not in ENDED]
    return [clean(f"It starts only after {', '.join(pending) or 'its parents'}.")]


def _as_json(queue: Queue, job: JobView, verdicts: list[Verdict], ahead: int) -> dict[str, Any]:
    parents = {row[0]: row[1] for row in queue.store.rows(("status",), job.after)}
    return {
        "id": job.id,
        "state": job.state,
        "reason": job.reason,
        "held": job.held,
        "ahead": ahead,
        "after": parents,
        "machines": [one.as_json() for one in verdicts],
    }
