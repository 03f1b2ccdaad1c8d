"""Leave thousands of ended processes unreaped."""
# expect: limit
# reported: more processes

import os
import time

for _ in range(3000):
    try:
        if os.fork() == 0:
            os._exit(0)
    except OSError:
        break
time.sleep(60)
