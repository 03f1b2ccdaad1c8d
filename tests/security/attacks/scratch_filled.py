"""Fill the scratch folder."""

f = open("/tmp/fill", "wb")
try:
    while True:
        f.write(b"0" * (1 << 20))
except OSError as e:
    print(e)
