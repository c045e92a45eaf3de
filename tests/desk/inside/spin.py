"""Threads that keep cores busy. Arguments: how many processes, and for how long.

Prints the share of one core that each got.
"""

import multiprocessing
import sys
import time


def spin(span_s: float) -> float:
    """Keep a core busy for so long; return the share of it that was got."""
    end = time.monotonic() + span_s
    while time.monotonic() < end:
        pass
    return time.process_time() / span_s


if __name__ == "__main__":
    count, span_s = int(sys.argv[1]), float(sys.argv[2])
    with multiprocessing.Pool(count) as pool:
        for share in pool.map(spin, [span_s] * count, chunksize=1):
            print(f"{share:.2f}", flush=True)
