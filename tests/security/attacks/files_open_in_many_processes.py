"""Open as many files as each process may in many processes, pipes filled to the brim."""
# expect: limit
# reported: more files open

import fcntl
import os
import time

for _ in range(20):
    if os.fork() == 0:
        try:
            while True:
                reading, writing = os.pipe()
                os.set_blocking(writing, False)
                os.write(writing, b"x" * 4096)
        except OSError:
            pass
        time.sleep(120)
        os._exit(0)
time.sleep(120)
