"""Holds jobs that come from outside to what the types of `JobSpec` say.

Nothing is converted and nothing is passed over: a number written as a string, an unknown field or
an unknown tag is refused where it crosses the border, not found out later on a lab machine. There
is one list of fields, that of `mlq.jobs.spec`; pydantic takes it apart here. Its import costs more
than a whole `mlq enqueue` may, so only what reads foreign jobs imports this module.
"""

from __future__ import annotations

from collections.abc import Callable

from annotated_types import Ge, Gt, Le, MinLen
from pydantic import StringConstraints, TypeAdapter, ValidationError

from mlq.jobs.spec import JobSpec

STRICT = TypeAdapter(JobSpec)
# Names in the types of fields that are there only when types are checked.
_NAMES = {one.__name__: one for one in (Ge, Gt, Le, MinLen, StringConstraints)}
STRICT.rebuild(_types_namespace=_NAMES)


class NotStrictError(ValueError):
    """Something is no job.

    Args:
        where: the field, with dots: "request.cores".
        why: what is wrong with it.
    """

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: {why}" if where else why)
        self.where, self.why = where, why


def parse_spec(text: str | bytes) -> JobSpec:
    """Return the job of a JSON text; raise NotStrictError if it is none."""
    return _checked(lambda: STRICT.validate_json(text))


def check_spec(spec: JobSpec) -> JobSpec:
    """Return a job that Python code made, once it is certain that it is one; raise likewise."""
    return _checked(lambda: STRICT.validate_python(spec))


def _checked(read: Callable[[], JobSpec]) -> JobSpec:
    try:
        return read()
    except ValidationError as error:
        first = error.errors()[0]
        raise NotStrictError(".".join(map(str, first["loc"])), first["msg"]) from None
