"""Look at one value that was passed, and add to the records what can be told of it."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from types import BuiltinFunctionType, FunctionType, MethodType

import torch
from torch import Tensor, nn

from autograder.validation.reach.record import ArgumentRecord, Records

DRAWS = ("sample", "sample_conditioning_variable")  # methods by which an argument gives data to a training loss
LONGEST_PAIR = 3  # a longer tuple is a list of equals
MOST_ITEMS = 64  # of a list, a tuple or a dictionary: the first ones say what it holds


def observe(records: Records, path: str, value: object, known: Known) -> None:
    """Add one value of an argument to the records, with its fields and items.

    Args:
        records: gets one more observation.
        path: the argument's name, and perhaps fields.
        value: what was passed.
        known: what the call says about indices and numbers.
    """
    record = records.setdefault(path, ArgumentRecord())
    record.note("kind", kind_of(value))
    if isinstance(value, Tensor):
        observe_tensor(record, path, value, known)
    elif isinstance(value, bool):
        record.note("special", str(value))
    elif isinstance(value, int | float):
        counts = isinstance(value, int) and path not in known.real
        record.add_numbers(torch.tensor([value], dtype=torch.int64 if counts else torch.float64), counts)
        if counts:
            record.add_indices(torch.tensor([value]), known.length_of(path), known.null)
    elif isinstance(value, nn.Module):
        record.note("mode", "training" if value.training else "evaluation")
    for inner, one in parts_of(path, value):
        observe(records, inner, one, known)


def parts_of(path: str, value: object) -> Iterator[tuple[str, object]]:
    """Yield fields and items of a value, with their paths."""
    if is_dataclass(value) and not isinstance(value, type):
        yield from ((f"{path}.{one.name}", getattr(value, one.name, None)) for one in fields(value))
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        yield from ((f"{path}.{name}", one) for name, one in zip(value._fields, value))
    elif isinstance(value, tuple) and len(value) <= LONGEST_PAIR:
        yield from ((f"{path}[{index}]", one) for index, one in enumerate(value))
    elif isinstance(value, list | tuple | dict):
        items = list(value.values() if isinstance(value, dict) else value)
        yield from ((f"{path}[]", one) for one in items[:MOST_ITEMS])


def observe_tensor(record: ArgumentRecord, path: str, value: Tensor, known: Known) -> None:
    """Add a tensor: what it is, and its numbers."""
    if record.is_last(value):
        return
    record.note("dtype", str(value.dtype).removeprefix("torch."))
    record.note("axes", str(value.ndim))
    record.note("gradient", "requires grad" if value.requires_grad else "constant")
    record.note("device", value.device.type)
    plain = without_transforms(value)
    if plain is not value:
        record.note("transform", "inside torch.func")
    if plain.ndim:
        record.note("layout", "contiguous" if plain.is_contiguous() else "not contiguous")
        if path.isidentifier() or "()" in path:
            record.note("batch", "one" if plain.shape[0] == 1 else "several")
    if plain.device.type == "meta" or plain.is_complex():
        return
    numbers = plain.detach().cpu()
    whole = not numbers.is_floating_point()
    record.add_numbers(numbers.long() if numbers.dtype is torch.bool else numbers, whole)
    if whole and numbers.dtype is not torch.bool:
        record.add_indices(numbers, known.length_of(path), known.null)


def without_transforms(value: Tensor) -> Tensor:
    """Return the tensor inside the wrappers of `torch.func`."""
    functorch = torch._C._functorch
    while functorch.is_functorch_wrapped_tensor(value):
        value = functorch.get_unwrapped(value)
    return value


def kind_of(value: object) -> str:
    """Return what a value is, as coarse as an answer could tell."""
    if isinstance(value, Tensor):
        return "tensor"
    if draws_of(value):
        return "data"
    if isinstance(value, nn.Module):
        return "nn.Module"
    if isinstance(value, functools.partial):
        return "partial"
    if isinstance(value, MethodType):
        return "bound method"
    if isinstance(value, FunctionType):
        return "lambda" if value.__name__ == "<lambda>" else "function"
    if isinstance(value, BuiltinFunctionType):
        return "builtin function"
    if isinstance(value, bool | int | float | str | list | tuple | dict | torch.Generator) or value is None:
        return "named tuple" if hasattr(value, "_fields") else type(value).__name__
    if is_dataclass(value):
        return "dataclass"
    return "callable object" if callable(value) else "object"


def draws_of(value: object) -> list[str]:
    """Return the names of the methods by which an object gives data."""
    return [name for name in DRAWS if not isinstance(value, type) and callable(getattr(value, name, None))]


@dataclass(frozen=True)
class Known:
    """What the other arguments of a call say about one of them.

    Args:
        arguments: all arguments of the call.
        owner: the object whose method is called, if it is a method.
        real: the arguments that are real numbers by their annotation, also where an int is passed.
    """

    arguments: Mapping[str, object]
    owner: object = None
    real: frozenset[str] = frozenset()

    def length_of(self, path: str) -> int | None:
        """Return among how many an index chooses: times of a schedule, components of a toy problem."""
        for holder, names in (("schedule", ("betas", "t", "t_prev")), ("setting", ("prior", "y", "label"))):
            sequence = getattr(self.arguments.get(holder), names[0], None)
            if path in names[1:] and isinstance(sequence, Tensor) and sequence.ndim == 1:
                return len(sequence)
        return None

    @property
    def null(self) -> int | None:
        """The null label that the call or its object names."""
        null = self.arguments.get("null_label", getattr(self.owner, "null_label", None))
        return null if isinstance(null, int) else None
