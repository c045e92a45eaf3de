"""Checks jobs that come from outside against the types of `JobSpec`.

Nothing is converted and nothing is ignored: a number written as a string, an unknown field or an
unknown tag is refused on entry, not discovered later on a lab machine. `mlq.jobs.spec` has the only
list of fields; pydantic reads it here. Importing pydantic takes longer than a whole `mlq enqueue`
should, so only code that reads foreign jobs imports this module.
"""

from __future__ import annotations

from collections.abc import Callable

from annotated_types import Ge, Gt, Le, MaxLen, MinLen
from pydantic import StringConstraints, TypeAdapter, ValidationError

from mlq.jobs.spec import JobSpec

STRICT = TypeAdapter(JobSpec)
# Names in the types of fields that `spec` imports only for type checkers.
_NAMES = {one.__name__: one for one in (Ge, Gt, Le, MaxLen, MinLen, StringConstraints)}
STRICT.rebuild(_types_namespace=_NAMES)


class NotStrictError(ValueError):
    """The value is not a job.

    Args:
        where: the field, with dots: "request.cores".
        why: what is wrong with it.
    """

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: {why}" if where else why)
        self.where, self.why = where, why


def parse_spec(text: str | bytes) -> JobSpec:
    """Return the job of a JSON text; raise NotStrictError if the text is not a job."""
    return _checked(lambda: STRICT.validate_json(text))


def check_spec(spec: JobSpec) -> JobSpec:
    """Check a job that Python code made, and return it; raise NotStrictError if it is not valid."""
    return _checked(lambda: STRICT.validate_python(spec))


def _checked(read: Callable[[], JobSpec]) -> JobSpec:
    try:
        return read()
    except ValidationError as error:
        first = error.errors()[0]
        raise NotStrictError(".".join(map(str, first["loc"])), first["msg"]) from None
