"""`mlq top` on a laptop that reaches the queue through a tunnel and mounts no results root."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest
from ci import require
from laptop import new_laptop
from sandbox import Sandbox
from ssh_world import new_ssh_world
from typed_shell import typed_shell

from mlq.metrics.series import Point, line_of

pytestmark = [pytest.mark.one_server, pytest.mark.slow]


def test_a_tunnel_may_break_and_files_are_read_where_they_lie(installation: Sandbox) -> None:
    require(os.geteuid() == 0, "needs root, to hide the results root from a process")
    installation.start_server()
    root = installation.folder / "root"
    (root / "queue.json").write_text('{"queue": "q", "format": 1}')
    number = installation.submit(name="resnet")
    installation.claim(number, log=b"from afar\n")
    metrics = Path(installation.queue().layout.folder(number).metrics_file(1))
    metrics.write_bytes(b"".join(line_of(Point(n, 1.0, {"loss": float(n)})) for n in range(9)))
    client = installation.queue().store.client
    client.call("HSET", f"rq:job:{number}", "mlq_metrics", '{"loss":[8,8,0,0,8,8]}')
    with new_ssh_world() as world, new_laptop(installation, world) as laptop:
        environ = {**laptop.environ, "PS1": "$ ", "TERM": "xterm-256color"}
        hide = f"mount -t tmpfs none {shlex.quote(str(root))}"
        top = f"stty rows 24 cols 80; exec {laptop.program} top"
        shell = ["unshare", "-m", "sh", "-c", f"{hide} && {top}"]
        with typed_shell(shell, environ, laptop.folder) as typed:
            typed.until_shown("resnet")
            typed.until_shown("from afar")
            typed.until_shown("▁▂▃▄▅")
            laptop.queue_host.stop()
            typed.until_shown("no answer for")
            laptop.queue_host.start()
            installation.submit(name="afterwards")
            typed.until_shown("afterwards")
            typed.type("q")
            typed.until_shown("\x1b\\[\\?1049l")
