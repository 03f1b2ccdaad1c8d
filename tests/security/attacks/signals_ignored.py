"""Ignore all signals and exceptions, and sleep."""

import signal
import time

for s in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
    signal.signal(s, signal.SIG_IGN)
while True:
    try:
        time.sleep(600)
    except BaseException:
        pass
