"""Noise schedules for probes. They are random, so that a constant copied from the lab shows."""

from __future__ import annotations

import torch

from utils.checks.challenge import Challenge
from utils.diffusion import Schedule

MADE_UP_STEPS = 24
LAB_STEPS = 1000
LEAST_NOISE = 1e-4  # of the lab's first step, as a variance
LEAST_DATA = 4e-5  # of the data's variance after the lab's last step


def made_up_schedule(challenge: Challenge, dtype: torch.dtype = torch.float64, steps: int = MADE_UP_STEPS) -> Schedule:
    """Return a schedule with random betas in no order, and the alphas and alpha_bars that follow from them.

    Args:
        challenge: Fixes the betas and the device. All runs of an exercise get the same schedule.
        dtype: The dtype of the three tensors.
        steps: The number of steps, T.

    Returns:
        Three tensors of shape (T,); the betas lie in [0.01, 0.25).
    """
    return schedule_of(challenge.on("cpu").rand("betas", (steps,), 0.01, 0.25), challenge.device, dtype)


def hard_schedule(challenge: Challenge, name: str, steps: int, dtype: torch.dtype = torch.float64) -> Schedule:
    """Return a random schedule that reaches as little noise and as little data as the lab's own.

    Its first beta is at most the lab's, and after its last step less of the data is left than in the lab. With
    `LAB_STEPS` steps it is nearly the lab's schedule; with fewer the betas are large and irregular.

    Args:
        challenge: Fixes the numbers and the device.
        name: Names the schedule; another name has other numbers.
        steps: The number of steps, T.
        dtype: The dtype of the three tensors.

    Returns:
        Three tensors of shape (T,).
    """
    cpu = challenge.on("cpu")
    first = cpu.number(f"{name} first beta", 0.8 * LEAST_NOISE, LEAST_NOISE)
    if steps == LAB_STEPS:
        betas = torch.linspace(1e-4, 0.02, steps, dtype=torch.float64) * cpu.number(f"{name} stretch", 1.01, 1.1)
    else:
        shares = cpu.rand(f"{name} shares", (steps,), 0.5, 1.5) * torch.arange(steps)
        total = -torch.tensor(LEAST_DATA, dtype=torch.float64).log() + cpu.number(f"{name} surplus", 0.1, 1.0)
        betas = -torch.expm1(-total * shares / shares[1:].sum())
    betas[0] = first
    return schedule_of(betas, challenge.device, dtype)


def schedule_of(betas: torch.Tensor, device: str, dtype: torch.dtype) -> Schedule:
    """Return the schedule of float64 betas, (T,), converted to a dtype afterwards."""
    alphas = 1 - betas
    return Schedule(betas, alphas, alphas.cumprod(0)).to(dtype).to(device)
