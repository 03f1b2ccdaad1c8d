"""Loop without end."""

while True:
    pass
