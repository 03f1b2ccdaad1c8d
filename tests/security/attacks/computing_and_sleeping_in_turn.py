"""Compute and sleep in turn, so that neither clock alone runs out soon."""
# expect: hang
# place: answer
# takes: long

import time

while True:
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass
    time.sleep(0.05)
