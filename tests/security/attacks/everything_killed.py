"""Kill every process that this process may kill."""

import os
import signal

os.kill(-1, signal.SIGKILL)
