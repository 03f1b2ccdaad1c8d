"""Run a function as on a machine with another device, without such a device.

A GPU is what most answers will never see before somebody else runs them. So a probe gives them tensors that lie on the
CPU and say that they are on torch's device `meta`. An operation on them computes on the CPU, and its result says the
same of itself. One that mixes them with tensors of the CPU raises, as it does on a GPU. So does NumPy, which reads only
tensors on the CPU.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.settings import restore, settings

OTHER = torch.device("meta")
aten = torch.ops.aten
# What moves numbers between devices, and what accepts an index on the CPU, on a GPU too.
MOVES = {aten.copy_, aten._to_copy}
INDEXING = {aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_}
TOGETHER = {aten.cat, aten.stack}  # the others accept a single number on the CPU
# torch refuses these for tensors of other classes; they read or make tensors past the operations that it passes on.
ARRAYS: set[Callable] = {Tensor.numpy, Tensor.__array__}
READS = {Tensor.tolist, Tensor.__format__, Tensor.__repr__, *ARRAYS}
MAKES = {torch.tensor, torch.as_tensor, torch.asarray, Tensor.new_tensor}


class Elsewhere(Tensor):
    """A tensor that says that it is on another device. Its numbers are in `here`, on the CPU."""

    here: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @staticmethod
    def __new__(cls, here: Tensor) -> Elsewhere:
        """Make it from a tensor on the CPU."""
        tensor = Tensor._make_wrapper_subclass(
            cls, here.shape, here.stride(), here.storage_offset(), dtype=here.dtype, device=OTHER
        )
        tensor.here = here
        return tensor

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Compute one operation of torch."""
        return compute(func, args, kwargs or {})


class OnTheOtherDevice(TorchDispatchMode):
    """Take over the operations of torch that make tensors on the other device."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Keep torch from importing its compiler, which takes a second, for a method that nobody compiles."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Compute one operation of torch."""
        return compute(func, args, kwargs or {})


class PastOperations(TorchFunctionMode):
    """Take over the functions of torch that read or make tensors without an operation."""

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Call a function of torch."""
        kwargs = kwargs or {}
        if func in READS and is_elsewhere(args[0]):
            if func in ARRAYS and not kwargs.get("force"):
                raise TypeError(
                    f"can't convert {OTHER} device type tensor to numpy. "
                    "Use Tensor.cpu() to copy the tensor to host memory first."
                )
            return func(args[0].detach().cpu(), *args[1:], **kwargs)
        like = args[0] if func is Tensor.new_tensor else None
        place = kwargs.get("device") or (like.device if like is not None else None)
        if func not in MAKES or place is None or torch.device(place) != OTHER:
            return func(*args, **kwargs)
        given = [*args[like is not None :], *(kwargs[name] for name in ("data", "obj") if name in kwargs)]
        made = torch.as_tensor(given[0], dtype=kwargs.get("dtype") or (like.dtype if like is not None else None))
        return made.detach().to(OTHER).requires_grad_(kwargs.get("requires_grad", False))


def compute(func: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
    """Compute one operation of torch on the CPU, and return tensors on the device on which the result belongs."""
    given = list(tensors_in([*args, *kwargs.values()]))
    asked = kwargs.get("device")
    if asked != OTHER and not any(map(is_elsewhere, given)):
        return func(*args, **kwargs)
    require_one_device(func.overloadpacket, given, args)
    kwargs_here = {name: on_cpu(value) for name, value in kwargs.items()}
    if asked is not None:
        kwargs_here["device"] = torch.device("cpu")
    result = func(*on_cpu(args), **kwargs_here)
    if torch.Tag.inplace_view in func.tags:  # `x.unsqueeze_(1)`: what x says of its own shape changes, too
        with torch._C._DisableTorchDispatch():
            func(*args, **kwargs)
    if written := written_by(func, args, kwargs):
        return written[0] if len(written) == 1 else tuple(written)
    return result if asked not in (None, OTHER) else on_other(result)


def require_one_device(operation: Any, given: list[Tensor], args: tuple) -> None:
    """Raise the error of a GPU if an operation mixes devices. Single numbers on the CPU may be mixed with anything."""
    if operation in MOVES:
        return
    if operation in INDEXING and is_elsewhere(args[0]):
        given = list(tensors_in([args[0], *args[2:]]))
    strays = [t for t in given if not is_elsewhere(t) and (t.dim() or operation in TOGETHER)]
    if strays and any(map(is_elsewhere, given)):
        raise RuntimeError(
            f"Expected all tensors to be on the same device, but found at least two devices, {OTHER} and cpu!"
        )


def written_by(func: Any, args: tuple, kwargs: dict[str, Any]) -> list[Any]:
    """Return the arguments into which an operation writes: x of `x.add_(1)`, and `out`."""
    if not func._schema.is_mutable:
        return []
    taken = [a for a in func._schema.arguments if a.alias_info is not None and a.alias_info.is_write]
    places = {argument.name: value for argument, value in zip(func._schema.arguments, args)} | kwargs
    return [places[argument.name] for argument in taken if argument.name in places] if func._schema.returns else []


def is_elsewhere(thing: object) -> bool:
    """Return whether a thing is a tensor on the other device."""
    return isinstance(thing, Tensor) and thing.device == OTHER


def tensors_in(things: Sequence[Any]) -> Iterator[Tensor]:
    """Yield the tensors in arguments of an operation, and in lists among them."""
    for thing in things:
        if isinstance(thing, Tensor):
            yield thing
        elif isinstance(thing, (tuple, list)):
            yield from tensors_in(thing)


def on_cpu(thing: Any) -> Any:
    """Return arguments of an operation with their numbers on the CPU."""
    if isinstance(thing, Elsewhere):
        return thing.here
    if isinstance(thing, (tuple, list)):
        return type(thing)(on_cpu(part) for part in thing)
    return torch.zeros(thing.shape, dtype=thing.dtype) if is_elsewhere(thing) else thing  # made past our modes


def on_other(thing: Any) -> Any:
    """Return what an operation computed as tensors on the other device."""
    if isinstance(thing, Tensor):
        # Zeros without a memory of their own, which derivatives along a direction use, are zeros for some layers only.
        return Elsewhere(torch.zeros(thing.shape, dtype=thing.dtype) if thing._is_zerotensor() else thing)
    return type(thing)(on_other(part) for part in thing) if isinstance(thing, (tuple, list)) else thing


@contextlib.contextmanager
def other_device(evidence: Evidence, challenge: Challenge, name: str = "device") -> Iterator[Challenge]:
    """Run a `with` block as an attempt in which there is another device.

    Args:
        evidence: Takes what the block raises.
        challenge: Inputs of the exercise.
        name: The name of the attempt.

    Returns:
        A context manager that gives the challenge with its tensors on the other device.

    Example:
        >>> evidence, challenge = Evidence("lab1.add_noise"), Challenge.public("lab1.add_noise")
        >>> with other_device(evidence, challenge) as there:
        ...     _ = there.randn("x", (3,)) + torch.ones(3)
        >>> evidence.errors["device"]["message"].split(",")[0]
        'Expected all tensors to be on the same device'
    """
    before = settings()
    with evidence.attempt(name), PastOperations(), OnTheOtherDevice():
        yield challenge.on(str(OTHER))
    restore(before)


def put_device(evidence: Evidence, result: object, name: str = "device") -> None:
    """Record whether a result of a call on the other device is somewhere else.

    Args:
        evidence: Takes `name/elsewhere`.
        result: What the student's code returned: a tensor, or several.
        name: The name of the attempt.
    """
    results = result if isinstance(result, (tuple, list)) else (result,)
    elsewhere = any(isinstance(part, Tensor) and not is_elsewhere(part) for part in results)
    evidence.put(f"{name}/elsewhere", elsewhere or bool(evidence.values.get(f"{name}/elsewhere")))
