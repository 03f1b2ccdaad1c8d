"""Hold pages in pipes that no process maps any more."""

import fcntl
import mmap
import os

kept = []
try:
    for _ in range(100):
        reading, writing = os.pipe()
        kept.append((reading, writing))
        try:
            fcntl.fcntl(writing, 1031, 1 << 20)
        except OSError as e:
            print(e)
        os.set_blocking(writing, False)
        try:
            while True:
                os.write(writing, b"x" * 65536)
        except BlockingIOError:
            pass
except OSError as e:
    print(e)
