"""`mlq config`: shows each setting, and where it was set."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from mlq.settings.load import Loaded, load
from mlq_cli.invocation.parser import add_json
from mlq_cli.invocation.session import out_style, print_json, print_painted
from mlq_cli.render.table import Cell, Column, table

HELP = "show every setting, its value and where it was set"
EXAMPLES = """\
  mlq config
  MLQ_BEAT_S=2 mlq config
  mlq config --json"""

_COLUMNS = (Column("SETTING"), Column("VALUE"), Column("SET BY", 60, least=12), Column("", 50))


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the settings."""
    loaded = load(os.environ)
    settings = _listed(loaded)
    if args.json:
        print_json(settings)
        return 0
    rows = [
        [
            Cell(one["name"]),
            Cell(_shown(one["value"])),
            Cell(one["origin"], "faint" if one["origin"] == "default" else ""),
            Cell("missing" if one["exists"] is False else "", "waiting"),
        ]
        for one in settings
    ]
    print_painted([f"settings file: {_file(loaded)}", "", *table(_COLUMNS, rows, out_style())])
    return 0


def _listed(loaded: Loaded) -> list[dict[str, Any]]:
    """Return name, value, origin, and whether a path exists (None if the value is no path)."""
    listed = []
    for name, value in loaded.settings._asdict().items():
        path = value if isinstance(value, Path) else None
        listed.append(
            {
                "name": name,
                "value": str(path) if path else value,
                "origin": loaded.origin[name],
                "exists": _exists(path) if path else None,
            }
        )
    return listed


def _shown(value: Any) -> str:
    """Return a value as the config file has it, but without quotation marks."""
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _exists(path: Path) -> bool | None:
    try:
        return path.exists()
    except OSError:
        return None


def _file(loaded: Loaded) -> str:
    exists = loaded.config_file is not None and loaded.config_file.exists()
    return str(loaded.config_file) if exists else f"{loaded.config_file} (there is none)"
