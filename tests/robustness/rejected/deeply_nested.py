"""Deeply nested."""

data = b"[" * 100_000
