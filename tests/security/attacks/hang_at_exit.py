"""Sleep when the interpreter exits."""
# expect: hang
# place: before

import atexit
import time

atexit.register(time.sleep, 600)
