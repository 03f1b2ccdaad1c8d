"""Three million empty objects in place of cells: they took 1 GB in the grader's own process."""

data = b'{"cells": [' + b"{}," * 3_000_000 + b"{}]}"
