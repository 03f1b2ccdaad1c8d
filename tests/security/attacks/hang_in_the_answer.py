"""Sleep while the cell of an answer runs."""
# expect: hang
# place: answer

import time

time.sleep(600)
