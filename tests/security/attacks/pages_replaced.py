"""Replace what was inherited: pages that a child has overwritten are its own, and its size stays the same."""

import ctypes
import os
import time

for _ in range(8):
    if os.fork() == 0:
        for line in open("/proc/self/maps"):
            span, rights, *rest = line.split()
            if rights == "rw-p" and len(rest) == 3:
                start, end = (int(number, 16) for number in span.split("-"))
                for place in range(start, end, 4096):
                    try:
                        byte = ctypes.c_ubyte.from_address(place)
                        byte.value = byte.value
                    except Exception:
                        break
        time.sleep(5)
        os._exit(0)
time.sleep(5)
