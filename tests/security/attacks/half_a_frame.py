"""Write half a frame to the channel, then sleep."""
# uses: forge

import time

for fd in channels():
    os.write(fd, b'{"kind": "ce')
time.sleep(600)
