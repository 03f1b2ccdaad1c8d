"""A test of independence: are two samples of independent random numbers correlated?"""

from __future__ import annotations

import torch
from torch import Tensor

from utils.checks.judging import Judge

# r sqrt(n) of n independent pairs is nearly standard normal, so it exceeds the limit with a chance below LEVEL.
LIMIT, LEVEL = 5.5, 1e-7


def are_correlated(judge: Judge, one: Tensor, other: Tensor) -> bool:
    """Return whether two samples are correlated, and declare the chance that independent ones are.

    Args:
        judge: The judge of the exercise.
        one: Random numbers, (n,): normal, uniform or booleans.
        other: The same number of them, (n,).
    """
    judge.spend_alpha(LEVEL)
    correlation = float(torch.corrcoef(torch.stack([one, other]).double())[0, 1])
    return not abs(correlation) * len(one) ** 0.5 < LIMIT
