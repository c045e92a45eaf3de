"""`squeue`: the jobs that wait and run, in the columns that the caller asks for."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from mlq.errors import InvalidInputError
from mlq.jobs.view import JobView
from mlq.settings.people import user_name
from mlq_cli.render.clean import clean
from mlq_cli.shims.asking import is_own, jobs_of, named, open_queue, states_of
from mlq_cli.shims.columns import Column, line, of_letters, of_names
from mlq_cli.shims.fields import LETTERS, OF_SQUEUE, TITLES, Asked
from mlq_cli.shims.options import Known, Options, read
from mlq_cli.shims.states import PENDING, RUNNING, state_of

_KNOWN = Known(
    "noheader/h me all/a array/r long/l hide noconvert federation local sibling start verbose/v"
    " version/V help usage",
    "jobs/j user/u name/n states/t format/o Format/O partition/p account/A qos/q sort/S"
    " clusters/M nodelist/w",
)
_PLAIN = "%.18i %.9P %.8j %.8u %.2t %.10M %.6D %R"
_LONG = "%.18i %.9P %.8j %.8u %.8T %.10M %.9l %.6D %R"
_RECENT_S = 300.0
"""How long squeue shows a job that has ended; Slurm's own MinJobAge."""

_SORTS = {"i": "id", "S": "started_at", "V": "submitted_at", "j": "name", "t": "state"}


def main(words: Sequence[str]) -> int:
    """Print the jobs."""
    options = read(words, _KNOWN, takes_words=False)
    before, columns = _columns(options)
    jobs = _sorted(_jobs(options), options.last("sort"))
    lines = [] if options.has("noheader") else [line(columns, _titles(columns), before)]
    now_s, user = time.time(), user_name()
    for job in jobs:
        asked = Asked(job, now_s, user)
        cells = [clean(OF_SQUEUE[one.name](asked)) for one in columns]
        lines.append(line(columns, cells, before))
    sys.stdout.write("".join(f"{clean(one)}\n" for one in lines))
    return 0


def _jobs(options: Options) -> list[JobView]:
    queue = open_queue()
    states = states_of(options.listed("states")) if options.has("states") else {PENDING, RUNNING}
    if options.has("states") and not options.listed("states"):
        raise InvalidInputError("Invalid job state specified: ''")
    if typed := options.listed("jobs"):
        found, unknown = jobs_of(queue, typed)
        if unknown and len(unknown) == len(typed):
            raise InvalidInputError("slurm_load_jobs error: Invalid job id specified")
    elif states is not None and states <= {PENDING, RUNNING}:
        found = queue.unended()
    else:
        found = queue.recent(time.time() - _RECENT_S)
    if not is_own(options.listed("user")):
        return []
    machines = options.listed("nodelist")
    return [
        one
        for one in named(found, options, "name")
        if (states is None or state_of(one) in states) and (not machines or one.machine in machines)
    ]


def _columns(options: Options) -> tuple[str, list[Column]]:
    if options.has("Format"):
        columns = of_names(options.last("Format"))
        unknown = [one.name for one in columns if one.name not in OF_SQUEUE]
        if unknown:
            raise InvalidInputError(f"Invalid field requested: {unknown[0]!r}")
        return "", columns
    text = options.last("format", _LONG if options.has("long") else _PLAIN)
    before, columns = of_letters(text.strip("\"'"))
    for one in columns:
        if one.name not in LETTERS:
            raise InvalidInputError(f"Invalid field requested: '%{one.name}'")
    return before, [one._replace(name=LETTERS[one.name]) for one in columns]


def _titles(columns: Sequence[Column]) -> list[str]:
    return [TITLES.get(one.name, one.name.upper()) for one in columns]


def _sorted(jobs: list[JobView], wanted: str) -> list[JobView]:
    """Return the jobs in the order of `-S i,-t`; by default in that of submission."""
    for one in reversed([part for part in wanted.split(",") if part]):
        letter = one.lstrip("+-")
        if letter not in _SORTS:
            raise InvalidInputError(f"Invalid sort specification: {one!r}")
        if letter != "i":
            jobs = sorted(jobs, key=lambda job: str(getattr(job, _SORTS[letter]) or ""))
        if one.startswith("-"):
            jobs = jobs[::-1]
    return jobs
