"""`sacctmgr`: what programs that look for accounts, clusters and qualities of service are told.

There are no accounts, so the tables of users and accounts have no lines, as in a Slurm without
them: a program that is told of one refuses all others, and mlq takes any.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence

from mlq.errors import InvalidInputError
from mlq.settings.people import user_name
from mlq_cli.shims.asking import ACCOUNT, PARTITION
from mlq_cli.shims.columns import Column, line
from mlq_cli.shims.options import Known, read

_KNOWN = Known(
    "noheader/n associations/s parsable2/P parsable/p immediate/i quiet/Q readonly/r verbose/v"
    " version/V",
    "",
)
_FIELDS: Mapping[str, Callable[[], str]] = {
    "user": user_name,
    "account": lambda: ACCOUNT,
    "defaultaccount": lambda: ACCOUNT,
    "cluster": lambda: "mlq",
    "partition": lambda: PARTITION,
    "qos": lambda: "normal",
    "name": lambda: "normal",
    "adminlevel": lambda: "None",
    "maxwall": str,
    "maxjobs": str,
}
_PLAIN = {
    "user": "user,defaultaccount,adminlevel",
    "account": "account",
    "cluster": "cluster",
    "qos": "name",
    "association": "cluster,account,user,partition,qos",
}
_WITHOUT_ACCOUNTS = ("user", "account", "association")
_WIDTH = 10


def main(words: Sequence[str]) -> int:
    """Print a table of one line, or of none."""
    options = read(words, _KNOWN)
    action, entity, *rest = [*options.words, "", ""]
    if action.lower() not in ("list", "show"):
        raise InvalidInputError(f"sacctmgr {action or 'without a word'} has no meaning in mlq")
    stem = entity.lower().rstrip("s")
    kind = next((one for one in _PLAIN if stem and one.startswith(stem)), "")
    if not kind:
        raise InvalidInputError(f"Unknown condition: {entity or 'none'}")
    wanted = _PLAIN[kind]
    for word in filter(None, rest):
        name, equals, value = word.partition("=")
        if name.lower() in ("format", "fo") and equals:
            wanted = value
        elif _others(name.lower() if equals else "user", value if equals else word):
            return 0
    columns = [_column(one) for one in wanted.split(",")]
    rows = [] if options.has("noheader") else [[one.after for one in columns]]
    if kind not in _WITHOUT_ACCOUNTS:
        rows.append([_FIELDS[one.name]() for one in columns])
    for cells in rows:
        if options.has("parsable") or options.has("parsable2"):
            print("|".join(cells) + ("" if options.has("parsable2") else "|"))
        else:
            print(line([one._replace(after=" ") for one in columns], cells))
    sys.stdout.flush()
    return 0


def _others(name: str, value: str) -> bool:
    """Return whether a condition asks for somebody else."""
    own = {"user": user_name(), "account": ACCOUNT, "cluster": "mlq", "where": value}
    if name not in own:
        raise InvalidInputError(f"Unknown condition: {name}")
    return own[name] not in value.split(",")


def _column(typed: str) -> Column:
    name, percent, width = typed.strip().partition("%")
    if name.lower() not in _FIELDS or (percent and not width.lstrip("-").isdecimal()):
        raise InvalidInputError(f"Unknown field '{typed.strip()}'")
    size = int(width.lstrip("-")) if percent else _WIDTH
    return Column(name.lower(), size, not width.startswith("-"), name.title())
