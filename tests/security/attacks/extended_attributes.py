"""Store data in extended attributes of files in memory, which no size limit of a file counts."""

import os

open("/tmp/x", "w").close()
for number in range(5000):
    try:
        os.setxattr("/tmp/x", f"user.a{number}", b"x" * 60000)
    except OSError as e:
        print(e)
        break
