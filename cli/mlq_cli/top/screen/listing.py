"""A list of lines that scrolls, in which one may be selected; it draws again only what changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from mlq_cli.top.lines import Line

_STYLES = {
    "": Style(),
    "good": Style(color="green"),
    "bad": Style(color="red"),
    "busy": Style(color="cyan"),
    "waiting": Style(color="yellow"),
    "faint": Style(dim=True),
    "strong": Style(bold=True),
}
_GREY = Style(dim=True)
_MARK, _NO_MARK = Segment("▌", Style(color="cyan")), Segment(" ")
_MARK_WIDTH = 1


@lru_cache(maxsize=64)
def style_of(kind: str, click: str = "", *, strong: bool = False) -> Style:
    """Return the style of a kind of colour; `click` is the action that a click on it does."""
    style = _STYLES[kind]
    if strong:
        style += Style(bold=True)
    return style + Style(meta={"@click": click}) if click else style


class Listing(ScrollView):
    """Lines below a heading that does not scroll.

    Args:
        picks: whether one of the lines can be selected.
        follows: whether it stays at its end while lines are added, as a log does.
    """

    DEFAULT_CSS = """
    Listing { scrollbar-size: 0 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home", "move(-1000000)", show=False),
        Binding("end", "move(1000000)", show=False),
    ]

    class Selected(Message):
        """Another line was selected."""

        def __init__(self, listing: Listing, key: str) -> None:
            super().__init__()
            self.listing, self.key = listing, key

    class Pressed(Message):
        """The selected line was clicked again."""

        def __init__(self, listing: Listing, key: str) -> None:
            super().__init__()
            self.listing, self.key = listing, key

    def __init__(self, *, id: str, picks: bool = True, follows: bool = False) -> None:  # noqa: A002
        super().__init__(id=id)
        self.can_focus = True
        self._picks, self._follows = picks, follows
        self._head: Line | None = None
        self._lines: Sequence[Line] = ()
        self._is_grey = False
        self.key = ""
        self.draw: Callable[[], None] = lambda: None

    # What it shows

    def show(self, lines: Sequence[Line], *, headed: bool = False, grey: bool = False) -> None:
        """Replace the lines.

        Args:
            lines: all of them.
            headed: whether the first is the heading.
            grey: whether they may no longer be true.
        """
        was_at_end = self.scroll_offset.y >= self.max_scroll_y
        head, body = (lines[0], lines[1:]) if headed and lines else (None, lines)
        before, same_form = self._lines, (head, grey) == (self._head, self._is_grey)
        at = self._index
        self._head, self._lines, self._is_grey = head, body, grey
        if len(before) != len(body) or not same_form:
            self.virtual_size = Size(self.size.width, len(body) + self._heads)
            self.refresh()
        else:
            for y, (old, new) in enumerate(zip(before, body, strict=True)):
                if old != new:
                    self._refresh_line(y)
        if self._picks:
            self._keep_selection(at)
        elif self._follows and was_at_end:
            self.scroll_end(animate=False, immediate=True, force=True)

    @property
    def _heads(self) -> int:
        return 0 if self._head is None else 1

    @property
    def _index(self) -> int:
        """The first line of the selected key, -1 if there is none."""
        return next((y for y, one in enumerate(self._lines) if one.key == self.key), -1)

    def _refresh_line(self, y: int) -> None:
        self.refresh_lines(y + self._heads, 1)

    def render_line(self, y: int) -> Strip:
        """Return one line of what is visible."""
        width = self.size.width
        if y < self._heads and self._head is not None:
            return self._strip(self._head, width)
        at = y - self._heads + self.scroll_offset.y
        if at >= len(self._lines):
            return Strip.blank(width, self.rich_style)
        return self._strip(self._lines[at], width)

    def _strip(self, one: Line, width: int) -> Strip:
        chosen = bool(one.key) and one.key == self.key
        segments = [
            Segment(part.text, _GREY if self._is_grey else style_of(part.kind, strong=chosen))
            for part in one.parts
        ]
        if self._picks:
            segments.insert(0, _MARK if chosen else _NO_MARK)
        return Strip(segments).adjust_cell_length(width).apply_style(self.rich_style)

    @property
    def text_width(self) -> int:
        """How many columns a line has."""
        return max(1, self.size.width - (_MARK_WIDTH if self._picks else 0))

    # What is selected

    def _keep_selection(self, before: int) -> None:
        """Select what stands where the selected line was, if that is gone."""
        if self.key and self._index >= 0:
            return
        keyed = [one.key for one in self._lines[max(0, before) :] if one.key]
        keyed = keyed or [one.key for one in reversed(self._lines) if one.key]
        self.select(keyed[0] if keyed else "")

    def select(self, key: str) -> None:
        """Select a line and scroll to it."""
        if key == self.key:
            return
        for y, one in enumerate(self._lines):
            if one.key and one.key in (key, self.key):
                self._refresh_line(y)
        self.key = key
        self._reveal()
        self.post_message(self.Selected(self, key))

    def _reveal(self) -> None:
        at = self._index
        last = at
        while 0 <= last < len(self._lines) - 1 and self._lines[last + 1].key == self.key:
            last += 1
        rows = max(1, self.size.height - self._heads)
        top = self.scroll_offset.y
        if at >= 0 and at < top:
            self.scroll_to(y=at, animate=False, immediate=True, force=True)
        elif last >= top + rows:
            self.scroll_to(y=last - rows + 1, animate=False, immediate=True, force=True)

    def action_move(self, by: int) -> None:
        """Select another line, or scroll where none can be selected."""
        if not self._picks:
            self.scroll_to(y=self.scroll_offset.y + by, animate=False, immediate=True, force=True)
            return
        keys = list(dict.fromkeys(one.key for one in self._lines if one.key))
        if keys:
            at = keys.index(self.key) if self.key in keys else 0
            self.select(keys[min(len(keys) - 1, max(0, at + by))])

    def action_page(self, direction: int) -> None:
        """Move by a page."""
        self.action_move(direction * max(1, self.size.height - self._heads - 1))

    def on_resize(self) -> None:
        """Ask at once for lines of the new width, so that none of another width are seen."""
        self.draw()

    def on_click(self, event: events.Click) -> None:
        """Select the line that was clicked."""
        offset = event.get_content_offset(self)
        if offset is None or not self._picks:
            return
        at = offset.y - self._heads + self.scroll_offset.y
        if offset.y < self._heads or at >= len(self._lines):
            return
        key = self._lines[at].key
        if key and key == self.key:
            self.post_message(self.Pressed(self, key))
        elif key:
            self.select(key)
