"""docs/commands.md says what the command line says."""

from pathlib import Path

from mlq_cli.main import command_names
from mlq_cli.reference import reference

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), (
        "write it anew: python -m mlq_cli.reference > docs/commands.md"
    )


def test_every_command_and_its_options_are_there() -> None:
    page = reference()
    for name in command_names():
        assert f"\n### `mlq {name}`\n" in page
    for part in ("`-c`, `--cores N`", "`--state STATE[,STATE]`", "#### `mlq worker stop`"):
        assert part in page
