"""Are draws of letters and components independent?"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from utils.checks.kits.statistics import is_binomial


def pairs_agree(rows: Tensor, probs: Tensor, level: float) -> bool:
    """Return whether any two sites show any two letters together as often as independent ones do.

    Args:
        rows: Letters, (samples, sites).
        probs: Each letter's probability, (sites, letters).
        level: The chance of rejecting independent sites.
    """
    shown = torch.nn.functional.one_hot(rows.long(), probs.shape[1]).double()
    together = torch.einsum("nik,njl->ijkl", shown, shown)
    expected = torch.einsum("ik,jl->ijkl", probs, probs).clamp_max(1.0)
    pairs = list(itertools.combinations(range(len(probs)), 2))
    level /= len(pairs) * probs.shape[1] ** 2
    return all(
        is_binomial(round(float(count)), len(rows), float(p), level)
        for i, j in pairs
        for count, p in zip(together[i, j].flatten(), expected[i, j].flatten())
    )


def is_runs_random(component: Tensor, level: float) -> bool:
    """Return whether neighbours agree as often as independent draws do.

    Given the counts, the number of agreements is binomial up to O(1/n) for independent draws.

    Args:
        component: The component of each sample, (samples,).
        level: The chance of rejecting independent draws.
    """
    from scipy import special

    shares = torch.bincount(component).double() / len(component)
    agree = int((component[1:] == component[:-1]).sum())
    p = float((shares**2).sum())
    n = len(component) - 1
    # Neighbouring pairs overlap, so the variance is up to twice the binomial one.
    spread = (n * p * (1 - p) + 1) ** 0.5 * 1.5
    return bool(2 * special.ndtr(-abs(agree - n * p) / spread) >= level)
