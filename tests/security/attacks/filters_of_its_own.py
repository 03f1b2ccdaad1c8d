"""Fill the kernel's memory with filters of calls and rules for files, one set for each of many threads."""

import ctypes
import os
import platform
import struct
import threading
import time

libc = ctypes.CDLL(None, use_errno=True)
seccomp = {"x86_64": 317, "aarch64": 277}[platform.machine()]
lines = struct.pack("HBBI", 0, 0, 0, 0) * 4095 + struct.pack("HBBI", 6, 0, 0, 0x7FFF0000)
program = ctypes.create_string_buffer(lines, len(lines))
heading = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", 4096, ctypes.addressof(program)), 16)
made = []


def fill():
    libc.prctl(38, 1, 0, 0, 0)
    while libc.syscall(seccomp, 1, 0, heading) == 0 or libc.prctl(22, 2, heading) == 0:
        made.append(1)
    while libc.syscall(444, ctypes.create_string_buffer(struct.pack("Q", 4), 8), 8, 0) >= 0:
        made.append(1)
    time.sleep(2)


threading.stack_size(65536)
threads = [threading.Thread(target=fill) for _ in range(50)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(made), os.strerror(ctypes.get_errno()))
