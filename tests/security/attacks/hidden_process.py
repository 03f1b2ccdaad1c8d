"""Hide a process from the grader: forbid to read it, by a call and by a program that nobody may read."""
# takes: long

import ctypes
import mmap
import os
import shutil
import sys
import time

if os.fork() == 0:
    ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
    m = mmap.mmap(-1, 200 << 20)
    for i in range(0, 200 << 20, 4096):
        m[i] = 1
    time.sleep(2)
    os._exit(0)
shutil.copy("/bin/sleep", "/tmp/sleep")
os.chmod("/tmp/sleep", 0o111)
if os.fork() == 0:
    os.execv("/tmp/sleep", ["sleep", "2"])
time.sleep(3)
