"""Evidence: what a probe observed, as named tensors and small JSON values. It never holds an expected value."""

from __future__ import annotations

import json
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from utils.checks.faults import trace_to_probe

VERSION = 3  # of what evidence stores; raise it when a verdict needs what older evidence lacks
COMPLETED = "completed"  # what a finished attempt leaves
TEXT_LIMIT = 400  # characters kept of any text that comes from a student
LARGEST, MOST_AXES = 2**20, 8  # numbers and axes of a tensor that is kept: no probe asks for more
LONGEST = 256  # items of a list or dictionary that are looked at
KEPT = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8,
        torch.uint8, torch.bool)  # fmt: skip


class MissingName(NameError):
    """Raised for a graded name that the notebook does not define."""


class WrongSignature(TypeError):
    """Raised for a graded function or class that cannot be called as the exercise says."""


class Evidence:
    """The results that a probe stores and a verdict reads. Names are `attempt/thing`.

    Args:
        exercise: the exercise's name.

    Attributes:
        tensors: tensors by name, on the CPU.
        values: JSON values by name.
        kinds: the Python type of each stored object, by name.
        errors: what each failed attempt raised, by the attempt's name.

    Example:
        >>> evidence = Evidence("lab4.cfg_drift")
        >>> evidence.put("run/result", (1, "two"))
        >>> evidence.kinds["run/result"], evidence.values["run/result.1"]
        ('tuple', 'two')
    """

    def __init__(self, exercise: str):
        self.exercise = exercise
        self.tensors: dict[str, Tensor] = {}
        self.values: dict[str, object] = {}
        self.kinds: dict[str, str] = {}  # what Python type stood behind each name
        self.errors: dict[str, dict[str, object]] = {}  # attempt -> what was raised

    def put(self, name: str, thing: object) -> None:
        """Store what a student's code returned.

        The items of a tuple or list become `name.0`, `name.1` and so on.

        Args:
            name: `attempt/thing`.
            thing: any object. Of an object that no file can hold, only the type is stored.
        """
        if isinstance(thing, Tensor):
            self._put_tensor(name, thing)
        elif isinstance(thing, bool) or thing is None:
            self.kinds[name] = type(thing).__name__
            self.values[name] = thing
        elif isinstance(thing, (int, float)):
            self._put_number(name, thing)
        elif isinstance(thing, str):
            self.kinds[name] = "str"
            self.values[name] = thing[:TEXT_LIMIT]
        elif isinstance(thing, (tuple, list)) and len(thing) <= LONGEST:
            self.kinds[name] = type(thing).__name__
            self._put_items(name, {str(index): item for index, item in enumerate(thing)})
        elif isinstance(thing, dict) and len(thing) <= LONGEST:
            self.kinds[name] = "dict"
            self._put_items(name, {safe_key(key, index): item for index, (key, item) in enumerate(thing.items())})
        elif hasattr(thing, "__array__"):  # a NumPy array or scalar where a tensor was asked for
            self._put_array(name, thing)
        else:
            self.kinds[name] = type(thing).__name__[:TEXT_LIMIT]

    def _put_tensor(self, name: str, tensor: Tensor) -> None:
        if tensor.layout != torch.strided or tensor.dtype not in KEPT:  # a safetensors file cannot hold it
            strange = tensor.layout if tensor.layout != torch.strided else tensor.dtype
            self.kinds[name] = f"{str(strange).removeprefix('torch.')} tensor"
            return
        if tensor.numel() > LARGEST or tensor.dim() > MOST_AXES:
            self.kinds[name] = f"tensor with {tensor.dim()} axes and {tensor.numel():,} numbers"
            return
        self.kinds[name] = "tensor"
        self.values[f"{name}.requires_grad"] = bool(tensor.requires_grad)
        self.values[f"{name}.dtype"] = str(tensor.dtype).removeprefix("torch.")
        self.values[f"{name}.shape"] = list(tensor.shape)
        if tensor.device.type != "meta":
            self.tensors[name] = tensor.detach().to("cpu", copy=True).contiguous()

    def _put_number(self, name: str, number: int | float) -> None:
        kind = int if isinstance(number, int) else float
        self.kinds[name], number = kind.__name__, kind(number)  # NumPy's float64 is a float, too
        # JSON has no NaN and no unbounded integers: such numbers are stored as text.
        in_json = abs(number) < 2**53  # False for NaN
        huge = isinstance(number, int) and number.bit_length() > 10_000  # str() rejects it
        self.values[name] = number if in_json else "inf" if huge else str(number)[:TEXT_LIMIT]

    def _put_items(self, name: str, items: dict[str, object]) -> None:
        self.values[f"{name}.length"] = len(items)
        for key, item in items.items():
            self.put(f"{name}.{key}", item)

    def _put_array(self, name: str, thing: object) -> None:
        """Store a NumPy array; of one that torch cannot hold, only its dtype, such as "object array"."""
        dtype = "unreadable"
        try:
            array = np.array(thing)  # a copy: torch takes no negative strides
            dtype = str(array.dtype)
            tensor = torch.from_numpy(array.astype(array.dtype.newbyteorder("=")))
        except Exception:
            self.kinds[name] = f"{dtype[:TEXT_LIMIT]} array"
            return
        self._put_tensor(name, tensor)
        kind = self.kinds[name]
        self.kinds[name] = "array" if kind == "tensor" else kind.replace(" tensor", " array")

    @contextmanager
    def attempt(self, name: str) -> Iterator[None]:
        """Run student code in a `with` block. What it raises is stored, and the next attempt still runs.

        An attempt that finishes leaves `attempt/completed`. So "nothing was raised" is something that was observed: it
        cannot be had by leaving the error out.

        Args:
            name: the attempt's name.

        Returns:
            A context manager.
        """
        try:
            yield
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit too: a student's exit() must not end the grading
            self.errors[name] = describe(error)
        else:
            self.values[f"{name}/{COMPLETED}"] = True

    def to_json(self) -> bytes:
        """Return everything but the tensors.

        Returns:
            JSON in UTF-8.
        """
        return json.dumps(
            {
                "version": VERSION,
                "exercise": self.exercise,
                "values": self.values,
                "kinds": self.kinds,
                "errors": self.errors,
            }
        ).encode()

    def to_safetensors(self) -> bytes:
        """Return the tensors. Without tensors, the file is empty but valid.

        Returns:
            The bytes of a safetensors file.
        """
        from safetensors.torch import save

        return save({name: tensor.clone() for name, tensor in self.tensors.items()})


def describe(error: BaseException) -> dict[str, object]:
    """Describe an exception by its type, the start of its message, and the student's own line that raised it.

    Args:
        error: the exception.

    Returns:
        JSON values: `type`, `bases`, `message` and `line`. Lines of other files are left out.
    """
    line = None
    for frame in traceback.extract_tb(error.__traceback__):
        if "ipython-input" in frame.filename or "ipykernel" in frame.filename or frame.filename.startswith("<"):
            line = (frame.line or "").strip()[:TEXT_LIMIT] or line
    try:
        words = message_of(error)[:TEXT_LIMIT]
    except Exception:
        words = ""
    document: dict[str, object] = {
        "type": type(error).__name__,
        "bases": [c.__name__ for c in type(error).__mro__][:8],
        "message": words,
        "line": line,
    }
    return document if isinstance(error, (MissingName, WrongSignature)) else document | trace_to_probe(error)


def message_of(error: BaseException) -> str:
    """Return the message of an exception. If an object of the test lacks an attribute, say so without its class.

    Args:
        error: the exception.

    Returns:
        The message.
    """
    if isinstance(error, AttributeError) and type(error.obj).__module__.startswith("utils.checks."):
        return f"the test's own object has what the text of the exercise names, but no `{error.name}`"
    return str(error)


def safe_key(key: object, index: int) -> str:
    """Convert a dictionary's key to a part of a name.

    Args:
        key: the key.
        index: its place in the dictionary.

    Returns:
        The key, or a name made of its place if evidence cannot hold a name with the key.
    """
    if isinstance(key, str) and re.fullmatch(r"[A-Za-z0-9_+\-]{1,40}", key):
        return key
    return f"key{index}"
