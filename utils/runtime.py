"""Where a notebook runs: seed, device, budget, progress bars. Importing this module does not use the network."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from tqdm import tqdm

BUDGETS = ("full", "cpu", "ci", "grade")  # from the largest to the smallest
T = TypeVar("T")

# What `setup` prints beside device and budget. A module adds its fact when it is imported: `utils.data` adds where the
# images come from, so only labs that import it print that.
SETUP_FACTS: dict[str, Callable[[], str]] = {}


@dataclass(frozen=True)
class Budget:
    """How much work a notebook may do: `full` on a GPU, `cpu` on a laptop, `ci` in tests, `grade` in the autograder.

    Args:
        name: one of `BUDGETS`.

    Raises:
        ValueError: there is no such budget.
    """

    name: str

    def __post_init__(self):
        if self.name not in BUDGETS:
            raise ValueError(f"LAB_BUDGET is {self.name!r}; it must be one of {', '.join(BUDGETS)}")

    def pick(self, **options: T) -> T:
        """Return the option for this budget. A budget without one gets the option of the next larger budget.

        Args:
            **options: one value for each budget, by its name.

        Returns:
            The value for this budget.

        Raises:
            ValueError: a name is no budget, or there is no option for this budget or a larger one.

        Example:
            >>> Budget("grade").pick(full=5000, cpu=600, ci=4)
            4
        """
        unknown = set(options) - set(BUDGETS)
        if unknown:
            raise ValueError(f"unknown budget {', '.join(sorted(unknown))}; the budgets are {', '.join(BUDGETS)}")
        for name in reversed(BUDGETS[: BUDGETS.index(self.name) + 1]):
            if name in options:
                return options[name]
        raise ValueError(f"no option for the budget {self.name!r} or a larger one")

    def __str__(self) -> str:
        return self.name


def current_budget(device: torch.device | None = None) -> Budget:
    """Return the budget that `LAB_BUDGET` names. If it is not set: `full` on a GPU, `cpu` elsewhere.

    Args:
        device: where the lab computes. None means the GPU if there is one.

    Returns:
        The budget.

    Raises:
        ValueError: `LAB_BUDGET` names no budget.
    """
    on_gpu = (device or current_device()).type == "cuda"
    return Budget(os.environ.get("LAB_BUDGET", "").strip().lower() or ("full" if on_gpu else "cpu"))


def current_device() -> torch.device:
    """Return the GPU if there is one, else the CPU.

    Returns:
        The device.
    """
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def seed_everything(seed: int) -> None:
    """Seed the random numbers of Python, NumPy and torch.

    Args:
        seed: any integer.

    Example:
        >>> seed_everything(0); a = torch.rand(())
        >>> seed_everything(0); bool(a == torch.rand(()))
        True
    """
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def setup(lab: str, seed: int = 0, device: str | None = None) -> tuple[torch.device, Budget]:
    """Seed everything, choose device and budget, and print them in one line. Every lab calls this first.

    Args:
        lab: the lab's name, for the line.
        seed: any integer.
        device: where the lab computes, `"cpu"` for one whose tensors are too small for a GPU. None chooses the GPU if
            there is one.

    Returns:
        The device and the budget.

    Raises:
        ValueError: `LAB_BUDGET` names no budget.
    """
    place = torch.device(device or current_device())
    budget = current_budget(place)
    seed_everything(seed)
    where = f"{place} ({torch.cuda.get_device_name()})" if place.type == "cuda" else str(place)
    line = f"{lab} · device {where} · budget {budget} · seed {seed}"
    for name, describe in SETUP_FACTS.items():
        line += f" · {name}: {describe()}"
    print(line)
    return place, budget


def progress(iterable: Iterable[T], description: str = "", total: int | None = None) -> tqdm:
    """Wrap an iterable in a progress bar on stdout, which appears after one second and disappears at the end.

    It is silent at the budgets `ci` and `grade`, and if TQDM_DISABLE is set.

    Args:
        iterable: what to iterate over.
        description: the text at the left.
        total: the number of items, if the iterable does not know it.

    Returns:
        An iterable over the same items.
    """
    silence: dict[str, Any] = (
        {"disable": True} if current_budget().name in ("ci", "grade") else {}
    )  # else tqdm asks TQDM_DISABLE
    return tqdm(
        iterable, description, total, leave=False, file=sys.stdout, ncols=80, mininterval=0.5, delay=1, **silence
    )


def fast_bf16(device: torch.device | str) -> bool:
    """Return whether the device computes in bfloat16 in hardware.

    This halves the time of a training step of the U-Net.

    Args:
        device: a CPU or a GPU.

    Returns:
        True if bfloat16 is fast.
    """
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device)[0] >= 8
    if device.type == "cpu":
        return bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())
    return False


def in_colab() -> bool:
    """Return whether the notebook runs in Google Colab.

    Returns:
        True in Colab.
    """
    return "google.colab" in sys.modules


def grading() -> bool:
    """Return whether nbgrader or the autograder runs this notebook. Then there is nothing to submit.

    Returns:
        True while grading.
    """
    return "NBGRADER_EXECUTION" in os.environ or os.environ.get("LAB_BUDGET", "").lower() == "grade"
