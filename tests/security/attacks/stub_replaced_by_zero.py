"""Make the recording stub of the model return zeros."""

import utils.checks.stubs as s

s.RandomField.__call__ = lambda self, x, *o: x * 0
