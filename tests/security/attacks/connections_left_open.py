"""Leave half-closed connections behind, which outlive their processes and keep ports from the next submission."""
# takes: long

import socket

server = socket.create_server(("127.0.0.1", 5005))
for _ in range(20):
    client = socket.create_connection(("127.0.0.1", 5005))
    other, _ = server.accept()
    other.close()
    client.close()
