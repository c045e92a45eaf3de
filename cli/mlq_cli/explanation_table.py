"""What each machine is to a job, as a table."""

from __future__ import annotations

from collections.abc import Sequence

from mlq.jobs.explain import Fits, Judgement
from mlq_cli.explanation import why_not_now
from mlq_cli.render.style import Style
from mlq_cli.render.table import Cell, Column, table

_COLUMNS = (Column("MACHINE"), Column("FITS"), Column("WHY NOT NOW", 90, least=30))
_KINDS = {Fits.NOW: "good", Fits.LATER: "waiting", Fits.NEVER: "bad"}


def judgement_table(judgements: Sequence[Judgement], style: Style) -> list[str]:
    """Return the lines: one reason a line, so that none is cut short."""
    rows = []
    for one in judgements:
        first, *others = why_not_now(one) or [""]
        rows.append([Cell(one.machine), Cell(one.fits, _KINDS[one.fits]), Cell(first)])
        rows += [[Cell(""), Cell(""), Cell(reason)] for reason in others]
    return table(_COLUMNS, rows, style) if rows else []
