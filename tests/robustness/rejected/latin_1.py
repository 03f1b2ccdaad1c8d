"""Latin-1."""

data = '{"cells": [], "x": "é"}'.encode("latin-1")
