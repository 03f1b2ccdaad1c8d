"""Make namespaces of one's own by the calls that need no filterable name: clone with flags, and clone3."""

import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
for flags in (0x10000000, 0x20000000, 0x00020000, 0x40000000, 0x10000000 | 0x20000000 | 0x00020000):
    pid = libc.syscall(56, flags | 17, 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    print("CLONED" if pid > 0 else os.strerror(ctypes.get_errno()))
arguments = (ctypes.c_uint64 * 11)(0x10000000, 0, 0, 0, 17)
pid = libc.syscall(435, ctypes.byref(arguments), ctypes.sizeof(arguments))
if pid == 0:
    os._exit(0)
print("CLONED" if pid > 0 else os.strerror(ctypes.get_errno()))
