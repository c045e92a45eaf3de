"""The mark for a job's number in what a file says of its command, before the number is known.

HTCondor's `$(Cluster)` may stand in arguments and in the environment, and mlq numbers a job only
when the file has been read. `mlq.submit` replaces the mark as it signs the job. It is a character
that no text can hold (Unicode keeps it from all use), so nothing else is ever replaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mlq.jobs.spec import JobSpec

NUMBER = "\ufdd0"


def with_number(
    argv: tuple[str, ...], env: Mapping[str, str], number: int
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return a command and its variables with the job's number in the place of the mark."""
    text = str(number)
    return (
        tuple(word.replace(NUMBER, text) for word in argv),
        {name: value.replace(NUMBER, text) for name, value in env.items()},
    )


def numbered(spec: JobSpec, number: int) -> JobSpec:
    """Return a job that says its number where its file asked for it; most jobs as they are."""
    if spec.batch is None or spec.batch.system != "condor":
        return spec
    argv, env = with_number(spec.argv, spec.env, number)
    if argv == spec.argv and env == spec.env:
        return spec
    return replace(spec, argv=argv, env=env)
