"""The text of a config file with some values changed: comments, order and all else stay."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping

Value = str | tuple[str, ...]


def with_values(text: str, values: Mapping[str, Value]) -> str:
    """Return the text of a config file in which these settings have these values.

    Args:
        text: TOML without tables, since settings have none.
        values: setting -> value; one that has its value already is not touched.
    """
    present = tomllib.loads(text)
    lines = text.splitlines()
    for name, value in values.items():
        plain = list(value) if isinstance(value, tuple) else value
        if name in present and present[name] == plain:
            continue
        start = re.compile(rf"\s*[\"']?{re.escape(name)}[\"']?\s*=")
        at = next((at for at, line in enumerate(lines) if start.match(line)), None)
        new = f"{name} = {as_toml(value)}"
        if at is None:
            lines.append(new)
        else:
            lines[at : at + _length(lines[at:])] = [new]
    return "".join(f"{line}\n" for line in lines)


def _length(lines: list[str]) -> int:
    """Return over how many lines the first value goes."""
    for length in range(1, len(lines) + 1):
        try:
            tomllib.loads("\n".join(lines[:length]))
        except tomllib.TOMLDecodeError:
            continue
        return length
    return 1


def as_toml(value: Value) -> str:
    """Return a value as TOML has it."""
    if isinstance(value, str):
        # A basic string of TOML escapes as JSON does, but for DEL.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return f"[{', '.join(as_toml(one) for one in value)}]"
