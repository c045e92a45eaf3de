"""Where the installed script `mlq` begins.

Until the command itself runs, Ctrl-C must end the process in silence, as it ends any program: the
modules that are loaded first take a while, and Python would print where it was in them.
"""

from __future__ import annotations

import signal
from typing import NoReturn


def script() -> NoReturn:
    """Run this process's command line, and end the process."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not ignored, as by nohup
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from mlq_cli.main import script as run

    run()


if __name__ == "__main__":
    script()
