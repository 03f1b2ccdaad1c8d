"""Are draws of letters and components independent?"""

from __future__ import annotations

import torch
from torch import Tensor

from utils.checks.kits.statistics import are_binomial


def pairs_agree(rows: Tensor, probs: Tensor, level: float, shares: Tensor | None = None) -> bool:
    """Return whether any two sites show any two letters together as often as independent ones do.

    The last letter is left out: how often it comes together with others follows from the frequencies of the letters.

    Args:
        rows: Letters, (samples, sites).
        probs: Each letter's probability, (sites, letters); with `shares`, (components, sites, letters).
        level: The chance of rejecting independent sites.
        shares: The share of each component, (components,), if a sample has one of several.
    """
    if shares is None:
        probs, shares = probs[None], torch.ones(1)
    shown = torch.nn.functional.one_hot(rows.long(), probs.shape[2])[..., :-1].double()
    probs = probs[..., :-1]
    together = torch.einsum("nik,njl->ijkl", shown, shown)
    expected = torch.einsum("c,cik,cjl->ijkl", shares.to(probs), probs, probs).clamp(0.0, 1.0)
    first, second = torch.triu_indices(rows.shape[1], rows.shape[1], offset=1)
    return are_binomial(together[first, second], len(rows), expected[first, second], level)


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
