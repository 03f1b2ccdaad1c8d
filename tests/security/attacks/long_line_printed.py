"""Print 30 MB in one line."""

print("x" * 30_000_000)
