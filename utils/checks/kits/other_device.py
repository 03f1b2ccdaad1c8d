"""Run a function as on a machine with another device: on torch's device `meta`, where tensors have no numbers.

What reads a number (`.item()`, `.tolist()`, `.cpu()`, `if t > 0`) reads zeros, so code that loops over samples runs
too. Functions that need all tensors on one device raise, as they do on a GPU.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from utils.checks.evidence import Evidence
from utils.checks.judging import Judge
from utils.checks.kits.left_behind import restore, settings

READS = {
    getattr(torch.Tensor, name)
    for name in ("cpu", "item", "tolist", "numpy", "__array__", "__bool__", "__int__", "__float__", "__index__")
}
# On a GPU these reject an index on the CPU; on the device meta they do not.
STRICT = {
    getattr(owner, name)
    for owner in (torch, torch.Tensor)
    for name in ("gather", "index_select", "take", "take_along_dim")
}


class OtherDevice(TorchFunctionMode):
    """Give zeros to what reads numbers from `meta`, and reject mixed devices where a GPU would."""

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Call a function of torch, with the changes that the class describes."""
        kwargs = kwargs or {}
        first = args[0] if args and isinstance(args[0], Tensor) else None
        on_meta = first is not None and first.device.type == "meta"
        to_cpu = func is torch.Tensor.to and any(str(a) == "cpu" for a in (*args[1:], kwargs.get("device")))
        if first is not None and on_meta and (func in READS or to_cpu):
            return func(torch.zeros(first.shape, dtype=first.dtype), *args[1:], **kwargs)
        if func in STRICT:
            require_one_device([*args, *kwargs.values()])
        if func is torch.Tensor.__getitem__ and first is not None and not on_meta:
            index = args[1] if isinstance(args[1], tuple) else (args[1],)
            require_one_device([first, *(i for i in index if isinstance(i, Tensor) and i.device.type == "meta")])
        return func(*args, **kwargs)


def require_one_device(things: list) -> None:
    """Raise torch's error of mixed devices unless all tensors are on one device."""
    if len({thing.device.type for thing in things if isinstance(thing, Tensor)}) > 1:
        raise RuntimeError("Expected all tensors to be on the same device, but found at least two devices")


@contextlib.contextmanager
def other_device(evidence: Evidence, name: str = "device") -> Iterator[None]:
    """Run a `with` block as an attempt in which numbers can be read from `meta`.

    Args:
        evidence: Takes what the block raises.
        name: The name of the attempt.

    Returns:
        A context manager.
    """
    before = settings()
    with evidence.attempt(name), OtherDevice():
        yield
    restore(before)


def put_device(evidence: Evidence, result: object, name: str = "device") -> None:
    """Record whether a result of a call on the device meta is somewhere else.

    Args:
        evidence: Takes `name/elsewhere`.
        result: What the student's code returned: a tensor, or several.
        name: The name of the attempt.
    """
    results = result if isinstance(result, (tuple, list)) else (result,)
    elsewhere = any(isinstance(part, Tensor) and part.device.type != "meta" for part in results)
    evidence.put(f"{name}/elsewhere", elsewhere or bool(evidence.values.get(f"{name}/elsewhere")))


def judge_device(judge: Judge, name: str = "device", deduct: float = 0.25) -> None:
    """Add a finding if the code works on one device only, or returns its result on another device.

    Args:
        judge: The judge of the exercise.
        name: The name of the attempt.
        deduct: The fraction of the part's points that the finding deducts.
    """
    judge.device(name, deduct)
    if name not in judge.evidence.errors and judge.evidence.values.get(f"{name}/elsewhere"):
        judge.note(
            "hard_coded_device",
            "Your result is not on the device of the inputs. Create new tensors where the inputs are, "
            "for example with `device=x.device`, and move none to the CPU.",
            deduct,
        )
