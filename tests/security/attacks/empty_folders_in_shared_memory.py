"""Create folders without end in the shared memory."""
# expect: limit
# reported: more files
# takes: long

import os

for number in range(10**6):
    os.mkdir(f"/dev/shm/{number}")
