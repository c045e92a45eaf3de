"""What a supervisor is told when it starts, and how that becomes a command line and back."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from mlq.files.layout import Layout
from mlq_worker.liveness.fence import LivenessTimings


@dataclass(frozen=True, slots=True)
class Options:
    """The arguments of a supervisor.

    Args:
        runtime: the machine's own private folder on a local disk, `<runtime_dir>/m/<machine>`.
        machine: the machine's name in the queue.
        root: the results root, usually on NFS.
        mark_prefix: the start of the marks of this machine's attempts, and of no others.
        timings: the settings of liveness.
        queue_id: the id of the queue that the root must belong to at each use; "": any queue.
        host_id: of this host; "": not known.
        dead_beat: a beat of another host that belongs to no supervisor any more (`BeatGuard`); "":
            none.
        parent: the worker to end with, its process id; 0: it outlives its workers. In an allocation
            of a batch system nothing may stay behind.
        shared_dir: where the users of this machine meet; None: no other user is looked for.
        words: what `ps` shows at the end, for people who wonder what this is; "": nothing.
    """

    runtime: Path
    machine: str
    root: Path
    mark_prefix: str
    timings: LivenessTimings
    queue_id: str = ""
    host_id: str = ""
    dead_beat: str = ""
    parent: int = 0
    shared_dir: Path | None = None
    words: str = ""

    @property
    def layout(self) -> Layout:
        """The results root, and the queue it must belong to."""
        return Layout(self.root, self.queue_id)

    def arguments(self) -> list[str]:
        """Return the command line from which `parse` makes the same options."""
        return [
            f"--runtime={self.runtime}",
            f"--machine={self.machine}",
            f"--root={self.root}",
            f"--queue-id={self.queue_id}",
            f"--host-id={self.host_id}",
            f"--dead-beat={self.dead_beat}",
            f"--parent={self.parent}",
            f"--mark-prefix={self.mark_prefix}",
            f"--beat-s={self.timings.beat_s}",
            f"--lease-s={self.timings.lease_s}",
            f"--fence-s={self.timings.fence_s}",
            f"--dead-s={self.timings.dead_s}",
            *([] if self.shared_dir is None else [f"--shared-dir={self.shared_dir}"]),
            *([self.words] if self.words else []),
        ]


def parse(arguments: list[str]) -> Options:
    """Return the options on a command line; exit with a usage message if it is wrong."""
    parser = argparse.ArgumentParser(prog="mlq-supervisor", description=__doc__)
    parser.add_argument("--runtime", type=Path, required=True)
    parser.add_argument("--machine", required=True)
    parser.add_argument("--root", type=Path, required=True)
    for name in ("--queue-id", "--host-id", "--dead-beat"):
        parser.add_argument(name, default="")
    parser.add_argument("--parent", type=int, default=0)
    parser.add_argument("--mark-prefix", required=True)
    parser.add_argument("--shared-dir", type=Path)
    for name in ("--beat-s", "--lease-s", "--fence-s", "--dead-s"):
        parser.add_argument(name, type=float, required=True)
    parser.add_argument("words", nargs="?", default="")
    found = parser.parse_args(arguments)
    timings = LivenessTimings(found.beat_s, found.lease_s, found.fence_s, found.dead_s)
    return Options(
        found.runtime,
        found.machine,
        found.root,
        found.mark_prefix,
        timings,
        found.queue_id,
        found.host_id,
        found.dead_beat,
        found.parent,
        found.shared_dir,
        found.words,
    )
