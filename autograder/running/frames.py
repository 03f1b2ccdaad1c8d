"""Read the frames that come out of the sandbox. None of their bytes is trusted, so every number is bounded."""

from __future__ import annotations

import json
import select
import socket

from autograder.running.limits import Limits
from autograder.running.watch import WATCH_S, Watch

MAX_HEADER = 65536  # bytes
MAX_PAYLOADS = 2


class Frames:
    """The frames of one channel.

    Args:
        channel: the socket that the child writes to.
        control: the template's socket, which says when the child has died.
        limits: bytes and number of frames that are accepted.
        expected: the number of frames that the request itself causes, on top of `limits.frames`.
        watch: counts meanwhile what the run uses, and keeps its clocks.
    """

    def __init__(self, channel: socket.socket, control: socket.socket, limits: Limits, expected: int, watch: Watch):
        self.channel, self.control, self.limits, self.watch = channel, control, limits, watch
        self.most = limits.frames + expected
        self.buffer = bytearray()
        self.total = self.count = 0
        self.dead = False

    def next(self) -> tuple[dict, list[bytes]] | str:
        """Return the next frame, or why there is none.

        Returns:
            The header and its payloads; or "death", "flood", or what the watch says, such as "timeout".
        """
        while (line_end := self.buffer.find(b"\n", 0, MAX_HEADER)) < 0:
            if len(self.buffer) > MAX_HEADER:
                return "flood"
            if why := self.fill():
                return why
        header = self.read_header(self.buffer[:line_end])
        self.count += 1
        if header is None or self.count > self.most:
            return "flood"
        sizes = header["sizes"]
        end = line_end + 1 + sum(sizes)
        while len(self.buffer) < end:
            if why := self.fill():
                return why
        payloads, start = [], line_end + 1
        for size in sizes:
            payloads.append(bytes(self.buffer[start : start + size]))
            start += size
        del self.buffer[:end]
        return header, payloads

    def read_header(self, line: bytes | bytearray) -> dict | None:
        """Return a frame's header; None if it is malformed or announces too much."""
        try:
            header = json.loads(line)
            sizes = header["sizes"]
        except (ValueError, TypeError, KeyError, RecursionError):
            return None
        fits = (
            isinstance(sizes, list)
            and len(sizes) <= MAX_PAYLOADS
            and all(type(size) is int and 0 <= size <= self.limits.frame_bytes for size in sizes)
        )
        return header if fits else None

    def fill(self) -> str:
        """Read more bytes, and return "" or why there are none. A dead child's last bytes are still read."""
        while True:
            if why := self.watch.look():
                return why
            watched = [self.channel] if self.dead else [self.channel, self.control]
            ready, _, _ = select.select(watched, [], [], 0 if self.dead else WATCH_S)
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
