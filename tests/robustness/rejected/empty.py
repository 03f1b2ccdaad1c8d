"""Empty."""

data = b""
