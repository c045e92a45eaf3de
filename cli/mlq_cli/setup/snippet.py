"""What to do on another machine so that it belongs to the same queue; no secret is ever shown."""

from __future__ import annotations

import os
import shlex

from mlq.settings.settings import Settings
from mlq_cli.setup.config_text import Value, with_values


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
