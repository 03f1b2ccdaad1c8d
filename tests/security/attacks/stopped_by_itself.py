"""Stop the whole process group by a signal that cannot be ignored, so that nothing ever runs again."""
# expect: hang
# place: answer
# takes: long

import os
import signal

os.killpg(0, signal.SIGSTOP)
