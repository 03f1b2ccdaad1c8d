"""A string of escaped quotes that never ends."""

data = b'{"cells": [], "x": "' + b'\\"' * 3_000_000 + b"\\"
