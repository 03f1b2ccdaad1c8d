"""Open sockets that leave the network namespace or reach the kernel: vsock, netlink, packet, the crypto interface."""

import socket

for family in (40, 16, 17, 38, 29, 31, 44, 30, 9, 4):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
        try:
            socket.socket(family, kind)
            print("OPENED", family, kind)
        except OSError as e:
            print(e)
