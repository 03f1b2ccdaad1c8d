"""Fill the buffers of many connections to oneself."""
# expect: limit
# reported: more sockets
# takes: long

import socket
import time

server = socket.create_server(("127.0.0.1", 0))
kept = []
for _ in range(60):
    client = socket.create_connection(server.getsockname())
    other, _ = server.accept()
    kept += [client, other]
    client.setblocking(False)
    try:
        while True:
            client.send(b"x" * 65536)
    except BlockingIOError:
        pass
time.sleep(60)
