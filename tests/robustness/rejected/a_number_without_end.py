"""A number of a million digits."""

data = b'{"cells": [], "x": ' + b"9" * 1_000_000 + b"}"
