"""A queue's host, and a laptop that does not mount its results root."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator

import pytest
from ci import require
from laptop import Laptop, new_laptop
from sandbox import Sandbox, new_sandbox
from ssh_world import new_ssh_world


@pytest.fixture
def home() -> Iterator[Sandbox]:
    """The queue's own host, where the root is."""
    with new_sandbox() as home:
        home.start_server()
        (home.folder / "root" / "queue.json").write_text('{"queue": "q", "format": 1}')
        yield home


@pytest.fixture(params=["openssh", "sshtunnel"])
def laptop(request: pytest.FixtureRequest, home: Sandbox) -> Iterator[Laptop]:
    """A laptop in whose view of the files there is another, empty folder in the root's place."""
    require(os.geteuid() == 0, "needs root, to hide the results root from a process")
    with new_ssh_world() as world, new_laptop(home, world, MLQ_TUNNEL=request.param) as laptop:
        hidden = shlex.quote(str(home.folder / "root"))
        program = laptop.folder / "mlq"
        program.write_text(
            "#!/bin/sh\n"
            f"exec unshare -m sh -c 'mount -t tmpfs none {hidden} && exec \"$@\"' sh"
            f' {laptop.program} "$@"\n'
        )
        program.chmod(0o700)
        laptop.program = program
        yield laptop
