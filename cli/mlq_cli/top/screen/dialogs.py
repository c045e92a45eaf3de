"""What opens above the screen: the question before something is done, and the help."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from mlq_cli.top.proposals import Proposal

HELP_TEXT = (
    ("↑ ↓ PgUp PgDn", "select a sweep, a job or a machine, as a click does"),
    ("→ ←", "open and close a sweep: alone, running members, all"),
    ("Tab", "to the jobs, the machines, the log, and on"),
    ("/", "show only what contains some words; Esc shows all"),
    ("s", "sort by the next of: line, id, name, state, …"),
    ("m M", "show the next metric of the job, or the one before"),
    ("c", "cancel the selected job or sweep"),
    ("r", "run it again"),
    ("h", "hold it, or release it"),
    ("d", "drain the selected machine, or let it take jobs"),
    ("p", "pause the queue, or let it go on"),
    ("t", "colours: the terminal's own, dark, light"),
    ("q Ctrl-C", "leave; Ctrl-Z suspends"),
)
_NOTE = "Before anything is changed, a dialog says what will happen."


class Dialog(ModalScreen[bool]):
    """Asks whether to do what is proposed.

    Args:
        proposal: what.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,enter", "answer(True)", show=False),
        Binding("n,escape,q,ctrl+c", "answer(False)", show=False),
    ]

    def __init__(self, proposal: Proposal) -> None:
        super().__init__()
        self._proposal = proposal

    def compose(self) -> ComposeResult:
        """Return the question, what will happen, and two answers."""
        commands = "\n".join(f"$ mlq {' '.join(words)}" for words in self._proposal.commands)
        with Vertical(id="dialog"):
            yield Static(Content(self._proposal.title), id="title")
            for text in self._proposal.says:
                yield Static(Content(text), classes="says")
            yield Static(Content(commands), classes="commands")
            yield Static(
                Content.assemble(
                    ("  Yes: y  ", "reverse @click=screen.answer(True)"),
                    "   ",
                    ("  No: n  ", "@click=screen.answer(False)"),
                ),
                id="answers",
            )

    def action_answer(self, agrees: bool) -> None:
        """Close the dialog with an answer."""
        self.dismiss(agrees)


class Help(ModalScreen[None]):
    """Lists the keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter,ctrl+c", "dismiss", show=False)
    ]

    def compose(self) -> ComposeResult:
        """Return the list."""
        with Vertical(id="dialog"):
            yield Static(Content("Keys"), id="title")
            lines = [Content.assemble((f"{key:<15}", "bold"), text) for key, text in HELP_TEXT]
            yield Static(Content("\n").join(lines), classes="says")
            yield Static(Content(_NOTE), classes="commands")
