"""What a command needs of the world: the queue, the clock, and where to print.

`open_queue` is the fast way to the queue (no redis-py, no pydantic), because a command that is
typed fifty times a day must feel instant.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from mlq.api.queue import Queue
from mlq.files.paths import read_password
from mlq.settings.load import load
from mlq.settings.settings import Settings
from mlq.store.store import Store
from mlq.store.wire import SLOW_S, UnixClient
from mlq_cli.invocation.lazy_client import LazyClient
from mlq_cli.render.clean import clean, clean_painted
from mlq_cli.render.style import Style, style_of

# Fewer jobs than this are done before a line about them could be read.
_MANY = 2000


def open_queue(environ: Mapping[str, str] = os.environ, *, patient: bool = False) -> Queue:
    """Return the queue of these settings, over one plain connection.

    If it takes long to answer, the person at the terminal is told.

    Args:
        environ: the settings come from there.
        patient: whether to wait for the queue if it goes away later (`RetryingClient`).

    Raises:
        SettingsError: a setting cannot be used.
        UnsafePathError: the password file is open to others.

    The first question to it, or this if it is to be patient, raises QueueUnreachableError if no
    server answers or its host cannot be reached.
    """
    settings = load(environ).settings
    store = open_store(settings, slow=_say_slow)
    if patient:
        from mlq_cli.invocation.retrying_client import RetryingClient

        store.client.call("PING")  # a queue that never was there is not waited for
        again = partial(open_store, settings, slow=_say_slow)
        store = Store(RetryingClient(store.client, lambda: again().client, _interrupt))
    queue = Queue(store, settings, environ=environ)
    queue.tell = say
    return queue


def open_store(settings: Settings, **options: Any) -> Store:
    """Return the store of the queue of these settings; options are those of `UnixClient`."""
    password = read_password(settings.password_file)
    user = settings.redis_user
    return Store(LazyClient(settings, lambda path: UnixClient(path, user, password, **options)))


def _interrupt(text: str) -> None:
    """Say something on a line of its own, even where a live line is shown."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
    say(text)


def _say_slow() -> None:
    _interrupt(f"the queue has not answered for {SLOW_S:g} s; still waiting (Ctrl-C stops that)")


def local_now() -> datetime:
    """Return the present in the zone of this machine."""
    return datetime.now().astimezone()


def out_style() -> Style:
    """Return how to render on standard output."""
    return style_of(sys.stdout, os.environ)


def say(text: str) -> None:
    """Show the user something that is no result: one line on standard error."""
    print(f"mlq: {clean(text)}", file=sys.stderr, flush=True)


def show_progress(what: str) -> Callable[[int, int], None]:
    """Return how to show, on a terminal only, how many of many jobs are done."""

    def show(done: int, of: int) -> None:
        if sys.stderr.isatty() and of > _MANY:
            end = "\r\x1b[K" if done == of else ""
            sys.stderr.write(f"\r\x1b[K{what}: {done} of {of} jobs{end}")
            sys.stderr.flush()

    return show


def print_lines(lines: Iterable[str]) -> None:
    """Print plain lines in one write; nothing of control gets through."""
    sys.stdout.write("".join(f"{clean(line)}\n" for line in lines))


def print_painted(lines: Iterable[str]) -> None:
    """Print lines that were rendered with a `Style`; nothing but its colours gets through."""
    sys.stdout.write("".join(f"{clean_painted(line)}\n" for line in lines))


def print_json(objects: Iterable[Mapping[str, Any]]) -> None:
    """Print a list of objects, one a line, so that it can be read and grepped."""
    text = ",\n ".join(json.dumps(one) for one in objects)
    print_lines(f"[{text}]".split("\n"))
