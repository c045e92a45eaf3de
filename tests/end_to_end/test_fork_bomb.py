"""A job that takes all the processes that its user may have: mlq goes on, and can end it.

A real user with a real limit (`ulimit -u`). Where jobs have cgroups each has a limit of its own:
that is tried in `tests/desk/test_forks.py`.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from everybodys_mlq import copy_mlq
from people import Person, strangers
from waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.root]

MOST = 300
# Whoever finds no room for a child ends, and others fork anew.
BOMB = "bomb() { while :; do bomb & done; }; bomb 2>/dev/null & exec sleep 3600"


class Limited:
    """The mlq of somebody who may have only so many processes."""

    def __init__(self, person: Person, program: Path, folder: Path) -> None:
        self.person, self.program, self.folder = person, program, person.own(folder)
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "MLQ_ROOT": str(folder / "root"),
            "MLQ_MACHINE": "lab07",
            "MLQ_GUEST": "mine",
            "MLQ_SNAPSHOT": "false",
            "MLQ_BEAT_S": "1",
            "MLQ_LEASE_S": "6",
            "MLQ_FENCE_S": "8",
            "MLQ_DEAD_S": "12",
        }

    def mlq(self, *words: str) -> str:
        """Type `mlq`; by itself it has no such limit, as in the shell of an administrator."""
        done = self.person.run([self.program, *words], env=self.environ, cwd=self.folder)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout.strip()

    def start(self) -> None:
        """Start queue and worker, which have that limit as all that they start."""
        for words in (("server", "start"), ("worker", "start", "--cores", "2", "--gpus", "none")):
            command = ["prlimit", f"--nproc={MOST}:{MOST}", self.program, *words]
            done = self.person.run(command, env=self.environ, cwd=self.folder)
            assert done.returncode == 0, (words, done.stdout, done.stderr)

    def view(self, job: str) -> Mapping[str, Any]:
        """Return what `mlq ls --json` says of a job."""
        (found,) = json.loads(self.mlq("ls", "--json", job))
        return dict(found)

    def has_room(self) -> bool:
        """Return whether this user could start one more process."""
        command = ["prlimit", f"--nproc={MOST}:{MOST}", "sh", "-c", "true & wait"]
        return self.person.run(command).returncode == 0


@pytest.fixture
def limited() -> Iterator[Limited]:
    person, _ = strangers()
    with tempfile.TemporaryDirectory(prefix="mlq-all-") as folder:
        Path(folder).chmod(0o755)
        home = Path(folder, "home")
        home.mkdir(mode=0o700)
        try:
            yield Limited(person, copy_mlq(Path(folder) / "venv"), home)
        finally:
            person.kill_all()


def test_it_can_be_cancelled_and_others_run(limited: Limited) -> None:
    limited.start()
    worker = limited.mlq("worker", "status").splitlines()[0]
    assert "process" in worker
    bomb = limited.mlq("enqueue", "--", "sh", "-c", BOMB)
    wait_for(lambda: not limited.has_room(), what="it to have all processes")
    after = limited.mlq("enqueue", "-c", "1", "--", "true")
    # Between two forks of the bomb it may even find room.
    said = ("starts no more processes", "it is finished")
    wait_for(lambda: any(one in limited.mlq("explain", after) for one in said), what="the reason")
    limited.mlq("cancel", bomb)
    wait_for(lambda: limited.view(bomb)["state"] == "canceled", what="its end")
    wait_for(limited.has_room, what="room for others")
    wait_for(lambda: limited.view(after)["state"] == "finished", what="the next")
    assert (limited.view(after)["losses"], limited.view(after)["failures"]) == (0, 0)
    assert limited.mlq("worker", "status").splitlines()[0] == worker
    limited.mlq("worker", "stop")
    limited.mlq("server", "stop")
