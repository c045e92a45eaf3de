"""Which metric a typed word means: `acc`, `val/acc`, `min:val_loss`, `best:acc`.

A short name is enough while it means one metric only. Which metrics there are is known only once
jobs ran, so a word that means none, or several, is answered with those that there are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from mlq.errors import InvalidInputError

FORMS = {"last": "last", "min": "min", "max": "max", "best": "max"}
"""What may stand before a metric's name, and which field of its extent it means."""

_SEPARATORS = "/_.-: "
# Of these a larger value is worse, as the names of losses and errors go.
_LESS_IS_BETTER = re.compile(
    r"(?:^|[^a-z])(?:\w*loss|err|errors?|error_rate|ppl|perplexity|mae|mse|rmse|nll|bpc|wer|cer|fid"
    r"|regret)(?:[^a-z]|$)"
)
_SHOWN = 12


class Asked(NamedTuple):
    """A metric as it was asked for.

    Args:
        form: `last`, `min` or `max`; "" if the word named none.
        name: the name as typed, perhaps short.
    """

    form: str
    name: str


def less_is_better(name: str) -> bool:
    """Return whether a metric is a loss or an error, by its name."""
    return _LESS_IS_BETTER.search(name.lower()) is not None


def asked(word: str) -> Asked:
    """Return what a word asks for.

    Raises:
        InvalidInputError: `best:` of a metric whose least value is the best.
    """
    head, colon, name = word.partition(":")
    if not colon or head not in FORMS or not name:
        return Asked("", word)
    if head == "best" and less_is_better(name):
        raise InvalidInputError(
            f"{word} would be the largest {name}",
            why="of what looks like a loss or an error, the least is the best",
            fix=f"write min:{name}, or max:{name} if you do mean the largest",
        )
    return Asked(FORMS[head], name)


def meant(word: str, known: Iterable[str], what: str = "metric") -> str:
    """Return the full name that a word means.

    Args:
        word: a name, whole or short: `acc` is enough for `val/acc` and for `eval_acc`.
        known: the full names.
        what: what they are the names of, for messages.

    Raises:
        InvalidInputError: it means none of them, or several.
    """
    names = list(dict.fromkeys(known))
    if word in names:
        return word
    for fits in _tiers(word):
        found = [name for name in names if fits(name)]
        if len(found) == 1:
            return found[0]
        if found:
            raise InvalidInputError(
                f"{word} could be {_either(found)}", fix="type more of the one you mean"
            )
    if not names:
        raise InvalidInputError(f"there is no {what} {word}", why=f"there are no {what}s yet")
    raise InvalidInputError(f"there is no {what} {word}", why=f"there {_listed(names)}")


def _tiers(word: str) -> Sequence[Callable[[str], bool]]:
    """Return tests of a name, the closest kinds of likeness first."""
    low = word.lower()
    return (
        lambda name: name.lower() == low,
        lambda name: any(name.endswith(one + word) for one in _SEPARATORS),
        lambda name: any(name.lower().endswith(one + low) for one in _SEPARATORS),
        lambda name: any(name.lower().startswith(low + one) for one in _SEPARATORS),
    )


def _either(names: Sequence[str]) -> str:
    shown = names[:_SHOWN]
    return f"{', '.join(shown[:-1])} or {shown[-1]}" if len(shown) > 1 else shown[0]


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    text = ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
    return f"is {text}" if len(names) == 1 else f"are {text}"
