"""Exercise 4.6 on another device, where NumPy reads no tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.judging import Judge
from utils.checks.kits.other_device import is_elsewhere, other_device
from utils.checks.lab4.accuracy_sweep_inputs import Inputs

TO_NUMPY = "can't convert a tensor of another device to numpy"
DEVICE_SHARE = 0.25  # of the points, that code which works on the CPU alone loses


class OnlyTheCPUForNumPy(TorchFunctionMode):
    """Refuse to read a tensor on the other device as an array, as torch does."""

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Call a function of torch."""
        kwargs = kwargs or {}
        if func in (Tensor.numpy, Tensor.__array__) and is_elsewhere(args[0]) and not kwargs.get("force"):
            raise TypeError(f"{TO_NUMPY}. Use Tensor.cpu() to copy the tensor to host memory first.")
        return func(*args, **kwargs)


def probe_device(conditional_accuracy: Callable, challenge: Challenge, evidence: Evidence) -> None:
    """Call the student's function with inputs on another device; record what it raises."""
    with other_device(evidence, challenge) as there, OnlyTheCPUForNumPy():
        inputs = Inputs.of(there, "single")
        conditional_accuracy(
            lambda noise, labels, w: noise.clone(),
            lambda images: images.flatten(1),  # the logits are the pixels
            inputs.labels,
            inputs.scales[:1],
            inputs.noise,
            inputs.null_label,
        )


def judge_device(judge: Judge) -> None:
    """Add a finding if the code works on the CPU alone."""
    if TO_NUMPY in str(judge.evidence.errors.get("device", {}).get("message")):
        judge.note(
            "hard_coded_device",
            "Your code works on the CPU only: it reads a tensor as a NumPy array where it is, which fails on a GPU.",
            DEVICE_SHARE,
        )
    judge.device(deduct=DEVICE_SHARE)
