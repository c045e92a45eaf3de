"""The worker's process in the background: `python -P -m mlq_worker MACHINE OPTIONS [keep-trying]`.

`mlq worker start` starts it (`service.start`), so its arguments need no parsing: the machine's name
and `WorkerOptions` as JSON. (`control.drain` starts it too, with `drained` for options: that
process waits for the end of a worker that drains.) It reports an error to the process that listens
for readiness, and as the last line of the log.
"""

from __future__ import annotations

import os
import sys

from mlq.errors import MlqError
from mlq.files.paths import machine_dir
from mlq.settings.load import load
from mlq_worker.agent.options import WorkerOptions
from mlq_worker.service.control import run, wait_for_drained
from mlq_worker.service.start import DRAINED, KEEP_TRYING


def main(machine: str, options: str, *more: str) -> int:
    """Run the worker; return the exit code."""
    try:
        settings = load(os.environ).settings._replace(machine=machine)
        folder = machine_dir(settings.runtime_dir, machine)
        if options == DRAINED:
            wait_for_drained(settings)
            return 0
        keep_trying = KEEP_TRYING in more
        log = folder / "worker.log"
        run(settings, WorkerOptions.from_json(options), log=log, keep_trying=keep_trying)
    except MlqError as error:
        sys.stderr.write("; ".join(str(error).split("\n  ")) + "\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
