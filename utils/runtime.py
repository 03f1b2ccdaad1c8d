"""Where a notebook runs: seed, device, budget, progress bars. Importing this module touches no network."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

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
    """How much work a notebook may do: `full` on a GPU, `cpu` on a laptop, `ci` in tests, `grade` in the autograder."""

    name: str

    def __post_init__(self):
        if self.name not in BUDGETS:
            raise ValueError(f"LAB_BUDGET is {self.name!r}; it must be one of {', '.join(BUDGETS)}")

    def pick(self, **options: T) -> T:
        """The option for this budget: `budget.pick(full=5000, cpu=600, ci=4)`.

        A budget that is left out gets the option of the next larger one, so `grade` is 4 here.
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


def current_budget() -> Budget:
    """`LAB_BUDGET` where it is set, else `full` with a GPU and `cpu` without."""
    return Budget(os.environ.get("LAB_BUDGET", "").strip().lower() or ("full" if torch.cuda.is_available() else "cpu"))


def current_device() -> torch.device:
    """The GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def seed_everything(seed: int) -> None:
    """Start the random numbers of Python, numpy and torch anew."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def setup(lab: str, seed: int = 0) -> tuple[torch.device, Budget]:
    """The first line of every lab: seeds everything, chooses device and budget, and prints them in one line."""
    budget, device = current_budget(), current_device()
    seed_everything(seed)
    where = f"{device} ({torch.cuda.get_device_name()})" if device.type == "cuda" else str(device)
    line = f"{lab} · device {where} · budget {budget} · seed {seed}"
    for name, describe in SETUP_FACTS.items():
        line += f" · {name}: {describe()}"
    print(line)
    return device, budget


def progress(iterable: Iterable[T], description: str = "", total: int | None = None) -> tqdm:
    """A progress bar on stdout, for what takes longer than a second; it disappears when it is done.

    Silent at the budgets `ci` and `grade`, and where TQDM_DISABLE is set.
    """
    silence = {"disable": True} if current_budget().name in ("ci", "grade") else {}  # else tqdm asks TQDM_DISABLE
    return tqdm(
        iterable, description, total, leave=False, file=sys.stdout, ncols=80, mininterval=0.5, delay=1, **silence
    )


def fast_bf16(device: torch.device | str) -> bool:
    """True where bfloat16 is done by the hardware: then a training step of the U-Net takes about half the time."""
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device)[0] >= 8
    if device.type == "cpu":
        return bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())
    return False
