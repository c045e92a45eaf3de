"""What all jobs of a submit file share: what they ask for, their name, how many run at once."""

from __future__ import annotations

import fnmatch
import math
import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from mlq.errors import InvalidInputError
from mlq.jobs.batch_job import BatchJob
from mlq.scripts.condor.arithmetic import number
from mlq.scripts.condor.one_job import Values
from mlq.scripts.script_job import Element, ScriptJob
from mlq.scripts.where import Where
from mlq.units import checked_duration

_T = TypeVar("_T")
_NOTHING: tuple[str, ...] | None = ()
_LARGEST = 10**6
_LARGEST_MIB = 1 << 30
_SIZE = re.compile(r"(.*?)\s*([kmgt]?)b?", re.IGNORECASE | re.DOTALL)
_MIB = {"k": 1 / 1024, "": 1, "m": 1, "g": 1024, "t": 1024**2}
_TRUE, _FALSE = ("true", "t", "yes", "1"), ("false", "f", "no", "0", "")


def job_of(values: Values, elements: Sequence[Element], where: Where) -> ScriptJob:
    """Return the file's jobs: one, or several in `elements`.

    Args:
        values: what the file says of all of them.
        elements: at least one job.
        where: where the file is submitted.

    Raises:
        InvalidInputError: a value cannot be used; `what` begins with its command.
    """
    universe = values.get("universe", "vanilla").lower()
    if universe not in ("vanilla", "5"):
        why = "mlq runs programs, as the vanilla universe does"
        raise InvalidInputError(f"universe: {universe} is not known", why=why)
    first = elements[0]

    def read(command: str, how: Callable[[str], _T], default: _T) -> _T:
        text = values.get(command, "")
        try:
            return how(text) if text else default
        except InvalidInputError as error:
            what = f"{command}: {error.what}"
            raise InvalidInputError(what, why=error.why, fix=error.fix) from None

    limit_s = min(
        read("allowed_execute_duration", _seconds, math.inf),
        read("allowed_job_duration", _seconds, math.inf),
    )
    return ScriptJob(
        BatchJob(
            system="condor",
            submit_host=where.host,
            submit_dir=where.folder,
            umask=where.umask,
        ),
        first.argv,
        first.cwd,
        name=values.get("batch_name", "").strip('"') or _stem(where.file),
        cores=read("request_cpus", lambda text: _whole(text, 1, _LARGEST), 1),
        mem_mib=read("request_memory", _mib, None),
        gpus=read("request_gpus", lambda text: _whole(text, 0, _LARGEST), 0),
        time_limit_s=None if math.isinf(limit_s) else limit_s,
        elements=tuple(elements) if len(elements) > 1 else (),
        max_running=read("max_materialize", lambda text: _whole(text, 1, _LARGEST), None),
        streams=first.streams,
        env=first.env,
        passes_on=read("getenv", lambda text: _passed(text, where.environ), _NOTHING),
        retries=read("max_retries", lambda text: _whole(text, 0, _LARGEST), 0),
        grace_s=read("job_max_vacate_time", _seconds, None),
        priority=read("priority", lambda text: _whole(text, -_LARGEST, _LARGEST), 0),
        is_held=read("hold", _truth, False),
    )


def _stem(file: str) -> str:
    name = posixpath.basename(file)
    return posixpath.splitext(name)[0] or name


def _whole(text: str, least: int, most: int) -> int:
    value = number(text)
    if value != int(value) or not least <= value <= most:
        raise InvalidInputError(f"{text!r} is no number from {least} to {most}")
    return int(value)


def _seconds(text: str) -> float:
    return checked_duration(number(text), text)


def _mib(text: str) -> int:
    """Return a size in MiB: `2048`, `2 GB`, `1.5G`, `2*1024`."""
    match = _SIZE.fullmatch(text)
    value = number(match[1]) * _MIB[match[2].lower()] if match else 0
    if not 0 < value <= _LARGEST_MIB:
        raise InvalidInputError(f"the size {text!r} cannot be used", fix="write for example 8 GB")
    return math.ceil(value)


def _truth(text: str) -> bool:
    lower = text.lower()
    if lower not in _TRUE + _FALSE:
        raise InvalidInputError(f"{text!r} is neither true nor false")
    return lower in _TRUE


def _passed(text: str, environ: Mapping[str, str]) -> tuple[str, ...] | None:
    """Return the names of the variables that `getenv` passes on: all, none, or those of a list.

    `PATH, OMP_*, !OMP_NUM_THREADS`: what a `!` begins is kept back.
    """
    if text.lower() in _TRUE:
        return None
    if text.lower() in _FALSE:
        return ()
    globs = re.split(r"[\s,;]+", text.strip())
    kept = [one[1:] for one in globs if one.startswith("!")]
    wanted = [one for one in globs if not one.startswith("!")]
    return tuple(
        name
        for name in sorted(environ)
        if any(fnmatch.fnmatchcase(name, one) for one in wanted)
        and not any(fnmatch.fnmatchcase(name, one) for one in kept)
    )
