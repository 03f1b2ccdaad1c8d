"""Cells are text."""

data = b'{"cells": "all of them"}'
