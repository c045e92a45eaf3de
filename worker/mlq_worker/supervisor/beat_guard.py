"""Keeps beats that may be alive: two machines of one name have one beat file.

A worker starts a supervisor only once the machine's name is its own. But the one that was given up
for dead may come back, with its supervisor. A beat that another host wrote is therefore left alone
until it has not changed for `dead_s`; a supervisor that finds such a beat in its file has no
channel to NFS.
"""

from __future__ import annotations

import errno
import json
from typing import Any


class ForeignBeatError(OSError):
    """Another host beats in this machine's name."""


class SilentError(OSError):
    """The supervisor must not beat in its machine's name (`standing`)."""


class BeatGuard:
    """Looks at what lies in the beat file before it is replaced.

    Args:
        supervisor_id: ours.
        host_id: of this host; "": not known, and then nothing is guarded.
        dead_beat: `<supervisor id>:<counter>` of a beat that was found to belong to no supervisor
            any more.
        dead_s: how long an unchanged beat means death.
        gap_s: looks farther apart than this prove nothing about the time between them.
    """

    def __init__(
        self, supervisor_id: str, host_id: str, dead_beat: str, dead_s: float, gap_s: float
    ) -> None:
        self._supervisor_id, self._host_id, self._dead_beat = supervisor_id, host_id, dead_beat
        self._dead_s, self._gap_s = dead_s, gap_s
        self._seen: tuple[str, float, float] = ("", 0.0, 0.0)

    def check(self, raw: bytes | None, now: float) -> None:
        """Return if the file may be replaced.

        Args:
            raw: what lies there; None: nothing.
            now: boot time.

        Raises:
            ForeignBeatError: another host wrote that, and may be alive.
        """
        beat = _read(raw)
        if not self._host_id or beat.get("supervisor_id") == self._supervisor_id:
            return
        # What has no host was written by an older mlq, or is no beat.
        if beat.get("host_id", "") in ("", self._host_id):
            return
        shown = f"{beat.get('supervisor_id')}:{beat.get('counter')}"
        text, since, last = self._seen
        if text != shown or now - last > self._gap_s:
            since = now
        self._seen = (shown, since, now)
        if shown != self._dead_beat and now - since < self._dead_s:
            host = str(beat.get("host", ""))[:64]
            raise ForeignBeatError(
                errno.EBUSY, f"host {host!r} beats in its name: two machines have one name"
            )


def _read(raw: bytes | None) -> dict[str, Any]:
    try:
        found = json.loads(raw or b"{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
