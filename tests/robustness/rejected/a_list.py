"""A list."""

data = b"[]"
