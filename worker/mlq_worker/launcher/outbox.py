"""What the launcher tells the supervisor, several things in one message.

A very short job costs the supervisor and the worker less than hearing of each of its steps apart
would. So its news may wait a moment for more, as long as there are jobs to go on with.
"""

from __future__ import annotations

from typing import Any

from mlq_worker.ipc.channel import Channel
from mlq_worker.ipc.clock import boottime

_GATHER_S = 0.01


class Report:
    """The news that was not sent yet.

    Args:
        channel: the connection to the supervisor.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._news: dict[str, list[Any]] = {}
        self._send_at = 0.0

    def tell(self, what: str, item: object) -> None:
        """Adds a piece of news."""
        if not self._news:
            self._send_at = boottime() + _GATHER_S
        self._news.setdefault(what, []).append(item)

    def send(self, now: float, *, at_once: bool) -> float:
        """Sends what there is to tell, unless it may wait and has not waited long enough.

        Returns:
            The boot time at which to call again; infinity if there is nothing left to tell.
        """
        if self._news and not at_once and now < self._send_at:
            return self._send_at
        if self._news:
            self._channel.send(self._news)
            self._news = {}
        return float("inf")
