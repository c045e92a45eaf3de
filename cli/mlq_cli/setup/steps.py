"""The steps of `mlq init`: ask and check everything first, then write."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlq.errors import InvalidInputError, StorageError
from mlq.files.layout import write_atomically
from mlq.files.paths import check_ours_alone, make_private_dirs
from mlq.settings.check import HOST_RULE, is_gateway, is_host
from mlq.settings.load import Loaded, default_settings
from mlq.settings.settings import Settings
from mlq_cli.fair_use import reminder
from mlq_cli.invocation.prompts import Asker
from mlq_cli.remote.command import checked_hosts
from mlq_cli.remote.ssh import Ssh
from mlq_cli.setup.config_text import Value, with_values
from mlq_cli.setup.discovery import Account, account, check_root
from mlq_cli.setup.secret_files import secrets_here, shared_secrets


@dataclass(frozen=True, slots=True)
class Flags:
    """The flags of the command line; None: not given, so `mlq init` asks, or keeps the value."""

    queue_host: str | None = None
    gateway: str | None = None
    root: str | None = None
    remote_socket: str | None = None
    machines: str | None = None
    share_secrets: bool = False


def set_up(loaded: Loaded, flags: Flags, asker: Asker, environ: Mapping[str, str]) -> list[str]:
    """Ask, check, write; return what was done, one line for each thing.

    Raises:
        MlqError: an answer cannot be used; nothing was written.
    """
    settings = loaded.settings
    settings, there = asker.until_good(lambda: _queue(settings, flags, asker))
    settings, there = asker.until_good(lambda: _root(settings, loaded, flags, asker, there))
    machines = asker.until_good(lambda: _machines(settings, flags, asker))
    values: dict[str, Value] = {}
    # If the file says ~/results, keep it as the user typed it.
    if settings.root != loaded.settings.root or " line " not in loaded.origin["root"]:
        values["root"] = str(settings.root)
    if settings.is_remote:
        socket = flags.remote_socket or (there.socket if there else "")
        values |= {"queue_host": settings.queue_host, "remote_socket": socket}
    elif flags.queue_host is not None or loaded.settings.queue_host:
        values["queue_host"] = settings.queue_host
    if settings.gateway or loaded.settings.gateway:
        values["gateway"] = settings.gateway
    if machines or loaded.settings.machines:
        values["machines"] = machines
    share = flags.share_secrets or (
        asker.wanted
        and settings.is_remote
        and asker.yes(f"Copy key and password from or to {settings.queue_host}, where missing?")
    )
    done = _written(loaded, values, environ)
    if said := reminder(len(machines)):
        done = [*done, said]
    if settings.is_remote and there is not None:
        return [*done, *shared_secrets(settings, there, share=share)]
    return [*done, *secrets_here(settings)]


def _queue(settings: Settings, flags: Flags, asker: Asker) -> tuple[Settings, Account | None]:
    """Ask where the queue is, and connect to that host."""
    host = flags.queue_host
    if host is None:
        host = asker.text(
            "Queue host, as typed after `ssh` (- for this machine)", settings.queue_host
        )
    if host and not is_host(host):
        raise InvalidInputError(f"the queue host {host!r} cannot be used", why=HOST_RULE)
    settings = settings._replace(queue_host=host)
    if not settings.is_remote:
        return settings, None
    gateway = flags.gateway
    if gateway is None:
        gateway = asker.text(
            "Gateway to jump through (- for none but those of your ssh configuration)",
            settings.gateway,
        )
    if gateway and not is_gateway(gateway):
        raise InvalidInputError(f"the gateway {gateway!r} cannot be used", why=HOST_RULE)
    settings = settings._replace(gateway=gateway)
    return settings, account(Ssh(settings), host)


def _root(
    settings: Settings, loaded: Loaded, flags: Flags, asker: Asker, there: Account | None
) -> tuple[Settings, Account | None]:
    """Ask for the results root, and check on the machine that needs it that it can be written."""
    default = str(settings.root)
    if there and there.root and loaded.origin["root"] == "default":
        default = there.root
    typed = flags.root if flags.root is not None else asker.text("Results root", default)
    root = Path(typed).expanduser() if not there else Path(typed)
    if not root.is_absolute():
        raise InvalidInputError(
            f"the results root {typed!r} cannot be used", why="it is not from /"
        )
    settings = settings._replace(root=root)
    if there is not None:
        return settings, check_root(Ssh(settings), settings.queue_host, root, there)
    try:
        make_private_dirs(root)
        check_ours_alone(root)
        probe = root / f".mlq-init.{os.getpid()}"
        write_atomically(probe, b"probe\n")
        probe.unlink()
    except OSError as error:
        raise StorageError(
            f"the results root {root} cannot be written",
            why=error.strerror or str(error),
            fix="choose a folder of yours that all machines share",
        ) from None
    return settings, None


def _machines(settings: Settings, flags: Flags, asker: Asker) -> tuple[str, ...]:
    listed = ",".join(settings.machines)
    typed = flags.machines
    if typed is None:
        typed = asker.text("Machines for --all, with commas (- for none)", listed)
    return checked_hosts(typed) if typed else ()


def _written(loaded: Loaded, values: Mapping[str, Value], environ: Mapping[str, str]) -> list[str]:
    """Write the config file; keep what is already in it."""
    from mlq.settings.check import check

    # A config file may be a link into the user's dotfiles: replace the file that it leads to.
    path = Path(os.path.realpath(loaded.config_file))
    before = path.read_bytes() if path.exists() else b""
    text = with_values(before.decode(), values)
    check(environ, path, text.encode(), default_settings(environ, loaded.config_file.parent))
    if text.encode() == before and path.stat().st_mode & 0o077 == 0:
        return [f"{loaded.config_file} says all that already"]
    make_private_dirs(path.parent)
    write_atomically(path, text.encode())
    return [f"wrote {loaded.config_file}", *(f"  {line}" for line in text.splitlines() if line)]
