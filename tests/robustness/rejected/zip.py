"""Zip."""

data = b"PK\x03\x04" + b"\0" * 100
