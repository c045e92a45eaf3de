"""The supervisor starts whatever it is told to, so it listens to its own user alone.

Its socket is 0600 in a 0700 folder. Here both are open to all, as after a careless `chmod -R`: who
is at the other end of a connection the kernel says, and that cannot be opened by accident.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from people import Person, strangers
from supervising import Bench
from waiting import wait_for

from mlq_worker.ipc.messages import PROTOCOL

pytestmark = pytest.mark.root
# Says hello and gives an order; tells whether it got an answer.
VISIT = """
import socket, sys
with socket.socket(socket.AF_UNIX) as one:
    one.settimeout(20)
    one.connect(sys.argv[1])
    try:
        one.sendall(sys.argv[2].encode())
        print("answered" if one.recv(1) else "closed")
    except ConnectionError:
        print("closed")
"""


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A supervisor that everybody can get at."""
    folder = Path(tempfile.mkdtemp(prefix="mlq-"))
    bench = Bench(folder)
    try:
        for path in (folder, bench.runtime, bench.runtime / "supervisor.sock"):
            path.chmod(0o777)
        yield bench
    finally:
        bench.end()
        shutil.rmtree(folder)


def visit(bench: Bench, person: Person | None) -> str:
    order = bench.order("1", "/bin/sh", "-c", 'touch "$HERE/ran"')
    words = [{"op": "hello", "protocol": PROTOCOL}, {"op": "start", "orders": [order]}]
    text = "".join(json.dumps(one) + "\n" for one in words)
    argv = ["/usr/bin/python3", "-I", "-c", VISIT, str(bench.runtime / "supervisor.sock"), text]
    if person is not None:
        return person.run(argv).stdout.strip()
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_another_user_is_shown_out_and_the_worker_stays(bench: Bench) -> None:
    assert visit(bench, strangers()[1]) == "closed"
    # The worker was not replaced: it is still listened to, and told of the end.
    bench.python("2", "print('of the worker')")
    assert bench.result("2")["exit_code"] == 0
    assert not (bench.root.parent / "ran").exists()


def test_the_same_visit_of_its_own_user_works(bench: Bench) -> None:
    # Else the test before would prove nothing.
    assert visit(bench, None) == "answered"
    wait_for((bench.root.parent / "ran").exists, what="what it ordered")
