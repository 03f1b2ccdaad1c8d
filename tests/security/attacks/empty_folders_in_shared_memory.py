"""Create folders without end in the shared memory."""
# expect: limit
# reported: more files

import os

for number in range(10**6):
    os.mkdir(f"/dev/shm/{number}")
