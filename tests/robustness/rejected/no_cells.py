"""No cells."""

data = b"{}"
