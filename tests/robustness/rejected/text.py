"""Text."""

data = b"hello"
