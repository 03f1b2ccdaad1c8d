"""Worksheets of the old format that are numbers."""

data = b'{"worksheets": [1, 2], "nbformat": 3, "metadata": {}}'
