"""The live screen: puts the lines that the pure modules make into widgets, and carries out keys.

Nothing here asks the queue or touches a file: two threads do (`mlq_cli.top.watches`), and what they
find arrives as messages.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.geometry import Size
from textual.message import Message
from textual.timer import Timer

from mlq.errors import MlqError
from mlq.settings.settings import Settings
from mlq_cli.render.table import Cell
from mlq_cli.top.commands import run_all
from mlq_cli.top.detail import CurveSeen, LogSeen
from mlq_cli.top.lines import Line
from mlq_cli.top.proposals import Proposal
from mlq_cli.top.scene import Scene
from mlq_cli.top.screen.bar import Bar
from mlq_cli.top.screen.listing import Listing
from mlq_cli.top.screen.messages import Answered, Done, Leave, Read
from mlq_cli.top.screen.painter import FOOT, Painter, words_of
from mlq_cli.top.watches import Answer, FilesWatch, QueueWatch

if TYPE_CHECKING:
    from mlq_cli.top.screen.filter_line import FilterLine

WIDE = 128
"""From so many columns on machines stand beside the jobs, and the curve beside the log."""

LEAST_COLUMNS, LEAST_ROWS = 40, 12
_TICK_S = 1.0
_REST_S = 0.15
_SIGNALED = 128
_COLOURS = {
    "ansi-dark": "the terminal's own",
    "textual-dark": "dark",
    "textual-light": "light",
}
_TOO_SMALL = f"needs {LEAST_COLUMNS} columns, {LEAST_ROWS} lines"
_THEMES = tuple(_COLOURS)
_CLICKS = {text: action for key, what, action in FOOT for text in (key, words_of(what))}
_BARS = ("head", "trouble", "foot", "small")


class TopApp(App[int]):
    """The live screen.

    Args:
        settings: of this installation.
        watch: asks the queue; it was started already.
        files: reads the results root; None: makes one.
    """

    CSS_PATH = "top.tcss"
    ENABLE_COMMAND_PALETTE = False
    AUTO_FOCUS = "#work"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "leave", show=False),
        Binding("ctrl+c", "leave", show=False, priority=True),
        Binding("ctrl+z", "suspend_process", show=False),
        Binding("question_mark", "help", show=False),
        Binding("slash", "filter", show=False),
        Binding("escape", "clear", show=False),
        Binding("s", "sort", show=False),
        Binding("m", "metric(1)", show=False),
        Binding("M", "metric(-1)", show=False),
        Binding("t", "colours", show=False),
        Binding("right,l", "open(1)", show=False),
        Binding("left", "open(-1)", show=False),
        Binding("enter", "open(0)", show=False),
        Binding("c", "propose('cancel')", show=False),
        Binding("r", "propose('retry')", show=False),
        Binding("h", "propose('hold')", show=False),
        Binding("d", "propose('drain')", show=False),
        Binding("p", "propose('pause')", show=False),
    ]

    def __init__(self, settings: Settings, watch: QueueWatch, files: FilesWatch) -> None:
        no_color = bool(os.environ.get("NO_COLOR"))
        super().__init__(ansi_color=True if no_color else None)
        self.theme = _THEMES[0]
        self.failure: MlqError | None = None
        self._watch, self._files = watch, files
        self._scene = Scene(settings)
        self._lists = {
            "work": Listing(id="work"),
            "hosts": Listing(id="hosts"),
            "log": Listing(id="log", picks=False, follows=True),
            "metric": Listing(id="metric", picks=False),
        }
        self._bars = {one: Bar(id=one, clicks=_CLICKS) for one in _BARS}
        self._painter = Painter(self._scene, watch, files, self._lists, self._bars)
        self._asking: Timer | None = None
        self._trouble = ""

    def compose(self) -> ComposeResult:
        """Return the widgets; where each stands is in `top.tcss`."""
        self._arrange(self.size)  # now, so that it is laid out only once
        lists, bars = self._lists, self._bars
        yield bars["head"]
        yield bars["trouble"]
        with Container(id="upper"):
            yield lists["work"]
            yield lists["hosts"]
        with Container(id="lower"):
            yield lists["log"]
            yield lists["metric"]
        yield bars["foot"]
        yield bars["small"]

    @property
    def curve(self) -> CurveSeen:
        """The curve that was read last."""
        return self._scene.curve

    def on_mount(self) -> None:
        """Begin to listen to the threads, and show what they know already."""
        if self._watch.answer is not None:
            self._take(self._watch.answer)
        for one in (signal.SIGTERM, signal.SIGHUP):
            code = _SIGNALED + one
            asyncio.get_running_loop().add_signal_handler(one, partial(self.exit, return_code=code))
        self._watch.tell = lambda answer: self._post(Answered(answer))
        self._files.tell = lambda found: self._post(Read(found))
        self._files.start()
        self.set_interval(_TICK_S, self._tick)

    def _post(self, message: Message) -> None:
        """Take a message from another thread; after the end nobody listens."""
        if self.is_running:
            self.post_message(message)

    def leave(self) -> None:
        """Close the screen; other threads may call this."""
        self._post(Leave())

    # What arrives

    def on_answered(self, message: Answered) -> None:
        """Show what the queue said."""
        self._take(message.answer)
        self._painter.everything()

    def _take(self, answer: Answer) -> None:
        if answer.seen is None and self._scene.seen is None:
            self.failure = answer.error
            self.exit(1)
        was = self._scene.selected
        self._scene.take(answer, time.time())
        if self._scene.selected != was:
            self._lists["work"].select(self._scene.selected)
            self._ask_soon()
        self._files.ask(self._scene.files_asked())

    def on_read(self, message: Read) -> None:
        """Show the end of a log, or a curve."""
        if isinstance(message.found, LogSeen):
            self._scene.log = message.found
            self._painter.part("log")
        else:
            self._scene.curve = message.found
            self._painter.part("metric")

    def on_done(self, message: Done) -> None:
        """Say what a command said."""
        self._painter.tell(message.ran.says or "done", "good" if message.ran.ok else "bad")
        self._watch.ask_now()

    def on_leave(self) -> None:
        """Close the screen."""
        self.exit(0)

    def on_listing_selected(self, message: Listing.Selected) -> None:
        """Show what was selected; the queue is asked once the selection rests."""
        if message.listing.id == "work":
            self._scene.selected = message.key
            self._lists["log"].scroll_end(animate=False, immediate=True, force=True)
            self._painter.part("log")
            self._painter.part("metric")
            self._ask_soon()
        else:
            self._scene.host = message.key

    def _ask_soon(self) -> None:
        self._watch.asked = self._scene.asked()
        self._files.ask(self._scene.files_asked())
        if self._asking is not None:
            self._asking.stop()
        self._asking = self.set_timer(_REST_S, self._watch.ask_now)

    def on_listing_pressed(self, message: Listing.Pressed) -> None:
        """Open or close a sweep that was clicked again."""
        if message.listing.id == "work":
            self.action_open(0)

    def on_resize(self, event: events.Resize) -> None:
        """Arrange the parts for a wide or a narrow terminal, or say that it is too small."""
        self._arrange(event.size)
        self._painter.everything()

    def _arrange(self, size: Size) -> None:
        small = size.width < LEAST_COLUMNS or size.height < LEAST_ROWS
        self.screen.set_class(size.width >= WIDE, "-wide")
        self.screen.set_class(small, "-small")
        self._bars["small"].show([Line((Cell(_TOO_SMALL),))] if small else [])
        for name in ("head", "foot"):
            self._bars[name].display = not small

    def _tick(self) -> None:
        """Draw what changes with time alone."""
        was = self._trouble
        self._painter.head()
        self._painter.foot()
        self._trouble = self._scene.trouble(self._watch.busy_s(), time.time())[0]
        if bool(was) != bool(self._trouble) or self._files.busy_s():
            self._painter.everything()

    # Keys

    async def action_leave(self) -> None:
        """Close the screen."""
        self.exit(0)

    def action_open(self, by: int) -> None:
        """Open or close the selected sweep."""
        self._scene.open(by)
        self._lists["work"].select(self._scene.selected)
        self._watch.asked = self._scene.asked()
        self._watch.ask_now()
        self._painter.part("work")

    def action_sort(self) -> None:
        """Sort by the next thing."""
        self._scene.next_sort()
        self._painter.part("work")

    def action_metric(self, by: int) -> None:
        """Show another metric."""
        self._scene.next_metric(by)
        self._files.ask(self._scene.files_asked())
        self._painter.part("metric")

    def action_colours(self) -> None:
        """Take the next theme."""
        self.theme = _THEMES[(_THEMES.index(self.theme) + 1) % len(_THEMES)]
        self._painter.tell(f"colours: {_COLOURS[self.theme]}")

    def action_filter(self) -> None:
        """Ask for the words of the filter."""
        from mlq_cli.top.screen.filter_line import FilterLine

        if not self.screen.query(FilterLine):
            self.screen.mount(FilterLine(" ".join(self._scene.arranged.words)))

    def on_filter_line_words(self, message: FilterLine.Words) -> None:
        """Show only what contains the words."""
        self._scene.filter(message.text)
        self._painter.part("work")

    def action_clear(self) -> None:
        """Show everything again."""
        self._scene.filter("")
        self._painter.part("work")

    def action_help(self) -> None:
        """List the keys."""
        from mlq_cli.top.screen.dialogs import Help

        self.push_screen(Help())

    def action_propose(self, what: str) -> None:
        """Ask whether to do something, and do it if the user agrees."""
        proposed = self._scene.proposal(what)
        if isinstance(proposed, str):
            self._painter.tell(proposed, "waiting")
            return
        from mlq_cli.top.screen.dialogs import Dialog

        def answered(agrees: bool | None) -> None:
            if agrees:
                self._painter.tell(f"mlq {' '.join(proposed.commands[0])} …", "faint")
                threading.Thread(target=self._run_all, args=(proposed,), daemon=True).start()

        self.push_screen(Dialog(proposed), answered)

    def _run_all(self, proposal: Proposal) -> None:
        self._post(Done(run_all(proposal.commands)))
