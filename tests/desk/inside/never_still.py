"""Fails as soon as a process of the ticker has stood still. Argument: for how long it looks.

Emulated processes may wait for a core for a second; whoever is stopped for somebody at the desk
stands still for several.
"""

import sys
import time
from pathlib import Path

STILL_S = 2.5

print("ready", flush=True)
end = time.time() + float(sys.argv[1])
while time.time() < end:
    texts = [note.read_text() for note in Path("/dev/shm/ticks").iterdir()]
    still_s = max(time.time() - float(text) for text in texts if text)
    if still_s > STILL_S:
        sys.exit(f"it stood still for {still_s:.1f} s")
    time.sleep(0.25)
