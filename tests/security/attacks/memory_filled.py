"""Allocate memory without end."""

x = []
while True:
    x.append(bytearray(64 << 20))
