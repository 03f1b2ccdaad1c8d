"""Announce new cells again and again, so that the clock of a cell never runs out."""
# uses: forge
# takes: long

import threading
import time


def announce():
    while True:
        for fd in channels():
            try:
                for index in range(80):
                    os.write(fd, b'{"kind": "start", "sizes": [], "index": %d}\n' % index)
            except OSError:
                pass
        time.sleep(1)


threading.Thread(target=announce, daemon=True).start()
time.sleep(10**6)
