"""Null."""

data = b"null"
