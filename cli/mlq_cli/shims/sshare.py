"""`sshare`: an empty table of shares, for programs that look for the user's accounts.

mlq has no accounts and takes any. Snakemake asks `sacctmgr`, then this, and takes any account only
if neither knows one.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from mlq.errors import InvalidInputError
from mlq_cli.shims.columns import Column, line
from mlq_cli.shims.options import Known, read

_KNOWN = Known(
    "noheader/n long/l all/a Users/U parsable2/P parsable/p verbose/v version/V",
    "format/o accounts/A users/u clusters/M",
)
_PLAIN = "Account%20,User%10,RawShares%10,NormShares%11,RawUsage%11,EffectvUsage%13,FairShare%10"
_NAMES = {one.partition("%")[0].lower() for one in _PLAIN.split(",")} | {"cluster", "partition"}


def main(words: Sequence[str]) -> int:
    """Print the head of a table that has no lines."""
    options = read(words, _KNOWN, takes_words=False)
    columns = [_column(one) for one in options.last("format", _PLAIN).split(",")]
    heads = [one.after for one in columns]
    if options.has("noheader"):
        return 0
    if options.has("parsable") or options.has("parsable2"):
        print("|".join(heads) + ("" if options.has("parsable2") else "|"))
    else:
        print(line([one._replace(after=" ") for one in columns], heads))
    sys.stdout.flush()
    return 0


def _column(typed: str) -> Column:
    name, _, width = typed.strip().partition("%")
    size = width.removeprefix("-") or "10"
    if name.lower() not in _NAMES or not size.isdecimal():
        raise InvalidInputError(f"Unknown field '{typed.strip()}'")
    return Column(name.lower(), int(size), not width.startswith("-"), name)
