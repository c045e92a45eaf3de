"""Puts the lines of a scene into the widgets, each by its own size."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial

from mlq_cli.invocation.session import local_now
from mlq_cli.render.clean import clean
from mlq_cli.render.table import Cell
from mlq_cli.top.lines import Line
from mlq_cli.top.scene import Scene
from mlq_cli.top.screen.bar import Bar
from mlq_cli.top.screen.listing import Listing
from mlq_cli.top.watches import FilesWatch, QueueWatch
from mlq_cli.top.work import SORTS

_TOLD_S = 8.0
_HOSTS_MOST = 5  # lines, where machines stand below the jobs of a terminal of 24 lines
FOOT = (
    ("?", "help", "app.help"),
    ("q", "quit", "app.leave"),
    ("/", "filter", "app.filter"),
    ("s", "sort", "app.sort"),
    ("c", "cancel", "app.propose('cancel')"),
    ("r", "retry", "app.propose('retry')"),
    ("h", "hold", "app.propose('hold')"),
    ("d", "drain", "app.propose('drain')"),
    ("p", "pause", "app.propose('pause')"),
    ("m", "metric", "app.metric(1)"),
    ("t", "colours", "app.colours"),
)
"""Keys, what they do, and the actions; on a narrow terminal the last are left out."""


def words_of(what: str) -> str:
    """Return the text behind a key at the foot."""
    return f" {what}  "


class Painter:
    """Draws the screen.

    Args:
        scene: what is shown.
        watch, files: the threads that read; they know how long they have waited.
        lists: the lists by name: work, hosts, log, metric.
        bars: the bars by name: head, trouble, foot.
    """

    def __init__(
        self,
        scene: Scene,
        watch: QueueWatch,
        files: FilesWatch,
        lists: Mapping[str, Listing],
        bars: Mapping[str, Bar],
    ) -> None:
        self._scene, self._watch, self._files = scene, watch, files
        self._lists, self._bars = lists, bars
        self._told: tuple[Cell, float] | None = None
        self._parts: dict[str, Callable[[], None]] = {
            "work": self._work,
            "hosts": self._hosts,
            "log": self._log,
            "metric": self._metric,
        }
        for name, listing in lists.items():
            listing.draw = partial(self.part, name)

    def tell(self, text: str, kind: str = "") -> None:
        """Show a message at the foot for a while."""
        self._told = Cell(clean(text), kind), time.monotonic()
        self.foot()

    def everything(self) -> None:
        """Draw everything that changed."""
        self.head()
        self.foot()
        for name in self._parts:
            self.part(name)

    def part(self, name: str) -> None:
        """Draw one of the lists, unless its size is not known yet: then it asks for it later."""
        if self._lists[name].size.width:
            self._parts[name]()

    @property
    def _grey(self) -> bool:
        return bool(self._scene.trouble(self._watch.busy_s(), time.time())[0])

    def head(self) -> None:
        """Draw the first lines."""
        bar = self._bars["head"]
        bar.show([self._scene.head(local_now(), bar.app.size.width)])
        self._bars["trouble"].show(self._scene.troubles(self._watch.busy_s(), time.time()))

    def _work(self) -> None:
        """Draw sweeps and jobs."""
        part = self._lists["work"]
        lines = self._scene.work(local_now(), part.text_width)
        part.show(lines, headed=True, grey=self._grey)
        arranged = self._scene.arranged
        ordered = "" if arranged.sort == SORTS[0] else f"  by {arranged.sort}"
        filtered = f"  with {' '.join(arranged.words)}" if arranged.words else ""
        part.border_title = _title(f"sweeps and jobs{ordered}{filtered}")

    def _hosts(self) -> None:
        """Draw the machines."""
        part, wide = self._lists["hosts"], self._lists["work"].screen.has_class("-wide")
        part.show(self._scene.hosts(part.text_width, blocks=wide), headed=True, grey=self._grey)
        part.border_title = _title("machines")
        if not wide and self._scene.seen is not None:
            most = max(_HOSTS_MOST, part.screen.size.height // 4)
            part.styles.height = min(len(self._scene.seen.machines) + 2, most)

    def _log(self) -> None:
        """Draw the log."""
        part = self._lists["log"]
        lines = self._scene.log_lines(local_now(), part.text_width, self._files.busy_s())
        part.show(lines, headed=True, grey=self._grey)
        part.border_title = _title(self._scene.log_title())

    def _metric(self) -> None:
        """Draw the curve."""
        part = self._lists["metric"]
        lines = self._scene.metric_lines(part.text_width, part.size.height)
        part.show(lines, grey=self._grey)
        part.border_title = _title(self._scene.metric_title())

    def foot(self) -> None:
        """Draw the keys, or what a command said last."""
        bar = self._bars["foot"]
        if self._told is not None and time.monotonic() - self._told[1] < _TOLD_S:
            bar.show([Line((Cell(" "), self._told[0]))])
            return
        parts, left = [Cell(" ")], bar.app.size.width - 1
        for key, what, _ in FOOT:
            text = words_of(what)
            left -= len(key) + len(text)
            if left >= 0:
                parts += [Cell(key, "strong"), Cell(text, "faint")]
        bar.show([Line(tuple(parts))])


def _title(text: str) -> str:
    """Return a title of which textual takes nothing for markup."""
    return f" {clean(text)} ".replace("[", "\\[")
