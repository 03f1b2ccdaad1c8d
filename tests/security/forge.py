"""What attacks use that send evidence themselves: the channel is found among the open file descriptors.

The source of this file is put before an attack that says `# uses: forge`.
"""

import json
import os
import socket  # noqa: F401  # for the attacks
import stat

NO_TENSORS = b"\x02\0\0\0\0\0\0\0{}"


def channels() -> list[int]:
    """Return the descriptors of all open sockets."""
    found = []
    for fd in range(3, 256):
        try:
            if stat.S_ISSOCK(os.fstat(fd).st_mode):
                found.append(fd)
        except OSError:
            pass
    return found


def send(name: str, text: bytes, tensors: bytes, copies: int = 1) -> None:
    """Write a frame with evidence of an exercise to every socket."""
    head = json.dumps({"kind": "evidence", "sizes": [len(text), len(tensors)], "name": name}).encode() + b"\n"
    for fd in channels():
        for _ in range(copies):
            try:
                os.write(fd, head + text + tensors)
            except OSError:
                break
