"""Waits until the queue says this of a job. Arguments: its id, a JSON object, and for how long.

One process for the whole wait: each `mlq ls` takes seconds here, in which it keeps a core busy, and
jobs make room for that. Prints what is said last, as `mlq ls --json` does, and fails if in vain.
"""

import json
import sys
import time

from mlq import Queue

job, wanted, patience_s = sys.argv[1], json.loads(sys.argv[2]), float(sys.argv[3])
queue = Queue.connect()
end = time.monotonic() + patience_s
while True:
    (one,) = queue.with_conditions(queue.views([job]))
    view = json.loads(json.dumps(one.as_json()))
    holds = all(view.get(key) == value for key, value in wanted.items())
    if holds or time.monotonic() > end:
        break
    time.sleep(1)
print(json.dumps(view))
sys.exit(not holds)
