"""The least that the queue's data must hold, by a count kept beside them.

A server loads a log that was cut in half, or an older copy of it, without complaint. So the
server's folder also holds a count: the last job number, and after an orderly stop the state of each
file, too. Data that hold fewer jobs are not opened: they stay as they are.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mlq.errors import LostDataError
from mlq.files.layout import write_atomically
from mlq.server import acknowledged
from mlq.server.data import DataFiles
from mlq.store import identity
from mlq.store.client import Client

_NAME = "count.json"


@dataclass(frozen=True, slots=True)
class Count:
    """What is in a queue.

    Args:
        last_number: the last job number given out.
        jobs: how many jobs it lists, ended ones included.
        queue_id: which queue it is, "" if it has no id yet.
    """

    last_number: int = 0
    jobs: int = 0
    queue_id: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether the queue was never used."""
        return not self.last_number and not self.queue_id


@dataclass(frozen=True, slots=True)
class Expected:
    """The least that the data must hold, and which file says so.

    Args:
        last_number: the last job number.
        where: the file that tells of it.
    """

    last_number: int
    where: Path


def count(client: Client) -> Count:
    """Ask a server what is in its queue."""
    found = identity.totals(client)
    return Count(int(found.last_number or 0), found.jobs, found.queue_id)


_COUNTED = ("last_number", "jobs", "queue_id")


class Witness:
    """The count beside the data.

    Args:
        folder: server_dir.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._path = folder, folder / _NAME

    def expected(self, *others: Expected) -> Expected:
        """Return the least that the data must hold."""
        noted = self._read().get("last_number", 0)
        told = (
            Expected(noted if isinstance(noted, int) else 0, self._path),
            Expected(acknowledged.acknowledged(self._folder), self._folder / "acknowledged"),
        )
        return max((*told, *others), key=lambda one: one.last_number)

    def noted(self) -> Count:
        """Return the count that was noted last."""
        known = {name: value for name, value in self._read().items() if name in _COUNTED}
        return Count(**known)

    def is_untouched(self, data: DataFiles) -> bool:
        """Return whether the files are just as the last orderly stop left them."""
        return data.exist and self._read().get("files") == data.fingerprint()

    def note(
        self, found: Count, data: DataFiles | None = None, *, accept_loss: bool = False
    ) -> None:
        """Note what the queue holds; a higher earlier number stays, unless the loss is accepted.

        If the note cannot be written (disk full), the old one stays; nothing else is lost.

        Args:
            found: what the queue holds.
            data: its files, after an orderly stop.
            accept_loss: forget what was there before.
        """
        if not accept_loss:
            found = replace(found, last_number=max(found.last_number, self.expected().last_number))
        files = data.fingerprint() if data else None
        with suppress(OSError):
            write_atomically(self._path, json.dumps(asdict(found) | {"files": files}).encode())
            acknowledged.begin(self._folder, found.last_number)

    def _read(self) -> dict[str, Any]:
        try:
            read = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return {}
        return read if isinstance(read, dict) else {}


def shortfall(found: Count, expected: Expected, folder: Path) -> LostDataError | None:
    """Return the error for data that hold less than they must; None if they hold enough."""
    if found.last_number >= expected.last_number:
        return None
    missing = expected.last_number - found.last_number
    return LostDataError(
        f"the queue's data in {folder} are not all there, and were left as they are",
        why=f"they end with job {found.last_number}, but {expected.where} tells of job "
        f"{expected.last_number}: {missing} acknowledged {'job is' if missing == 1 else 'jobs are'}"
        " missing",
        fix="put back the whole folder from a backup; or `mlq server restore` makes a queue anew "
        "from the results root; `mlq server start --accept-loss` goes on with what is there",
    )
