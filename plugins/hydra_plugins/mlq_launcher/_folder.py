"""The folder of a launch: what its jobs are to do, and what they returned.

It lies at `.mlq/NAME` in `hydra.sweep.dir`, where every machine sees it. What all jobs need is one
file; a small one for each job, named by its key, says the rest. Files appear whole, by renaming.
A result is named by its job, so that one of an earlier job with the same key is not taken for it.
"""

from __future__ import annotations

import json
import pickle
import time
import typing as tp
import uuid
from pathlib import Path

PATIENCE_S = 5.0
"""How long a result may stay unseen after its job has ended: NFS remembers that it was missing."""


class Result(tp.NamedTuple):
    """What a job left: its JobReturn, pickled, and the traceback if it failed."""

    returned: bytes
    traceback: str


class Folder:
    """The folder of a launch.

    Args:
        path: where it lies, absolute.
    """

    def __init__(self, path: tp.Union[str, Path]) -> None:
        self.path = Path(path)
        self.name = self.path.name

    def write_launch(self, launch: bytes, sys_path: tp.Sequence[str]) -> str:
        """Keep what all jobs of a batch need; return the name of its file."""
        self.path.mkdir(parents=True, exist_ok=True)
        name = f"launch-{uuid.uuid4().hex[:8]}.pkl"
        self._write(name, pickle.dumps((list(sys_path), launch)))
        return name

    def read_launch(self, name: str) -> tuple[list[str], bytes]:
        """Return `sys.path` and the pickle that `write_launch` kept."""
        sys_path, launch = pickle.loads((self.path / name).read_bytes())  # noqa: S301 - our own
        return sys_path, launch

    def write_member(self, key: str, launch: str, number: int, overrides: tp.Sequence[str]) -> None:
        """Keep what one job is to do."""
        told = {"launch": launch, "number": number, "overrides": list(overrides)}
        self._write(f"{key}.json", json.dumps(told).encode())

    def read_member(self, key: str) -> tp.Any:
        """Return what `write_member` kept: `launch`, `number`, `overrides`."""
        return json.loads((self.path / f"{key}.json").read_bytes())

    def numbers(self) -> dict[str, int]:
        """Return the number of each job by its key."""
        found = {}
        for file in self.path.glob("*.json"):
            if file.stem != "of":
                found[file.stem] = int(self.read_member(file.stem)["number"])
        return found

    def write_identity(self, identity: tp.Sequence[str]) -> None:
        """Keep which program with which configuration was launched."""
        self.path.mkdir(parents=True, exist_ok=True)
        self._write("of.json", json.dumps(list(identity)).encode())

    def is_of(self, identity: tp.Sequence[str]) -> bool:
        """Return whether this program with this configuration was launched."""
        try:
            found: tp.Any = json.loads((self.path / "of.json").read_bytes())
        except (OSError, ValueError):
            return False
        return bool(found == list(identity))

    def write_result(self, job_id: str, result: Result) -> None:
        """Keep what a job left."""
        self._write(f"result-{job_id}.pkl", pickle.dumps(tuple(result)))

    def read_result(self, job_id: str, patience_s: float) -> tp.Optional[Result]:
        """Return what a job left; None if it left nothing."""
        give_up = time.monotonic() + patience_s
        while True:
            try:
                data = (self.path / f"result-{job_id}.pkl").read_bytes()
                return Result(*pickle.loads(data))  # noqa: S301 - a job of the same user wrote it
            except FileNotFoundError:
                if time.monotonic() >= give_up or not self.path.is_dir():
                    return None
            time.sleep(0.2)
            next(self.path.iterdir(), None)  # so NFS looks anew

    def _write(self, name: str, data: bytes) -> None:
        draft = self.path / f".{uuid.uuid4().hex}"
        draft.write_bytes(data)
        draft.replace(self.path / name)
