"""Reach the template by every way that sends a signal: queues, threads, process groups, handles, owners of files."""

import ctypes
import fcntl
import os
import signal
import socket

libc = ctypes.CDLL(None)
siginfo = (ctypes.c_int * 32)(signal.SIGTERM, 0, -1)
for number in range(1, 65):
    for call in (
        lambda: os.kill(1, number),
        lambda: libc.syscall(200, 1, number),
        lambda: libc.syscall(234, 1, 1, number),
        lambda: libc.syscall(129, 1, number, siginfo),
        lambda: libc.syscall(297, 1, 1, number, siginfo),
    ):
        try:
            call()
        except OSError:
            pass
try:
    signal.pidfd_send_signal(os.pidfd_open(1), signal.SIGKILL)
except OSError as e:
    print(e)
a, b = socket.socketpair()
try:
    fcntl.fcntl(a, fcntl.F_SETOWN, 1)
    fcntl.fcntl(a, 10, signal.SIGKILL)
    fcntl.fcntl(a, fcntl.F_SETFL, os.O_ASYNC)
    b.send(b"x")
except OSError as e:
    print(e)
