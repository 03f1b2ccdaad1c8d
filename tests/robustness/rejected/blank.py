"""Blank."""

data = b"  \n"
