"""Fill shared memory from several processes: released pages do not count for a process, but still fill the machine."""
# expect: limit
# reported: more memory

import mmap
import os
import time

for _ in range(4):
    if os.fork() == 0:
        m = mmap.mmap(-1, 300 << 20)
        for i in range(0, 300 << 20, 1 << 20):
            m[i : i + (1 << 20)] = b"x" * (1 << 20)
            m.madvise(mmap.MADV_DONTNEED, i, 1 << 20)
        time.sleep(5)
        os._exit(0)
time.sleep(5)
