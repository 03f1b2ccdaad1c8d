"""Html."""

data = b"<html></html>"
