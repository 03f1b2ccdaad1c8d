"""Loop without end in the last cell."""
# expect: hang
# place: after

while True:
    pass
