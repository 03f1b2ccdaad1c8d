"""Cells are numbers."""

data = b'{"cells": [1, 2], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
