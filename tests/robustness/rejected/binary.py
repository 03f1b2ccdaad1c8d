"""Binary."""

data = bytes(range(256)) * 10
