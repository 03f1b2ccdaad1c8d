"""Read what comes out of the sandbox: frames on one channel, with every number bounded."""

from __future__ import annotations

import json
import select
import socket
import time

from autograder.running.limits import Limits
from autograder.running.watch import WATCH_S, Watch


class Frames:
    """The frames of one channel, with every number bounded."""

    def __init__(self, channel: socket.socket, control: socket.socket, limits: Limits, expected: int, watch: Watch):
        self.channel, self.control, self.limits, self.watch = channel, control, limits, watch
        self.most = limits.frames + expected
        self.buffer = bytearray()
        self.total = self.count = 0
        self.dead = False

    def next(self, deadline: float) -> tuple[dict, list[bytes]] | str:
        """The next frame, or why there is none: timeout, death, flood, processes, memory."""
        while True:
            line_end = self.buffer.find(b"\n", 0, 65536)
            if line_end >= 0:
                break
            if len(self.buffer) > 65536:
                return "flood"
            if why := self.fill(deadline):
                return why
        try:
            header = json.loads(self.buffer[:line_end])
            sizes = header["sizes"]
        except (ValueError, TypeError, KeyError, RecursionError):
            return "flood"
        self.count += 1
        if (
            not isinstance(sizes, list)
            or len(sizes) > 2
            or any(type(s) is not int or not 0 <= s <= self.limits.frame_bytes for s in sizes)
            or self.count > self.most
        ):
            return "flood"
        end = line_end + 1 + sum(sizes)
        while len(self.buffer) < end:
            if why := self.fill(deadline):
                return why
        payloads, at = [], line_end + 1
        for size in sizes:
            payloads.append(bytes(self.buffer[at : at + size]))
            at += size
        del self.buffer[:end]
        return header, payloads

    def fill(self, deadline: float) -> str:
        """Read more. A dead child's last bytes are still read."""
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return "timeout"
            if why := self.watch.look():
                return why
            watched = [self.channel] if self.dead else [self.channel, self.control]
            ready, _, _ = select.select(watched, [], [], 0 if self.dead else min(left, WATCH_S))
            if self.channel in ready:
                data = self.channel.recv(1 << 20)
                self.total += len(data)
                if self.total > self.limits.total_bytes:
                    return "flood"
                self.buffer += data
                return "" if data else "death"
            if self.dead:
                return "death"
            if self.control in ready:
                self.control.recv(16)
                self.dead = True
