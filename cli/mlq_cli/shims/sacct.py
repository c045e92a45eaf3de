"""`sacct`: how jobs ended, in the columns that the caller asks for.

mlq counts no steps, so there is one line for a job, with or without `-X`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from mlq.errors import InvalidInputError
from mlq.jobs.view import JobView
from mlq.settings.people import user_name
from mlq.units import parse_iso
from mlq_cli.render.clean import clean
from mlq_cli.shims.asking import is_own, jobs_of, named, open_queue, states_of
from mlq_cli.shims.columns import Column, line
from mlq_cli.shims.fields import OF_SACCT, Asked
from mlq_cli.shims.moments import midnight, moment_s
from mlq_cli.shims.options import Known, Options, read
from mlq_cli.shims.states import recorded

_KNOWN = Known(
    "noheader/n allocations/X parsable2/P parsable/p allusers/a allclusters/L duplicates/D brief/b"
    " truncate/T helpformat/e noconvert local verbose/v version/V array",
    "jobs/j name starttime/S endtime/E format/o user/u uid state/s clusters/M cluster delimiter"
    " units accounts/A partition/r nodelist/N qos",
)
_PLAIN = "jobid,jobname,partition,account,alloccpus,state,exitcode"
_BRIEF = "jobid,state,exitcode"


def main(words: Sequence[str]) -> int:
    """Print the jobs."""
    options = read(words, _KNOWN, takes_words=False)
    if options.has("helpformat"):
        sys.stdout.write("".join(f"{name}\n" for name, _, _ in OF_SACCT.values()))
        return 0
    now_s = time.time()
    columns = _columns(options)
    lines = [] if options.has("noheader") else _header(columns, options)
    user = user_name()
    for job in _jobs(options, now_s):
        asked = Asked(job, now_s, user)
        cells = [clean(OF_SACCT[one.name][2](asked)) for one in columns]
        lines.append(_line(columns, cells, options))
    sys.stdout.write("".join(f"{clean(one)}\n" for one in lines))
    return 0


def _jobs(options: Options, now_s: float) -> list[JobView]:
    queue = open_queue()
    states = states_of(options.listed("state")) if options.has("state") else None
    typed = options.listed("jobs")
    begin_s = moment_s(options.last("starttime"), now_s) if options.has("starttime") else 0.0
    end_s = moment_s(options.last("endtime"), now_s) if options.has("endtime") else now_s
    if typed:
        found, _ = jobs_of(queue, typed)  # sacct has no error for an id that is unknown
    else:
        begin_s = begin_s if options.has("starttime") else midnight(now_s)
        found = queue.recent(begin_s)
    if not is_own([*options.listed("user"), *options.listed("uid")]):
        return []
    return [
        one
        for one in named(found, options, "name")
        if (states is None or recorded(one) in states)
        and (one.ended_at is None or parse_iso(one.ended_at) >= begin_s)
        and (one.submitted_at is None or parse_iso(one.submitted_at) <= end_s)
    ]


def _columns(options: Options) -> list[Column]:
    columns = []
    for typed in options.last("format", _BRIEF if options.has("brief") else _PLAIN).split(","):
        name, percent, size = typed.strip().partition("%")
        found = OF_SACCT.get(name.lower())
        if found is None or (percent and not size.lstrip("-").isdecimal()):
            raise InvalidInputError(f"Invalid field requested: {typed.strip()!r}")
        width = int(size.lstrip("-")) if percent else found[1]
        columns.append(Column(name.lower(), width, not size.startswith("-"), " "))
    return columns


def _header(columns: Sequence[Column], options: Options) -> list[str]:
    titles = [OF_SACCT[one.name][0] for one in columns]
    if options.has("parsable") or options.has("parsable2"):
        return [_line(columns, titles, options)]
    return [line(columns, titles), line(columns, ["-" * one.width for one in columns])]


def _line(columns: Sequence[Column], cells: Sequence[str], options: Options) -> str:
    if options.has("parsable") or options.has("parsable2"):
        sign = options.last("delimiter", "|")
        return sign.join(cells) + ("" if options.has("parsable2") else sign)
    # As in Slurm, a `+` at the end shows that a text was cut off.
    cut = [
        text if len(text) <= one.width else f"{text[: one.width - 1]}+"
        for one, text in zip(columns, cells, strict=True)
    ]
    return line(columns, cut)
