"""Read the outputs of a submission's cells as they arrive: bounded, in nbformat's shape, and as printable text.

Workers import this module, so it needs nothing but the standard library.
"""

from __future__ import annotations

import json

from autograder.text import replace_unprintable

MAX_OUTPUTS = 2000  # of a cell
MAX_TYPES = 20  # of an output
MAX_LINES = 200  # of a traceback
MAX_ITEMS = 1_500_000  # of the JSON. Of 1 MB that the runner keeps of a cell, each byte could be a comma
TOO_MANY = "[the outputs of this cell were left out: they have too many parts]\n"


def read_outputs(payload: bytes) -> dict:
    """Return a cell's outputs from a frame; outputs that nbformat does not know are dropped.

    The signs that begin an item are counted first: 16 MB of empty objects would take half a gigabyte of memory.

    Returns:
        `{"outputs": […], "execution_count": …}`
    """
    if sum(payload.count(sign) for sign in (b",", b"[", b"{")) > MAX_ITEMS:
        note = {"output_type": "stream", "name": "stderr", "text": TOO_MANY}
        return {"outputs": [note], "execution_count": None}
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError):
        document = None
    document = document if isinstance(document, dict) else {}
    outputs, count = document.get("outputs"), document.get("execution_count")
    kept = [read_output(output) for output in (outputs if isinstance(outputs, list) else [])[:MAX_OUTPUTS]]
    return {
        "outputs": [output for output in kept if output],
        "execution_count": count if type(count) is int and 0 < count < 2**31 else None,
    }


def read_output(output: object) -> dict | None:
    """Return one output with the keys that nbformat knows, or None."""
    if not isinstance(output, dict):
        return None
    kind = output.get("output_type")
    if kind == "stream":
        name = "stderr" if output.get("name") == "stderr" else "stdout"
        return {"output_type": kind, "name": name, "text": text(output.get("text"))}
    if kind == "error":
        lines = output.get("traceback")
        return {
            "output_type": kind,
            "ename": text(output.get("ename")),
            "evalue": text(output.get("evalue")),
            "traceback": [text(line) for line in lines[:MAX_LINES]] if isinstance(lines, list) else [],
        }
    if kind not in ("display_data", "execute_result") or not isinstance(output.get("data"), dict):
        return None
    data = {
        text(mime)[:100]: text(value)
        for mime, value in list(output["data"].items())[:MAX_TYPES]
        if isinstance(value, str)
    }
    kept = {"output_type": kind, "data": data, "metadata": {}}
    if kind == "execute_result":
        count = output.get("execution_count")
        kept["execution_count"] = count if type(count) is int else None
    return kept


def text(value: object) -> str:
    """Return a value as printable text; "" if it is not text."""
    return replace_unprintable(value) if isinstance(value, str) else ""
