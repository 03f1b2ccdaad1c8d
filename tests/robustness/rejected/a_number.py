"""A number."""

data = b"5"
