"""The settings of the whole process that a graded function must not change: read them, and put them back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

MIXED = "mixed"  # the precision of matrix products, where both old and new functions of torch have set it


def default_device() -> torch.device | None:
    """Return the device on which torch creates tensors.

    Returns:
        The device, or None if it is a GPU that this machine does not have.
    """
    try:
        return torch.get_default_device()
    except (RuntimeError, AssertionError):
        return None


def matmul_precision() -> str:
    """Return torch's precision of matrix products in float32.

    Returns:
        "highest", "high" or "medium"; `MIXED` if torch has no single name for it.
    """
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:
        return MIXED


def settings() -> dict[str, object]:
    """Return the settings of the whole process that a graded function must not change.

    Returns:
        Their values by the names that messages give them.
    """
    return {
        "torch's default dtype": str(torch.get_default_dtype()),
        "torch's default device": str(default_device()),
        "gradient recording": torch.is_grad_enabled(),
        "inference mode": torch.is_inference_mode_enabled(),
        "anomaly detection": torch.is_anomaly_enabled(),
        "deterministic algorithms": torch.are_deterministic_algorithms_enabled(),
        "torch's number of threads": torch.get_num_threads(),
        "torch's precision of matrix products": matmul_precision(),
        "torch.backends.cudnn.benchmark": torch.backends.cudnn.benchmark,
        "NumPy's error handling": np.geterr(),
    }


def set_default_device(device: str) -> None:
    """Set torch's default device. None, and not "cpu", is its first value: with "cpu" every call is slower.

    Args:
        device: the device's name; "None" for one that this machine does not have.
    """
    torch.set_default_device(None if device in ("cpu", "None") else device)


def set_matmul_precision(precision: str) -> None:
    """Set torch's precision of matrix products in float32. No single function sets `MIXED`, so it does nothing.

    Args:
        precision: what `matmul_precision` returned.
    """
    if precision != MIXED:
        torch.set_float32_matmul_precision(precision)


SETTERS: dict[str, Callable] = {
    "torch's default dtype": lambda name: torch.set_default_dtype(getattr(torch, name.removeprefix("torch."))),
    "torch's default device": set_default_device,
    "gradient recording": torch.set_grad_enabled,
    "anomaly detection": torch.autograd.set_detect_anomaly,
    "deterministic algorithms": torch.use_deterministic_algorithms,  # imports torch's compiler, which takes a second
    "torch's number of threads": torch.set_num_threads,
    "torch's precision of matrix products": set_matmul_precision,
    "torch.backends.cudnn.benchmark": lambda on: setattr(torch.backends.cudnn, "benchmark", on),
    "NumPy's error handling": lambda handling: np.seterr(**handling),
}


def restore(before: dict[str, object]) -> None:
    """Set the settings of the process to earlier values, so that one answer does not disturb the next.

    Args:
        before: what `settings` returned.
    """
    after = settings()
    for name, set_value in SETTERS.items():
        if before[name] != after[name]:
            set_value(before[name])
