"""The state diagram of the documentation, drawn from the life cycle's table.

`python -m mlq.jobs.lifecycle_diagram` rewrites the block between the two markers in
docs/architecture.md; a test fails while the block differs from the table. So the diagram always
shows the transitions that the table has.
"""

from __future__ import annotations

import sys
from pathlib import Path

from mlq.errors import InvalidInputError, MlqError
from mlq.files.layout import write_atomically
from mlq.jobs.lifecycle import ENDED, TRANSITIONS, WAITING, State

BEGIN = "<!-- begin: drawn by `python -m mlq.jobs.lifecycle_diagram` -->"
END = "<!-- end: drawn -->"
DEFAULT_PAGE = Path("docs/architecture.md")


def mermaid() -> str:
    """Return the table as a Mermaid state diagram: one arrow for each pair of states."""
    labels: dict[tuple[State, State], list[str]] = {}
    for (before, event), after in TRANSITIONS.items():
        labels.setdefault((before, after), []).append(event.value)
    arrows = [
        f"    {before} --> {after}: {', '.join(events)}"
        for (before, after), events in labels.items()
    ]
    entries = [f"    [*] --> {state}" for state in State if state in WAITING]
    ends = [f"    {state} --> [*]" for state in State if state in ENDED]
    return "\n".join(["stateDiagram-v2", *entries, *arrows, *ends])


def block() -> str:
    """Return the block for the page, markers included."""
    return f"{BEGIN}\n```mermaid\n{mermaid()}\n```\n{END}"


def redrawn(page: str) -> str:
    """Return the page with its block drawn anew.

    Raises:
        InvalidInputError: the page does not have the two markers once each, in order.
    """
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end or BEGIN in tail or END in tail:
        raise InvalidInputError(
            "the page has no place for the diagram",
            why="it needs the two marker lines once each",
            fix=f"write {BEGIN} and below it {END}",
        )
    return f"{head}{block()}{tail}"


def main(page: Path = DEFAULT_PAGE) -> None:
    """Redraw the diagram in a page."""
    write_atomically(page, redrawn(page.read_text(encoding="utf-8")).encode(), mode=0o644)


if __name__ == "__main__":
    try:
        main(*(Path(argument) for argument in sys.argv[1:2]))
    except (MlqError, OSError) as problem:
        sys.exit(f"mlq: {problem}")
