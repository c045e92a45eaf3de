"""A process that takes memory. Arguments: how many MiB, and for how long it holds them."""

import os
import sys
import time

held = []
for _ in range(int(sys.argv[1])):
    held.append(os.urandom(1024) * 1024)
    if len(held) % 16 == 0:
        time.sleep(0.01)
print("held", flush=True)
time.sleep(float(sys.argv[2]))
print("lived", flush=True)
