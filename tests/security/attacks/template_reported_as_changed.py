"""Have the template replaced in every run, by sockets that outlive it, to make the class slow."""

import socket

a = socket.create_server(("127.0.0.1", 0))
b = socket.create_connection(a.getsockname())
c, _ = a.accept()
c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\xff\0\0\0")
c.send(b"x" * 1000)
b.close()
c.close()
