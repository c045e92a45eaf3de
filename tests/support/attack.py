"""Attacks by another user: starts the intruder as that user, and finds what there is to attack."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from people import Person

_SOURCE = Path(__file__).parents[1].joinpath("security", "intruder.py").read_text()
_PLACES = ("/tmp", "/var/tmp", "/dev/shm", "/run/user", "/run/lock")


def _python() -> str:
    found = Path(f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}")
    return str(found if found.exists() else "/usr/bin/python3")


class Intruder:
    """A running intruder; `stop` ends it and tells what succeeded."""

    def __init__(self, person: Person, mode: str, paths: Iterable[Path]) -> None:
        self._process = subprocess.Popen(
            [_python(), "-I", "-c", _SOURCE],
            cwd="/",
            env={},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            **person.identity,
        )
        wish = {"mode": mode, "paths": [str(path) for path in paths]}
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(wish).encode() + b"\n")
        self._process.stdin.flush()
        if mode == "pose":
            assert self._process.stdout.readline() == b"ready\n"

    def stop(self) -> list[tuple[str, str]]:
        """Let it end; returns pairs of a path and what succeeded there."""
        said, _ = self._process.communicate(timeout=120)
        assert self._process.returncode == 0
        return [(path, what) for path, what in json.loads(said)]

    def kill(self) -> None:
        """End it at once, if it still runs."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                with suppress(BrokenPipeError):
                    stream.close()


@contextmanager
def intruder(person: Person, mode: str, *paths: Path) -> Iterator[Intruder]:
    """Let an intruder work meanwhile."""
    one = Intruder(person, mode, paths)
    try:
        yield one
    finally:
        one.kill()


def successes(person: Person, paths: Iterable[Path]) -> list[tuple[str, str]]:
    """Try everything on these paths as this person; returns what succeeded but looking."""
    with intruder(person, "walk", *paths) as one:
        return [found for found in one.stop() if found[1] != "look at"]


def heard(person: Person, names: Iterable[str]) -> dict[str, str]:
    """Say hello to these names of the kernel as this person; returns what each answered."""
    with intruder(person, "hear", *map(Path, names)) as one:
        return dict(one.stop())


def belongings(person: Person, *roots: Path) -> list[Path]:
    """Return all below these roots, and all that this person has where everybody may write."""
    tops = [*roots]
    for place in map(Path, _PLACES):
        if place.is_dir():
            tops += [one for one in place.iterdir() if one.lstat().st_uid == person.uid]
    found = dict.fromkeys(tops)
    for top in tops:
        for parent, folders, files in os.walk(top):
            found |= dict.fromkeys(Path(parent, name) for name in (*folders, *files))
    return list(found)
