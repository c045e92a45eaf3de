"""The table of settings in the documentation, written from `Settings` itself.

`python -m mlq.settings.reference` rewrites the block between the two markers in
docs/configuration.md; a test fails while the block differs. The meanings are those of the class's
own docstring, so a setting is described in one place.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from mlq.errors import InvalidInputError, MlqError
from mlq.files.layout import write_atomically
from mlq.settings.settings import Settings, variable

BEGIN = "<!-- begin: written by `python -m mlq.settings.reference` -->"
END = "<!-- end: written -->"
DEFAULT_PAGE = Path("docs/configuration.md")

# Defaults that depend on the machine or on other settings, in words; see `default_settings`.
_COMPUTED = {
    "root": "`/vol/bitbucket/$USER/mlq` if `/vol/bitbucket/$USER` exists, else "
    "`$XDG_DATA_HOME/mlq`",
    "runtime_dir": "`$XDG_RUNTIME_DIR/mlq`, or `/tmp/mlq-UID` without it or if logging "
    "out would delete it",
    "server_dir": "`$XDG_DATA_HOME/mlq/server`",
    "redis_socket": "`redis.sock` in `runtime_dir`",
    "password_file": "`redis.password` beside the config file",
    "key_file": "`signing.key` beside the config file",
    "machine": "the host name up to its first dot",
    "cache_dir": "`/var/tmp/mlq-UID`",
}
_UNITS = {"_s": "s", "_mib": "MiB", "_days": "days"}
_MEANING = re.compile(r"^ {4}(?: {4})?(\w+): (.*?\.)$", re.MULTILINE)


def rows() -> Iterator[tuple[str, str, str, str, str]]:
    """Yield name, variable, default, unit and meaning of each setting."""
    meanings = dict(_MEANING.findall(Settings.__doc__ or ""))
    defaults = Settings._field_defaults
    for name in Settings._fields:
        default = f"`{_as_toml(defaults[name])}`" if name in defaults else _COMPUTED[name]
        unit = next((unit for end, unit in _UNITS.items() if name.endswith(end)), "")
        yield name, variable(name), default, unit, meanings[name]


def block() -> str:
    """Return the block for the page, markers included."""
    lines = ["| Setting | Variable | Default | Unit | Meaning |", "|---|---|---|---|---|"]
    for name, in_environment, default, unit, meaning in rows():
        lines.append(f"| `{name}` | `{in_environment}` | {default} | {unit} | {meaning} |")
    return "\n".join([BEGIN, *lines, END])


def rewritten(page: str) -> str:
    """Return the page with its block written anew.

    Raises:
        InvalidInputError: the page lacks one of the two markers.
    """
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise InvalidInputError(
            "the page has no place for the table", fix=f"write {BEGIN} and below it {END}"
        )
    return f"{head}{block()}{tail}"


def main(page: Path = DEFAULT_PAGE) -> None:
    """Rewrite the table in a page."""
    write_atomically(page, rewritten(page.read_text(encoding="utf-8")).encode(), mode=0o644)


def _as_toml(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_as_toml(one) for one in value)}]"
    if isinstance(value, str | Path):
        return f'"{value}"'
    return str(value).lower() if isinstance(value, bool) else str(value)


if __name__ == "__main__":
    try:
        main(*(Path(argument) for argument in sys.argv[1:2]))
    except (MlqError, OSError) as problem:
        sys.exit(f"mlq: {problem}")
