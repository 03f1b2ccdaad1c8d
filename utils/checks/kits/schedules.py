"""A noise schedule for probes. It is short, noisy and random, so that a constant copied from the lab shows."""

from __future__ import annotations

import torch

from utils.checks.challenge import Challenge
from utils.diffusion import Schedule

MADE_UP_STEPS = 24


def made_up_schedule(challenge: Challenge, dtype: torch.dtype = torch.float64, steps: int = MADE_UP_STEPS) -> Schedule:
    """Return a schedule with random betas in no order, and the alphas and alpha_bars that follow from them.

    Args:
        challenge: Fixes the betas and the device. All runs of an exercise get the same schedule.
        dtype: The dtype of the three tensors.
        steps: The number of steps, T.

    Returns:
        Three tensors of shape (T,); the betas lie in [0.01, 0.25).
    """
    betas = challenge.on("cpu").rand("betas", (steps,), 0.01, 0.25)
    alphas = 1 - betas
    return Schedule(betas, alphas, alphas.cumprod(0)).to(dtype).to(challenge.device)
