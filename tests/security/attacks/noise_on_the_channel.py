"""Write random bytes to the channel."""
# uses: forge

for fd in channels():
    os.write(fd, os.urandom(100000))
