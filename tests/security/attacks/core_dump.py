"""Die with a core dump of the memory, and have the kernel's handler on the host read it."""

import os
import resource
import signal

try:
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
except (OSError, ValueError) as e:
    print(e)
if os.fork() == 0:
    os.kill(os.getpid(), signal.SIGSEGV)
os.wait()
