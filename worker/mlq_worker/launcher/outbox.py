"""What the launcher tells the supervisor, several things in one message.

For very short jobs, a message for each step would cost the supervisor and the worker more than the
job itself. So news may wait a moment for more, as long as there are jobs to go on with.
"""

from __future__ import annotations

from collections.abc import Callable

from mlq.jobs.attempt import AttemptId
from mlq_worker.ipc.channel import Channel
from mlq_worker.ipc.launcher_messages import News, Recorded, Wish
from mlq_worker.ipc.values import Result, Started

_GATHER_S = 0.01


class Outbox:
    """The news that was not sent yet.

    Args:
        channel: the connection to the supervisor.
        clock: boot time.
    """

    def __init__(self, channel: Channel, clock: Callable[[], float]) -> None:
        self._channel, self._clock = channel, clock
        self._news = News()
        self._send_at = 0.0

    def started(self, started: Started) -> None:
        """Report that a job runs."""
        self._add(News(started=(started,)))

    def late(self, attempt: AttemptId) -> None:
        """Report that an attempt was not started in time."""
        self._add(News(late=(attempt,)))

    def asked(self, wish: Wish) -> None:
        """Report that an attempt asks to be queued again."""
        self._add(News(asked=(wish,)))

    def gone(self, result: Result) -> None:
        """Report that no process of an attempt is left."""
        self._add(News(gone=(result,)))

    def recorded(self, recorded: Recorded) -> None:
        """Report that a result is dealt with."""
        self._add(News(recorded=(recorded,)))

    def _add(self, news: News) -> None:
        if self._news == News():
            self._send_at = self._clock() + _GATHER_S
        self._news = self._news.plus(news)

    def send(self, now: float, *, at_once: bool) -> float:
        """Send what there is to tell, unless it may wait and has not waited long enough.

        Returns:
            The boot time at which to call again; infinity if there is nothing left to tell.
        """
        if self._news == News():
            return float("inf")
        if not at_once and now < self._send_at:
            return self._send_at
        self._channel.send(self._news.to_json())
        self._news = News()
        return float("inf")
