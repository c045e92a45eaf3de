"""A worker without a queue, for tests of how one is started, stopped and watched.

    python worker_daemon.py BEHAVIOUR FOLDER MACHINE OPTIONS

It holds the lock, says it is ready and obeys signals as the real one does, with real processes on
both sides. BEHAVIOUR: `good`; `refuses` ends with a message; `mute` ends without a word; `slow`
never gets ready.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from mlq_worker.service.lock import held
from mlq_worker.service.notify import Notifier

SIGNALS = {signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2}


def main(behaviour: str, folder: Path, machine: str, options: str) -> int:
    if behaviour == "refuses":
        sys.stderr.write("the queue does not answer; is it started?\n")
        return 1
    if behaviour == "mute":
        os.kill(os.getpid(), signal.SIGKILL)
    notify = Notifier.taken_from(os.environ, folder / "worker.status")
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    if behaviour == "slow":
        notify.status("waiting for NFS")
        signal.sigwait(SIGNALS)
        return 0
    with held(folder, machine):
        (folder / "options").write_text(options)
        (folder / "session").write_text(f"{os.getsid(0)} {os.getpid()}")
        notify.ready("4 cores, 8G, no GPU")
        number = signal.Signals(signal.sigwait(SIGNALS))
        (folder / "heard").write_text(number.name)
        if number is signal.SIGUSR1:
            notify.status("draining: 2 jobs run")
            # A drain lasts as long as its jobs: until the test lets them end.
            with (folder / "jobs_end").open() as fifo:
                fifo.read()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:]))
