"""The job that the scenarios run: it says every 50 ms, on a disk that never fails, that it runs.

`python ticker.py SECONDS [nfs]` appends CLOCK_MONOTONIC, which is the same on all machines of one
box, to /spool/ticks/JOB.ATTEMPT, for so long. With `nfs` the whole seconds already spent are kept
in its checkpoint folder, so that a later attempt goes on where this one was; without, it touches
NFS not at all, not even by a word of output. A paused job ticks as little as one that was killed,
so what truly ran when can be told from the ticks.
"""

import os
import sys
import time

_TICK_S = 0.05


def main(seconds: float, *, checkpoints: bool) -> None:
    """Tick for so many seconds."""
    attempt = f"{os.environ['MLQ_JOB_ID']}.{os.environ['MLQ_ATTEMPT']}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    ticks = os.open(f"/spool/ticks/{attempt}", flags, 0o600)
    done = _found() if checkpoints else 0
    if checkpoints:
        print(f"attempt {attempt} goes on at {done}", flush=True)
    last = int(done / _TICK_S)
    for tick in range(last, int(seconds / _TICK_S)):
        os.write(ticks, f"{time.monotonic():.3f}\n".encode())
        time.sleep(_TICK_S)
        if checkpoints and (tick + 1) * _TICK_S % 1 < _TICK_S:
            _save(int((tick + 1) * _TICK_S))


def _found() -> int:
    try:
        with open(_checkpoint()) as file:
            return int(file.read())
    except FileNotFoundError:
        return 0


def _save(seconds: int) -> None:
    with open(f"{_checkpoint()}.new", "w") as file:
        file.write(str(seconds))
    os.rename(f"{_checkpoint()}.new", _checkpoint())


def _checkpoint() -> str:
    return os.path.join(os.environ["MLQ_CHECKPOINT_DIR"], "seconds")


if __name__ == "__main__":
    main(float(sys.argv[1]), checkpoints="nfs" in sys.argv[2:])
