"""One or a few lines of text that never scroll: the head and the foot of the screen."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from mlq_cli.top.lines import Line
from mlq_cli.top.screen.listing import style_of


class Bar(Widget):
    """Lines of text; some parts may be clicked.

    Args:
        clicks: text of a part -> the action that a click on it does.
    """

    def __init__(self, *, id: str, clicks: dict[str, str] | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._clicks = clicks or {}
        self._lines: Sequence[Line] = ()

    def show(self, lines: Sequence[Line]) -> None:
        """Replace the lines; the bar is as high as they are many, and gone if there are none."""
        if list(lines) == list(self._lines):
            return
        if len(lines) != len(self._lines):
            self.styles.height = len(lines)
            self.display = bool(lines)
        self._lines = lines
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return one line."""
        width = self.size.width
        if y >= len(self._lines):
            return Strip.blank(width, self.rich_style)
        segments = [
            Segment(part.text, style_of(part.kind, self._clicks.get(part.text, "")))
            for part in self._lines[y].parts
        ]
        return Strip(segments).adjust_cell_length(width).apply_style(self.rich_style)
