"""Helpers for the dataclasses that hold the inputs of a run."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

AnyInputs = TypeVar("AnyInputs")


def tensors_of(inputs: Any) -> dict[str, Tensor]:
    """Return the fields of a dataclass that are tensors, by name."""
    values = {field.name: getattr(inputs, field.name) for field in fields(inputs)}
    return {name: value for name, value in values.items() if isinstance(value, Tensor)}


def in_double(inputs: AnyInputs) -> AnyInputs:
    """Return a copy of a dataclass whose floating-point tensors are float64, without gradients."""
    tensors = {name: value for name, value in tensors_of(inputs).items() if value.is_floating_point()}
    return replace(inputs, **{name: value.detach().double() for name, value in tensors.items()})  # type: ignore[type-var]


def same_tensors(one: Any, other: Any) -> bool:
    """Return whether all tensors of two dataclasses of the same class are equal.

    A probe draws the inputs of a run twice, gives one copy to the student's code, and compares both afterwards.

    Args:
        one: A dataclass with tensors among its fields.
        other: Another one of the same class.
    """
    others = tensors_of(other)
    return all(torch.equal(value, others[name]) for name, value in tensors_of(one).items())
