"""Leave a folder 3,000 levels deep, with names that cannot be encoded and no permissions, for the next cleaning."""

import os

os.chdir("/tmp/work")
for _ in range(3000):
    os.mkdir(b"\xff\n" + b"d" * 20)
    os.chdir(b"\xff\n" + b"d" * 20)
os.chdir("/tmp")
os.mkdir("/tmp/closed")
os.mkdir("/tmp/closed/inner")
os.chmod("/tmp/closed/inner", 0)
os.chmod("/tmp/closed", 0)
os.chmod("/tmp", 0)
