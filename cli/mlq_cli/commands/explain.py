"""`mlq explain`: says why a job waits."""

from __future__ import annotations

import argparse
import time
from typing import Any

from mlq.api.explaining import Explanation, explain
from mlq.api.queue import Queue
from mlq.api.selecting import sweep_meant
from mlq.jobs.lifecycle import ENDED, FAILING, WAITING, State
from mlq.jobs.needs import word_of
from mlq.jobs.view import JobView
from mlq_cli.explanation import as_json, conclusion_in_words, judgement_table
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
from mlq_cli.render.parents import parents_in_words
from mlq_cli.render.style import kind_of
from mlq_cli.render.sweeps import summary_line
from mlq_cli.render.words import count, elapsed, moment

HELP = "say why a job waits: for each machine, what is short"
EXAMPLES = """\
  mlq explain 1042
  mlq explain lr
  mlq explain 1042 --json"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_ids(parser, "id, range (1040-1050), sweep or name")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Explain."""
    queue = open_queue()
    ids = queue.select(args.ids)
    sweep = None if args.json else sweep_meant(queue.store, args.ids)
    if sweep is not None:
        # What keeps the first job waiting keeps the others waiting, too.
        print_lines([clean(summary_line(sweep))])
        waiting = queue.store.reads.rows(("status",), ids)
        ids = next(([job_id] for job_id, state in waiting if state in WAITING), [])
        print_lines(["", "The first of them that waits:"] if ids else [])
    jobs = queue.with_conditions(queue.views(ids))
    explained = explain(queue.store, queue.settings, jobs, time.time())
    found = list(zip(jobs, explained, strict=True))
    if args.json:
        print_json(_as_json(queue, *one) for one in found)
        return 0
    for number, (job, explanation) in enumerate(found):
        print_lines([""] if number else [])
        print_painted(_explained(queue, job, explanation))
    return 0


def _explained(queue: Queue, job: JobView, explanation: Explanation) -> list[str]:
    now, style = local_now(), out_style()
    title = style.paint(clean(f"{job.id} {job.name}").rstrip(), "strong")
    word = state_of(job)
    state = style.paint(clean(word), kind_of(word))
    lasted = elapsed(seconds_of(job, now))
    if job.state in ENDED:
        why = f": {clean(job.reason)}" if job.reason else ""
        return [f"{title} waits no more: it is {state}{why}"]
    if job.state == State.STARTED:
        said = "; ".join(one for one in (job.reason, job.restraint, job.condition) if one)
        why = f" ({clean(said)})" if said else ""
        where = clean(job.machine or "a machine")
        return [f"{title} runs on {where} for {lasted}, attempt {job.attempt}{why}"]
    lines = [f"{title} is {state} for {lasted}; it asks for {asks(job)}"]
    if job.held:
        lines += [clean(job.held[0].upper() + job.held[1:]), *_since(queue, job)]
    elif job.state == State.DEFERRED:
        lines += _parents(queue, job)
    elif job.state == State.SCHEDULED and job.due_at:
        when = moment(job.due_at, now)
        again = f"It is tried again at {when}: {clean(job.reason)}"
        lines.append(again if job.attempt else f"It may start at {when}, as its user wants.")
    elif explanation.conclusion is not None:
        lines.append(f"{count(explanation.ahead, 'job')} before it in line.")
        lines.append(clean(conclusion_in_words(explanation.conclusion)))
    table = judgement_table(explanation.judgements, style)
    return [*lines, "", *table] if table else lines


def _since(queue: Queue, job: JobView) -> list[str]:
    """Return how to release a held job, and whether its command works again."""
    if not job.held.startswith(FAILING):
        return [f"Let it go: mlq release {job.id}"]
    ((_, _state, needs),) = queue.store.reads.rows(("status", "mlq_needs"), [job.id])
    word = word_of(needs, "s")
    told = queue.store.starts([word], queue.settings.lease_s)["starts"] or {}
    newest = (told.get(word) or [""])[0].split(" ")
    works = ["Since then a job of the same command has started well."] * ("good" in newest[1:2])
    return [*works, f"Once it is mended: mlq release {job.id}"]


def _parents(queue: Queue, job: JobView) -> list[str]:
    parents = queue.store.reads.rows(("status",), [*job.after, *([job.behind] * bool(job.behind))])
    pending = {row[0]: row[1] for row in parents if row[1] not in ENDED}
    text = parents_in_words(job, pending)
    why = f", for it comes after all earlier jobs called {job.name}" if job.behind else ""
    return [clean(f"It starts only after {text or 'its parents'}{why}.")]


def _as_json(queue: Queue, job: JobView, explanation: Explanation) -> dict[str, Any]:
    parents = {row[0]: row[1] for row in queue.store.reads.rows(("status",), job.after)}
    return {
        "id": job.id,
        "state": job.state,
        "reason": job.reason,
        "paused_by": list(job.paused_by),
        "cores_now": job.cores_now,
        "held": job.held,
        "ahead": explanation.ahead,
        "after": parents,
        "conditions": job.conditions,
        "behind": job.behind,
        "machines": [as_json(one) for one in explanation.judgements],
    }
