"""Fill the shared memory."""

f = open("/dev/shm/fill", "wb")
try:
    while True:
        f.write(b"0" * (1 << 20))
except OSError as e:
    print(e)
