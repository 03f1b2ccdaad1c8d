"""Stop all own processes with a signal, so that no clock of processor time runs."""
# expect: hang
# place: answer
# takes: long

import os
import signal

if os.fork() == 0:
    os.kill(os.getppid(), signal.SIGSTOP)
    signal.pause()
signal.pause()
