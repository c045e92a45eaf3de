"""What a command needs of the world: the queue, the clock, and where to print.

`open_queue` is the fast way to the queue (no redis-py, no pydantic), because a command that is
typed fifty times a day must feel instant.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from mlq.paths import read_secret
from mlq.queues import Queue
from mlq.settings import Settings, load
from mlq.store import Store
from mlq.tunnel import through
from mlq.wire import Wire
from mlq_cli.render.style import Style, style_of

# `mlq ls` asks twice; what waits asks four times a second.
_AS_TEXT = 3


def open_queue(environ: Mapping[str, str] = os.environ) -> Queue:
    """Return the queue of these settings, over one plain connection.

    Raises:
        SettingsError: a setting cannot be used.
        QueueUnreachableError: no server answers, or its host cannot be reached.
        UnsafePathError: the password file is open to others.
    """
    settings = load(environ).settings
    queue = Queue(open_store(settings), settings, environ=environ)
    queue.tell = say
    return queue


def open_store(settings: Settings) -> Store:
    """Return the store of the queue of these settings."""
    password = read_secret(settings.password_file).decode().strip()
    wire = through(settings, lambda path: Wire(path, settings.redis_user, password))
    return Store(wire, as_text=_AS_TEXT)


def local_now() -> datetime:
    """Return the present in the zone of this machine."""
    return datetime.now().astimezone()


def out_style() -> Style:
    """Return how to render on standard output."""
    return style_of(sys.stdout, os.environ)


def say(text: str) -> None:
    """Tell the person at the terminal something that is no result: on standard error."""
    print(f"mlq: {text}", file=sys.stderr, flush=True)


def print_lines(lines: Iterable[str]) -> None:
    """Print lines in one write."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def print_json(objects: Iterable[Mapping[str, Any]]) -> None:
    """Print a list of objects, one a line, so that it can be read and grepped."""
    lines = [json.dumps(one) for one in objects]
    print_lines(["[" + ",\n ".join(lines) + "]"])
