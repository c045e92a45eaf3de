"""Changes values in the text of a config file; comments, order and everything else stay.

It also says what to do on another machine so that it uses the same queue. It never shows a secret.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import tomllib
from collections.abc import Mapping

from mlq.settings.settings import Settings

Value = str | tuple[str, ...]


def with_values(text: str, values: Mapping[str, Value]) -> str:
    """Return the text of a config file in which these settings have these values.

    Args:
        text: TOML without tables, since settings have none.
        values: setting -> value; a setting that already has its value is not touched.
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
    """Return how many lines the first value takes."""
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
        # A basic string of TOML has the escapes of JSON, and one for DEL.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return f"[{', '.join(as_toml(one) for one in value)}]"


def instructions(settings: Settings) -> list[str]:
    """Return the lines of `mlq init --show`: a config file to paste, and how to copy secrets."""
    remote = settings.is_remote
    values: dict[str, Value] = {
        "queue_host": settings.queue_host or os.uname().nodename,
        "remote_socket": settings.remote_socket if remote else str(settings.redis_socket),
        "root": str(settings.root),
        "machines": settings.machines,
    }
    wanted = {name: value for name, value in values.items() if value}
    copies = (("signing.key", settings.key_file), ("redis.password", settings.password_file))
    lines = [
        "# Into ~/.config/mlq/config.toml on the other machine (chmod 600):",
        *with_values("", wanted).splitlines(),
    ]
    if settings.gateway:
        lines.append(f"# Only where it needs this to get in: gateway = {settings.gateway!r}")
    lines += [
        "",
        "# Then, from here, the secrets as files (machines that share a home need them once):",
        *(
            f"scp -p {shlex.quote(str(path))} OTHER:.config/mlq/{name}"
            + ("" if path.exists() else f"    # not here yet: {_WHENCE[name]}")
            for name, path in copies
        ),
        "",
        "# mlq itself is in the results root once `mlq deploy` has put it there:",
        f"{shlex.quote(str(settings.root))}/software/current/bin/mlq doctor",
    ]
    return lines


_WHENCE = {
    "signing.key": "`mlq init` makes it",
    "redis.password": "`mlq server start` makes it on the queue's host",
}
