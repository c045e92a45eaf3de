"""Another user switches mlq off on a machine with a real worker: what its user sees, what is lost.

Also with the worker killed and the queue away: the supervisor alone looks.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from leftovers import kill_all
from people import Person, strangers
from sandbox import Sandbox, new_sandbox
from supervising import is_stopped
from waiting import wait_for

TRAINS = """\
trap 'echo saved; exit 0' TERM
echo $$ > pid-$MLQ_ATTEMPT
while :; do sleep 0.1; done
"""


class Desk:
    """A machine whose user runs a job, and a stranger at its desk."""

    def __init__(self, sandbox: Sandbox, stranger: Person) -> None:
        self.sandbox, self.stranger = sandbox, stranger
        self.shared = Path(sandbox.environ["MLQ_SHARED_DIR"])
        self.shared.chmod(0o1777)
        sandbox.folder.chmod(0o711)
        (sandbox.folder / "train.sh").write_text(TRAINS)
        self.worker("mine")  # the tests beside this one must not keep the job waiting
        self.job = sandbox.ok("enqueue", "--mem", "50M", "--", "bash", "train.sh").strip()
        self.first = self.pid(1)
        self.worker("polite")

    def worker(self, guest: str) -> None:
        """Have a worker of this mode in the place of the one that runs."""
        self.sandbox.run("worker", "stop")
        self.sandbox.ok("worker", "start", "--gpus", "none", "--guest", guest)

    def pid(self, attempt: int) -> int:
        path = self.sandbox.folder / f"pid-{attempt}"
        return int(wait_for(lambda: path.exists() and path.read_text(), what=f"attempt {attempt}"))

    def shown(self, *words: str) -> dict[str, Any]:
        (found,) = json.loads(self.sandbox.ok(*words, "--json"))
        return dict(found)

    def switch_off(self) -> None:
        done = self.stranger.run(["touch", str(self.shared / "mlq-off")])
        assert done.returncode == 0, done.stderr


@pytest.fixture
def desk() -> Iterator[Desk]:
    stranger, _ = strangers()
    with new_sandbox() as sandbox:
        sandbox.start_server()
        try:
            yield Desk(sandbox, stranger)
        finally:
            sandbox.stop_server()
            kill_all(sandbox.folder)


@pytest.mark.slow
def test_a_job_pauses_is_handed_back_and_goes_on_later(desk: Desk) -> None:
    desk.switch_off()
    wait_for(lambda: is_stopped(desk.first), what="the pause")
    said = f"off by {desk.stranger.uid} until "
    paused = wait_for(
        lambda: (one := desk.shown("ls", desk.job))["paused_by"] and one, what="the news"
    )
    assert paused["paused_by"] == ["off"]
    assert f"paused: {said}" in desk.sandbox.ok("ls")
    assert f"(paused: {said}" in desk.sandbox.ok("explain", desk.job)
    assert said in desk.sandbox.ok("machines")
    back = wait_for(
        lambda: (one := desk.shown("show", desk.job))["state"] == "queued" and one,
        120,
        what="its way back into line",
    )
    assert back["reason"] == f"handed back: {desk.stranger.uid} has switched mlq off on desk"
    assert desk.sandbox.ok("logs", desk.job).endswith("saved\n")
    assert said in desk.sandbox.ok("explain", desk.job)
    desk.worker("mine")  # to it the stranger's switch means nothing
    desk.pid(2)
    again = desk.shown("show", desk.job)
    assert (again["state"], again["attempt"]) == ("started", 2)
    assert (again["failures"], again["losses"]) == (0, 0)
    desk.sandbox.ok("cancel", desk.job)


@pytest.mark.slow
def test_it_pauses_with_worker_and_queue_away(desk: Desk) -> None:
    worker = desk.sandbox.folder / "run" / "mlq" / "m" / "desk" / "worker.pid"
    os.kill(int(worker.read_text()), signal.SIGKILL)
    desk.sandbox.stop_server()
    desk.switch_off()
    wait_for(lambda: is_stopped(desk.first), what="the pause")
    (desk.shared / "mlq-off").rename(desk.shared / "over")
    wait_for(lambda: not is_stopped(desk.first), what="the end of it")
