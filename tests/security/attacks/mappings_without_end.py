"""Map 65,000 single pages in each of many processes: the kernel's record of each is larger than what is counted."""
# expect: limit
# reported: more memory
# takes: long

import ctypes
import os
import time

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
for _ in range(20):
    if os.fork() == 0:
        number = 0
        while libc.mmap(None, 4096, 1 + 2 * (number % 2), 0x22, -1, 0) not in (None, 2**64 - 1):
            number += 1
        time.sleep(600)
time.sleep(600)
