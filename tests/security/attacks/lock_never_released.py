"""Wait for a lock that nobody releases: no processor time is used."""
# expect: hang
# place: answer
# takes: long

import threading

_lock = threading.Lock()
_lock.acquire()
_lock.acquire()
