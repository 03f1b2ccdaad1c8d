"""Fill files that have no name any more, so that cleaning finds nothing."""

import os

kept = []
try:
    for number in range(200):
        f = open(f"/tmp/{number}", "wb")
        os.unlink(f"/tmp/{number}")
        kept.append(f)
        for _ in range(64):
            f.write(b"x" * (1 << 20))
            f.flush()
except OSError as e:
    print(e)
kept.clear()
