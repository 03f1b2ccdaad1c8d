"""Write random bytes to the channel."""
# uses: forge
# takes: long

for fd in channels():
    os.write(fd, os.urandom(100000))
