"""Unpack evidence as it arrives: bytes from a student's process, opened with every number bounded. Never pickle."""

from __future__ import annotations

import json
import re

from safetensors.torch import load

from autograder.text import strip_control_characters
from utils.checks.evidence import VERSION, Evidence
from utils.checks.exercise import Exercise

MAX_JSON = 2 * 2**20  # bytes
MAX_TENSORS = 16 * 2**20  # bytes
MAX_NAMES = 4096
MAX_HEADER = 2**20  # bytes of the safetensors header
MAX_TEXT = 1000  # characters
MAX_LIST = 64  # items
MAX_AXES = 8
MAX_SIZE = 2**24  # of one axis
NAME = re.compile(r"[A-Za-z0-9_./+\- ]{1,120}\Z")
DTYPES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


ERROR_KEYS = {"type", "bases", "message", "line", "where", "fault"}


class BadEvidence(ValueError):
    """Raised when evidence is not what a probe writes. The message says why, beginning with "it"."""


def unpack(entry: Exercise, text: bytes, tensors: bytes) -> Evidence:
    """Return the evidence of an exercise from its two files.

    Args:
        entry: the exercise.
        text: the content of the JSON file.
        tensors: the content of the safetensors file.

    Raises:
        BadEvidence: too large, not JSON, of another exercise or version, or with names, dtypes or shapes out of bounds.
    """
    if len(text) > MAX_JSON or len(tensors) > MAX_TENSORS:
        raise BadEvidence("it is larger than any probe writes")
    document = parse_object(text)
    if document.get("exercise") != entry.name:
        raise BadEvidence("it belongs to another exercise")
    if document.get("version") != VERSION:
        raise BadEvidence("it has another version")
    evidence = Evidence(entry.name)
    evidence.values = {name: check_value(value) for name, value in check_names(document.get("values")).items()}
    evidence.kinds = {name: check_text(kind) for name, kind in check_names(document.get("kinds")).items()}
    for name, error in check_names(document.get("errors")).items():
        if not isinstance(error, dict) or not set(error) <= ERROR_KEYS:
            raise BadEvidence("its errors are not what a probe writes")
        evidence.errors[name] = {key: check_value(value) for key, value in error.items()}
    check_header(tensors)
    try:
        evidence.tensors = load(tensors)
    except Exception as error:
        raise BadEvidence("its tensors cannot be read") from error
    return evidence


def parse_object(text: bytes) -> dict:
    """Return a JSON object.

    Raises:
        BadEvidence: it is none.
    """
    try:
        document = json.loads(text, parse_constant=lambda word: None)
    except (ValueError, RecursionError) as error:
        raise BadEvidence("it is not JSON") from error
    if not isinstance(document, dict):
        raise BadEvidence("it is not a JSON object")
    return document


def check_names(table: object) -> dict[str, object]:
    """Return a table whose keys are names that a probe may write.

    Raises:
        BadEvidence: it is none.
    """
    if not isinstance(table, dict) or len(table) > MAX_NAMES:
        raise BadEvidence("it has too many entries, or none where there must be some")
    if not all(NAME.match(name) for name in table):
        raise BadEvidence("it has names that no probe writes")
    return table


def check_value(value: object) -> object:
    """Return a value of the kinds that evidence has: None, a bool, a number, a text, or a short list of these.

    Raises:
        BadEvidence: it is of another kind.
    """
    if isinstance(value, list) and len(value) <= MAX_LIST and not any(isinstance(item, list) for item in value):
        return [check_value(item) for item in value]
    if isinstance(value, str):
        return check_text(value)
    if isinstance(value, (int, float)) and not abs(value) < 2**53:
        raise BadEvidence("it has numbers that no probe writes")
    if value is None or isinstance(value, (bool, int, float)):
        return value
    raise BadEvidence("it has values that no probe writes")


def check_text(value: object) -> str:
    """Return text that a finding may quote, without characters that could drive a terminal.

    Raises:
        BadEvidence: it is no text, or too long.
    """
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise BadEvidence("it has texts that no probe writes")
    return strip_control_characters(value)


def check_header(tensors: bytes) -> None:
    """Check the safetensors header before the library reads it.

    Raises:
        BadEvidence: it announces more, or other types, than a probe writes.
    """
    if len(tensors) < 8:
        raise BadEvidence("its tensors are cut short")
    length = int.from_bytes(tensors[:8], "little")
    if length > MAX_HEADER or 8 + length > len(tensors):
        raise BadEvidence("its tensors are cut short")
    header = parse_object(tensors[8 : 8 + length])
    header.pop("__metadata__", None)
    check_names(header)
    for entry in header.values():
        if not isinstance(entry, dict) or not isinstance(entry.get("dtype"), str) or entry["dtype"] not in DTYPES:
            raise BadEvidence("a tensor has a type that no probe writes")
        shape = entry.get("shape")
        if not isinstance(shape, list) or len(shape) > MAX_AXES or not all(is_size(n) for n in shape):
            raise BadEvidence("a tensor has a shape that no probe writes")
        size = DTYPES[entry["dtype"]]
        for n in shape:
            size *= n
            if size > MAX_TENSORS:
                raise BadEvidence("a tensor is larger than any probe writes")


def is_size(number: object) -> bool:
    """Return whether a number can be the size of an axis."""
    return type(number) is int and 0 <= number <= MAX_SIZE
