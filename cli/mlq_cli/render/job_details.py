"""Renders everything worth knowing about one job, for `mlq show`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from mlq.jobs.choice_of_machines import machines_of
from mlq.jobs.view import JobView
from mlq.submit.secrecy import Given
from mlq.units import format_duration, format_mib
from mlq_cli.render.clean import clean
from mlq_cli.render.figures import (
    JobFigures,
    metric_table,
    progress_in_words,
    usage_curves,
    used_in_words,
)
from mlq_cli.render.jobs import seconds_of, state_of
from mlq_cli.render.parents import parents_in_words
from mlq_cli.render.style import Style, kind_of
from mlq_cli.render.words import about, count, elapsed, moment

_LABEL_WIDTH, _INDENT = 11, 2
_COMMIT_DIGITS = _PACK_DIGITS = 12


class Known(NamedTuple):
    """What is known of a job beside its row.

    Args:
        environment: that of its last attempt, as the machine noted it; None: unknown.
        figures: what it measured and used.
    """

    environment: Mapping[str, Any] | None = None
    figures: JobFigures = JobFigures()


_NOTHING = Known()


def details(
    job: JobView,
    variables: Given,
    log: str,
    now: datetime,
    style: Style,
    known: Known = _NOTHING,
) -> list[str]:
    """Return everything worth knowing about one job, one line for each thing.

    Args:
        job: the job.
        variables: the variables that its user passed on.
        log: the path of its last attempt's log, or "".
        now: the present time, in the time zone to show.
        style: how to render.
        known: what else is known.
    """
    title = clean(f"{job.id} {job.name}").rstrip()
    state = state_of(job)
    lines = [f"{style.paint(title, 'strong')}  {style.paint(clean(state), kind_of(state))}"]
    facts = {
        "reason": job.reason,
        "command": job.command,
        "comment": job.comment,
        "sweep": str(job.sweep or ""),
        "params": " ".join(f"{name}={shlex.quote(one)}" for name, one in job.params.items()),
        "script": _script(variables),
        "program": variables.program,
        "code": _code(variables.code),
        "python": _python(known.environment or {}),
        "asks for": _in_words(job),
        "used": _used(job),
        "to stop": _stopping(job),
        "priority": str(job.priority) if job.priority else "",
        "after": _after(job),
        "env": " ".join(shlex.quote(f"{n}={one}") for n, one in variables.env.items()),
        "captured": _captured(variables),
        "secrets": ", ".join(variables.secrets),
        "progress": progress_in_words(job),
        "machine": job.machine or "",
        "condition": job.condition,
        "held back": job.restraint,
        "attempt": _attempts(job),
        "if lost": "" if job.requeue else "it fails: it must not run again (--no-requeue)",
        "exit code": "" if job.exit_code is None else str(job.exit_code),
        "submitted": _time(job.submitted_at, now),
        "tried again" if job.attempt else "may start": _time(job.due_at, now),
        "started": _time(job.started_at, now),
        "ended": _time(job.ended_at, now),
        "took" if job.ended_at else "time": elapsed(seconds_of(job, now)),
        "folder": job.directory + _gone(job, now),
        "log": log,
        **_files(job, variables),
    }
    told = [*facts.items(), *(("note", note) for note in job.notes)]
    told += _usage(job, known.figures)
    lines += [f"  {label:<{_LABEL_WIDTH}}{clean(text)}" for label, text in told if text]
    width = None if style.width is None else style.width - _INDENT
    figures = known.figures
    shown = metric_table(figures.metrics, figures.curves.points, style._replace(width=width))
    return lines + [f"{' ' * _INDENT}{line}" for line in shown]


def _after(job: JobView) -> str:
    words = [parents_in_words(job, dict.fromkeys(job.after, ""))]
    if job.singleton:
        words.append(f"all earlier jobs called {job.name}")
    return ", ".join(one for one in words if one)


def _usage(job: JobView, figures: JobFigures) -> list[tuple[str, str]]:
    curves = usage_curves(figures.curves, job)
    said = used_in_words(job, figures.used)
    return [(name, f"{curves.get(name, '')}  {text}".strip()) for name, text in said.items()]


_SYSTEMS = {"slurm": "Slurm", "pbs": "PBS", "condor": "HTCondor"}


def _script(variables: Given) -> str:
    if not variables.script:
        return ""
    lines = variables.script.count("\n") + (not variables.script.endswith("\n"))
    of = _SYSTEMS.get(variables.system, "")
    return f"{count(lines, 'line')}{of and f', for {of}'} (--json prints it)"


def _files(job: JobView, variables: Given) -> dict[str, str]:
    """Return its user's own files; their patterns are filled in once its machine is known."""
    if not variables.streams:
        return {}
    from mlq.scripts.patterns import fill, names_of

    task = job.params.get("array", "")
    names = names_of(job.id, task, job.name, "%u", job.machine or "%N")
    shown = {name: fill(text, names) for name, text in variables.streams.items()}
    output, error = shown.get("output", ""), shown.get("error", "")
    return {"output": output, "errors": "" if error == output else error}


def _code(code: Mapping[str, Any]) -> str:
    if not code:
        return ""
    commit = code["commit"][:_COMMIT_DIGITS]
    branch = f" of {code['branch']}" if code["branch"] else ""
    changed = ", and what was not committed" if code["dirty"] else ""
    of_git = f"commit {commit}{branch}{changed}" if commit else "in no commit"
    return f"{code['pack'][:_PACK_DIGITS]} of {code['project']}: {of_git}"


def _python(environment: Mapping[str, Any]) -> str:
    if not environment:
        return ""
    names = ("python", "kind", "prefix")
    version, kind, prefix = (str(environment.get(name, "")) for name in names)
    installed = environment.get("distributions")
    number = len(installed) if isinstance(installed, dict) else 0
    of = f"{kind or 'environment'} {prefix}"
    return f"{version}, {of}: {count(number, 'distribution')}".removeprefix(", ")


def _captured(variables: Given) -> str:
    number = len(variables.captured_env)
    return f"{count(number, 'variable')} of its shell (--json lists them)" if number else ""


def _in_words(job: JobView) -> str:
    words = [count(job.cores, "core"), f"{format_mib(job.mem_mib)} of memory"]
    if job.gpus:
        vram = f"{format_mib(job.vram_mib)} free on each" if job.vram_mib else "alone on each"
        kind = f" of type {job.gpu_type}" if job.gpu_type else ""
        words.append(f"{count(job.gpus, 'GPU')}{kind} ({vram})")
    if job.time_limit_s:
        words.append(f"at most {format_duration(job.time_limit_s)}")
    if job.machines:
        names = machines_of(job.machines)
        words.append(("on " if names.wanted else "") + names.in_words(on="on "))
    return ", ".join(words)


def _used(job: JobView) -> str:
    if job.max_rss_mib is None or job.cpu_s is None:
        return ""
    memory = f"{about(job.max_rss_mib)} of the {format_mib(job.mem_mib)} asked for"
    return f"{memory}, {format_duration(job.cpu_s)} of CPU"


def _stopping(job: JobView) -> str:
    words = []
    if job.signal:
        name, _, ahead = job.signal.removeprefix("B:").partition("@")
        whom = " to its first process" if job.signal.startswith("B:") else ""
        when = f" {format_duration(float(ahead))} before its limit" if _is_number(ahead) else ""
        words.append(f"SIG{name}{whom}{when}")
    if job.grace_s is not None:
        words.append(f"{format_duration(job.grace_s)} from SIGTERM to SIGKILL")
    return ", ".join(words)


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdecimal()


def _attempts(job: JobView) -> str:
    if not job.attempt:
        return ""
    lost = f"{job.losses} lost with their machine" if job.losses else ""
    failed = f"{job.failures} failed" if job.failures else ""
    past = ", ".join(part for part in (lost, failed) if part)
    return f"{job.attempt} ({past})" if past else str(job.attempt)


def _time(iso: str | None, now: datetime) -> str:
    return moment(iso, now) if iso else ""


def _gone(job: JobView, now: datetime) -> str:
    return f" (deleted {moment(job.cleaned_at, now)})" if job.cleaned_at else ""
