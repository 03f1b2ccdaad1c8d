"""Nested cells."""

data = b'{"cells": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"
