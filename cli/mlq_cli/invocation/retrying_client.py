"""The client of commands that wait for jobs, perhaps all night.

Meanwhile the server may restart, the network may fail or the laptop may sleep. The client does not
give up: it reconnects until the queue answers, and sends the same commands again. That is safe,
because every operation that must not happen twice carries a request id.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from mlq.errors import QueueUnreachableError, UnsafePathError
from mlq.store.client import Client

_PAUSE_S = 1.0


class RetryingClient:
    """A `mlq.store.client.Client` that outlives its connection.

    Args:
        client: the present connection.
        reopen: opens another one.
        tell: is called once when the queue is away, and once when it is back.
        sleep: waits for a number of seconds.
    """

    def __init__(
        self,
        client: Client,
        reopen: Callable[[], Client],
        tell: Callable[[str], None],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client, self._reopen, self._tell, self._sleep = client, reopen, tell, sleep

    def call(self, *command: str | bytes | int | float) -> Any:
        """Send one command and return its reply."""
        return self.call_many([command])[0]

    def call_many(self, commands: Sequence[Sequence[str | bytes | int | float]]) -> list[Any]:
        """Send commands together and return their replies, however long that takes.

        Raises:
            UnsafePathError: another user could answer in the queue's place.
            QueueRefusedError: the server answered with an error.
        """
        try:
            return self._client.call_many(commands)
        except UnsafePathError:
            raise
        except QueueUnreachableError as error:
            self._tell(f"{error.what}; waiting until it does (Ctrl-C stops that)")
        self._wait_until_it_answers()
        self._tell("the queue answers again")
        return self.call_many(commands)

    def _wait_until_it_answers(self) -> None:
        while True:
            self._sleep(_PAUSE_S)
            try:
                self._client = self._reopen()
                self._client.call("PING")
            except UnsafePathError:
                raise
            except QueueUnreachableError:
                continue
            return

    def close(self) -> None:
        """Close the connection."""
        self._client.close()
