"""Start thousands of processes."""

import os

for _ in range(2000):
    try:
        if os.fork() == 0:
            import time

            time.sleep(600)
    except OSError:
        break
