"""Fill shared memory from newly started programs, which map less than the template does."""
# expect: limit
# reported: more memory

import subprocess
import sys
import time

CODE = """
import mmap, time
m = mmap.mmap(-1, 300 << 20)
for i in range(0, 300 << 20, 1 << 20):
    m[i : i + (1 << 20)] = b"x" * (1 << 20)
    m.madvise(mmap.MADV_DONTNEED, i, 1 << 20)
time.sleep(60)
"""
for _ in range(4):
    subprocess.Popen([sys.executable, "-S", "-c", CODE])
time.sleep(60)
