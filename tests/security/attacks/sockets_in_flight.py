"""Send sockets through sockets and close them: they live on in a queue without being open anywhere."""
# expect: limit
# reported: more sockets

import socket
import time

ours, theirs = socket.socketpair()
for _ in range(120):
    a, b = socket.socketpair()
    for end in (a, b):
        end.setblocking(False)
        try:
            while True:
                end.send(b"x" * 65536)
        except BlockingIOError:
            pass
    socket.send_fds(ours, [b"x"], [a.fileno(), b.fileno()])
    a.close()
    b.close()
time.sleep(60)
