"""Connect to a server."""

import socket

s = socket.socket()
s.settimeout(2)
try:
    s.connect(("127.0.0.1", 80))
except OSError as e:
    print(e)
