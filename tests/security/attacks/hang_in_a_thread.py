"""Keep the process alive with a sleeping thread."""
# expect: hang
# place: before

import threading
import time

threading.Thread(target=time.sleep, args=(600,)).start()
