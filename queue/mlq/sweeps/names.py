"""Names of parameters, and of the variables that pass them to a job: `MLQ_PARAM_LR`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from mlq.errors import InvalidInputError
from mlq.settings.settings import PARAMETERS

OWN = ("repeat", "array", "command")
"""Parameters that mlq itself makes; a command need not use them, and `{args}` omits them."""

REST = ("args", "overrides")
"""The words that stand for all parameters that a command does not name."""

_NAME = re.compile(r"[^\W\d][\w.@/:+-]*")
_OTHER = re.compile(r"[^A-Za-z0-9]+")


def variable_of(name: str) -> str:
    """Return the variable that holds a parameter: `MLQ_PARAM_MODEL_LR` for `model.lr`."""
    return PARAMETERS + _OTHER.sub("_", name).upper()


def variables_of(params: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a member of a sweep gets.

    As Slurm does for the scripts of a job array, `SLURM_ARRAY_TASK_ID` is the parameter `array`.
    """
    found = {variable_of(name): value for name, value in params.items()}
    if "array" in params:
        found["SLURM_ARRAY_TASK_ID"] = params["array"]
    return found


def check_names(names: Iterable[str]) -> None:
    """Make sure that parameters have names of their own.

    Raises:
        InvalidInputError: a name cannot be used, is given twice, or has the same variable as
            another.
    """
    variables: dict[str, str] = {}
    for name in names:
        if not _NAME.fullmatch(name) or name in REST:
            raise InvalidInputError(
                f"{name!r} cannot be the name of a parameter",
                why="{args} and {overrides} mean all parameters"
                if name in REST
                else "a letter comes first, then letters, digits and any of _ . - / : @ +",
                fix="part the columns of a table by commas" if ";" in name else "rename it",
            )
        other = variables.setdefault(variable_of(name), name)
        if other != name:
            raise InvalidInputError(
                f"the parameters {other} and {name} cannot be told apart",
                why=f"both would be {variable_of(name)} in the job",
                fix="give one of them another name",
            )
    seen = set[str]()
    for name in names:
        if name in seen:
            raise InvalidInputError(
                f"the parameter {name} is given twice",
                fix=f"write all its values at once, {name}=1,2, or in one column of a table",
            )
        seen.add(name)


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ", did you mean X?" for the known name that is most like this one, or ""."""
    from difflib import get_close_matches  # a worker does not need it

    near = get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"did you mean {{{near[0]}}}? " if near else ""
