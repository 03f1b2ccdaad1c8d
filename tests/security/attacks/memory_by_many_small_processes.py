"""Share 2 GB among sixty processes, each of them small."""
# expect: limit
# reported: more memory

import os
import time

for _ in range(50):
    if os.fork() == 0:
        x = bytearray(40 << 20)
        for i in range(0, len(x), 4096):
            x[i] = 1
        time.sleep(60)
        os._exit(0)
time.sleep(60)
