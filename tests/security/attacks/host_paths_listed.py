"""List the folders and files of the host."""

import os

for p in ("/root", "/home", "/etc/shadow", "/etc/passwd", "/var", "/sys"):
    try:
        print(p, os.listdir(p) if os.path.isdir(p) else open(p).read())
    except OSError as e:
        print(p, e)
