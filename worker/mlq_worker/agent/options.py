"""The options that a user may give when starting a worker.

Everything else is a setting. Options travel from `mlq worker start` to the background process (as
JSON) and into a unit file (as command-line flags).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """How much of its machine a worker may give to jobs, and how it gives way to people.

    Args:
        cores: at most this many cores; None: all of them.
        mem_mib: at most this much memory; None: all of it.
        gpus: "all", "none", indices as in "0,1", or UUIDs.
        idle_s: it leaves after so many seconds without jobs; None: never.
        guest: how it gives way on its machine, instead of the setting `guest`; "": as that says.
    """

    cores: int | None = None
    mem_mib: int | None = None
    gpus: str = "all"
    idle_s: float | None = None
    guest: str = ""

    def to_json(self) -> str:
        """Return the options as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> WorkerOptions:
        """Read what `to_json` wrote."""
        return cls(**json.loads(text))

    def flags(self) -> list[str]:
        """Return the same options as flags of `mlq worker start`; defaults are left out."""
        flags: list[str] = []
        if self.cores is not None:
            flags += ["--cores", str(self.cores)]
        if self.mem_mib is not None:
            flags += ["--mem", f"{self.mem_mib}M"]
        if self.gpus != "all":
            flags += ["--gpus", self.gpus]
        if self.idle_s is not None:
            flags += ["--idle", f"{self.idle_s:g}s"]
        if self.guest:
            flags += ["--guest", self.guest]
        return flags
