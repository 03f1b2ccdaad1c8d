"""Write to standard input, through which the template takes its orders."""

import os

for line in (b"ready\n", b"run\n", b"end\n", b'{"cpu_s": 0, "memory_kb": 0, "changed": []}\n'):
    try:
        os.write(0, line)
    except OSError:
        pass
try:
    os.set_blocking(0, False)
    print(os.read(0, 65536))
except OSError:
    pass
