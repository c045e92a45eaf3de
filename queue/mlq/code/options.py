"""A project's own options for mlq: the table `[tool.mlq]` of its `pyproject.toml`.

The nearest such table counts, from the folder where a job is enqueued up to the project's own, so
part of a large repository can have its own. A file that does not mention the table is not parsed.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

from mlq.code.project import Project
from mlq.errors import InvalidInputError

_FILE = "pyproject.toml"
_MOST_BYTES = 1 << 20


class ProjectOptions(NamedTuple):
    """What a project asks for.

    Args:
        snapshot: whether jobs run a copy of the code; None if it does not say.
        live: the folder of the project on the machines of the lab; "" if its path there is the
            same.
        env: the Python environment on the machines of the lab; "" if its path there is the same.
    """

    snapshot: bool | None = None
    live: str = ""
    env: str = ""


def options_of(project: Project) -> ProjectOptions:
    """Return what a project asks for.

    Raises:
        InvalidInputError: its table has an unknown key, or a value that cannot be used.
    """
    folder = project.start
    while True:
        path = Path(folder, _FILE)
        table = _table(path)
        if table is not None:
            return _checked(path, table)
        if folder == project.folder or len(folder) <= len(project.folder):
            return ProjectOptions()
        folder = os.path.dirname(folder)  # noqa: PTH120 - as typed


def _table(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES)
    except OSError:
        return None
    if b"mlq" not in text:
        return None  # importing tomllib takes as long as everything else here
    import tomllib

    try:
        return tomllib.loads(text.decode()).get("tool", {}).get("mlq")
    except (ValueError, AttributeError) as error:
        raise InvalidInputError(f"{path} cannot be read", why=str(error)) from None


def _checked(path: Path, table: Any) -> ProjectOptions:
    if not isinstance(table, dict):
        raise InvalidInputError(f"{path}: tool.mlq is no table", fix="[tool.mlq]")
    for name, value in table.items():
        if name not in ProjectOptions._fields:
            from difflib import get_close_matches

            near = get_close_matches(name, ProjectOptions._fields, n=1)
            fix = f"did you mean {near[0]}?" if near else "there are snapshot, live and env"
            raise InvalidInputError(f"{path}: [tool.mlq] has no {name!r}", fix=fix)
        if name == "snapshot" and not isinstance(value, bool):
            raise InvalidInputError(f"{path}: snapshot = {value!r} is neither true nor false")
        if name != "snapshot" and not (isinstance(value, str) and value.startswith("/")):
            raise InvalidInputError(
                f"{path}: {name} = {value!r} cannot be used",
                why="it must be a whole path, from / on, as the machines of the lab see it",
            )
    return ProjectOptions(**table)
