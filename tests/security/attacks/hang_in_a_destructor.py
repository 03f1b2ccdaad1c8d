"""Loop without end in the destructor of an object."""
# expect: hang
# place: answer
# takes: long


class D:
    def __del__(self):
        while True:
            pass


keep = D()
del keep
