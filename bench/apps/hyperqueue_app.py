"""HyperQueue: a server and a worker of two cores; one job of independent tasks, without output.

Its client looks for the end once a second only. So two more tasks of a lower priority, which start
when all others have been started, leave a file each; their time is about that of one job.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from common import WARM_UP
from hyperqueue import Job, LocalCluster
from hyperqueue.cluster import WorkerConfig


def run(cluster: LocalCluster, folder: Path, count: int) -> float:
    client = cluster.client()
    marks = [folder / f"{count}-{slot}" for slot in (1, 2)]
    began = time.perf_counter()
    job = Job()
    for _ in range(count):
        job.program(["true"], stdout=None, stderr=None)
    for mark in marks:
        job.program(["touch", str(mark)], stdout=None, stderr=None, priority=-1)
    submitted = client.submit(job)
    while not all(mark.exists() for mark in marks):
        time.sleep(0.002)
    took_s = time.perf_counter() - began
    client.wait_for_jobs([submitted])
    return took_s


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        cluster = LocalCluster(folder, WorkerConfig(cores=2))
        run(cluster, Path(folder), WARM_UP)
        print(run(cluster, Path(folder), int(sys.argv[1])))
        cluster.stop()
