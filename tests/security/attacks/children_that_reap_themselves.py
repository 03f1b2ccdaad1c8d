"""Compute in short-lived children whose processor time nobody inherits, so that no clock counts it."""
# expect: hang
# place: answer
# takes: long

import os
import signal

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
while True:
    try:
        if os.fork() == 0:
            sum(range(10**5))
            os._exit(0)
    except OSError:
        pass
