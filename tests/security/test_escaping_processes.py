"""What an ordinary user's jobs leave behind, though nobody but root may read whose it is."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from people import Person, strangers
from sandbox import Sandbox
from victim import home_of, new_estate

pytestmark = pytest.mark.root

# What setproctitle does: the environment lies where the title is written.
RETITLED = (
    "import ctypes, os, time\n"
    "if os.fork(): os._exit(0)\n"
    "os.setsid()\n"
    "if os.fork(): os._exit(0)\n"
    "ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)\n"  # PR_SET_DUMPABLE: its /proc is root's now
    "open(os.environ['HOME'] + '/agent', 'w').write(str(os.getpid()))\n"
    "time.sleep(1000)\n"
)


@pytest.fixture
def owner() -> Person:
    """Who runs the jobs."""
    return strangers()[0]


@pytest.fixture
def home(owner: Person, everybodys_mlq: Path) -> Iterator[Sandbox]:
    """The owner's installation, with a worker on whose machine a job runs for long."""
    with new_estate() as estate:
        home = home_of(owner, estate / "home", everybodys_mlq)
        try:
            for words in (["server", "start"], ["worker", "start", "--cores", "2"]):
                done = home.run(*words)
                assert done.code == 0, done.err
            assert home.run("enqueue", "sleep", "999").code == 0
            yield home
        finally:
            home.run("worker", "stop", "--now")
            home.run("server", "stop")
            owner.kill_all()
            shutil.rmtree(f"/tmp/mlq-{owner.uid}", ignore_errors=True)


@pytest.mark.parametrize(
    "command",
    [
        ["sh", "-c", "eval $(ssh-agent); echo $SSH_AGENT_PID > $HOME/agent"],
        [sys.executable, "-c", RETITLED],
    ],
    ids=["ssh-agent", "not dumpable"],
)
def test_an_agent_ends_with_its_job_while_another_job_runs(
    home: Sandbox, owner: Person, command: list[str]
) -> None:
    agent = home.folder / "agent"
    if command[0] == sys.executable:
        command = [str(Path(home.program).with_name("python")), *command[1:]]
        until_it_runs = '"$@"; until [ -s $HOME/agent ]; do sleep 0.1; done'
        command = ["sh", "-c", until_it_runs, "x", *command]
    done = home.run("enqueue", "--wait", "--", *command)
    assert done.code == 0, done.out + done.err
    pid = int(agent.read_text())
    assert pid not in owner.processes()
    assert '"started"' in home.run("ls", "--json").out  # the other job
