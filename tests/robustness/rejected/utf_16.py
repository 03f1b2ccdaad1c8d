"""Utf-16."""

import json

import nbformat

data = json.dumps(nbformat.v4.new_notebook()).encode("utf-16")
