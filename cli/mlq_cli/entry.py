"""Where the installed script `mlq` begins.

Until the command itself runs, Ctrl-C must end the process silently, as it ends any program: to load
the first modules takes a while, and Python would print a traceback of where it was in them.
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
