"""The demonstration when it is cut short; that it shows what it promises, `make demo` checks."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from ci import require
from leftovers import processes_of

DEMO = Path(__file__).parents[2] / "examples" / "demo.py"


def test_ctrl_c_leaves_nothing_running() -> None:
    require(find_spec("sklearn"), "scikit-learn")
    demo = subprocess.Popen(
        [sys.executable, str(DEMO)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        assert demo.stdout
        printed = ""
        for line in demo.stdout:
            printed += line
            if "started on lab0" in line:
                break
        os.killpg(demo.pid, signal.SIGINT)  # as a terminal does
        rest, _ = demo.communicate(timeout=30)
    finally:
        demo.kill()
        demo.wait()
    assert demo.returncode == 130, printed + rest
    assert "Stopped; nothing is left running." in rest
    folder = re.search(r"/\S*mlq-demo-\w+", printed)
    assert folder
    assert not Path(folder[0]).exists()
    assert processes_of(folder[0]) == {}
