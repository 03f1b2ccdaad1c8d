"""Create empty files without end: they take no space in a file system, but memory in the kernel."""
# expect: limit
# reported: more files

import os

for folder in range(1000):
    os.makedirs(f"/tmp/f{folder}", exist_ok=True)
    for number in range(1000):
        open(f"/tmp/f{folder}/{number}", "w").close()
