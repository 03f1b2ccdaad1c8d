"""Fill the buffers of many socket pairs: that memory belongs to no process."""
# expect: limit
# reported: more sockets

import socket
import time

kept = []
for _ in range(110):
    pair = socket.socketpair()
    kept.append(pair)
    for end in pair:
        end.setblocking(False)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 24)
        try:
            while True:
                end.send(b"x" * 65536)
        except BlockingIOError:
            pass
time.sleep(60)
