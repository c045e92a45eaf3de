"""One frame of the screen as text, for a pipe or a file, or for `--once`. Pure."""

from __future__ import annotations

from datetime import datetime

from mlq_cli.render.style import Style
from mlq_cli.top.header import header_line, trouble_lines
from mlq_cli.top.hosts import host_lines
from mlq_cli.top.lines import painted
from mlq_cli.top.snapshot import Snapshot
from mlq_cli.top.work import Arranged, work_lines


def frame(seen: Snapshot, now: datetime, style: Style) -> list[str]:
    """Return the lines: what is going on, sweeps and jobs, machines."""
    found = [header_line(seen, now, style.width), *trouble_lines(seen, "", 0.0, seen.at_s)]
    work = work_lines(seen, Arranged(), now, style.width)
    hosts = host_lines(seen, style.width, blocks=False)
    texts = [painted(one, style) for one in found]
    for part in (work, hosts):
        if len(part) > 1:
            texts += ["", *(painted(one, style) for one in part)]
    return texts
