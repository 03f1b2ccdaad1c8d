"""Start as many threads as one process may, for a limit on all processes together."""
# expect: limit
# reported: more processes or threads

import threading
import time

threading.stack_size(65536)
for _ in range(1500):
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
time.sleep(5)
