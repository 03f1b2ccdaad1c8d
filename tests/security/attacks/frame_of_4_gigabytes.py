"""Announce a frame of four gigabytes."""
# uses: forge

for fd in channels():
    os.write(fd, b'{"kind": "cell", "sizes": [4294967296]}\n')
