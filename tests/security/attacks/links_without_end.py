"""Create links without end: symbolic ones, and many names for one file."""
# expect: limit
# reported: more files

import os

open("/tmp/one", "w").close()
for number in range(10**6):
    os.symlink("x" * 200, f"/tmp/s{number}")
    os.link("/tmp/one", f"/tmp/h{number}")
