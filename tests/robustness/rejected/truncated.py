"""Truncated."""

data = b'{"cells": ['
