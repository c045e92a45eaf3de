"""What a command needs from outside: the queue, the clock, and where to print.

`open_queue` is the fast way to the queue (no redis-py, no pydantic), because users type commands
fifty times a day.
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

# The queue handles fewer jobs than this before a user could read a line about them.
_MANY = 2000


def open_queue(environ: Mapping[str, str] = os.environ, *, patient: bool = False) -> Queue:
    """Return the queue of these settings, over one plain connection.

    If the queue takes long to answer, a message tells the user.

    Args:
        environ: the variables from which the settings are read.
        patient: whether to wait for the queue if it goes away later (`RetryingClient`).

    Raises:
        SettingsError: a setting cannot be used.
        UnsafePathError: the password file is open to others.

    If no server answers or its host cannot be reached, the first request raises
    QueueUnreachableError; with `patient` this function does.
    """
    settings = load(environ).settings
    store = open_store(settings, slow=_say_slow)
    if patient:
        from mlq_cli.invocation.retrying_client import RetryingClient

        store.client.call("PING")  # wait only for a queue that has answered once
        again = partial(open_store, settings, slow=_say_slow)
        store = Store(RetryingClient(store.client, lambda: again().client, _interrupt))
    queue = Queue(store, settings, environ=environ)
    queue.tell = say
    return queue


def open_store(settings: Settings, **options: Any) -> Store:
    """Return the store of these settings' queue; the options are those of `UnixClient`."""
    password = read_password(settings.password_file)
    user = settings.redis_user
    return Store(LazyClient(settings, lambda path: UnixClient(path, user, password, **options)))


def _interrupt(text: str) -> None:
    """Print a message on a line of its own, even while a live line is shown."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
    say(text)


def _say_slow() -> None:
    _interrupt(f"the queue has not answered for {SLOW_S:g} s; still waiting (Ctrl-C stops that)")


def local_now() -> datetime:
    """Return the present time in the time zone of this machine."""
    return datetime.now().astimezone()


def out_style() -> Style:
    """Return how to render on standard output."""
    return style_of(sys.stdout, os.environ)


def say(text: str) -> None:
    """Print a message that is not a result: one line on standard error."""
    print(f"mlq: {clean(text)}", file=sys.stderr, flush=True)


def show_progress(what: str) -> Callable[[int, int], None]:
    """Return a function that shows, on a terminal only, how many of many jobs are done."""

    def show(done: int, of: int) -> None:
        if sys.stderr.isatty() and of > _MANY:
            end = "\r\x1b[K" if done == of else ""
            sys.stderr.write(f"\r\x1b[K{what}: {done} of {of} jobs{end}")
            sys.stderr.flush()

    return show


def print_lines(lines: Iterable[str]) -> None:
    """Print plain lines in one write; remove all control characters."""
    sys.stdout.write("".join(f"{clean(line)}\n" for line in lines))


def print_painted(lines: Iterable[str]) -> None:
    """Print lines rendered with a `Style`; of control characters only its colours pass."""
    sys.stdout.write("".join(f"{clean_painted(line)}\n" for line in lines))


def print_json(objects: Iterable[Mapping[str, Any]]) -> None:
    """Print a list of objects, one on each line, so that `grep` works on it."""
    text = ",\n ".join(json.dumps(one) for one in objects)
    print_lines(f"[{text}]".split("\n"))
