"""Writes a plan as CSV that `--from` reads back, making the same members."""

from __future__ import annotations

import csv
import io

from mlq.sweeps.plan import SweepPlan


def as_csv(plan: SweepPlan) -> str:
    """Return one line of names, and one of values for each member."""
    names = list(plan.members[0].params)
    values = [[member.params[name] for name in names] for member in plan.members]
    # The reader drops spaces after a comma, and ends a line at \r, unless they are in quotes.
    odd = any(value[:1].isspace() or "\r" in value for row in values for value in row)
    text = io.StringIO(newline="")
    writer = csv.writer(
        text, lineterminator="\n", quoting=csv.QUOTE_ALL if odd else csv.QUOTE_MINIMAL
    )
    writer.writerows([names, *values])
    return text.getvalue()
