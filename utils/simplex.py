"""Beyond lab 1: noise that never leaves the simplex, the Dirichlet path of Stark et al. (2024).

A letter i out of K becomes a point x on the simplex: x ~ Dirichlet(1, …, alpha at place i, …, 1). At alpha = 1 that is
uniform, whatever the letter; as alpha grows, x moves into corner i. Shapes: (…, K), numbers in [0, 1] that add up to 1.
Letters are integers from 0 to K - 1, alpha is at least 1.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def log_density(x: Tensor, letter: int, alpha: float) -> Tensor:
    """log p_alpha(x | letter) for x of shape (…, K), shape (…,). Where x is 0 at the letter: -inf for alpha > 1, NaN for alpha = 1."""
    k = x.shape[-1]
    return math.lgamma(k - 1 + alpha) - math.lgamma(alpha) + (alpha - 1) * x[..., letter].log()


def sample(letters: Tensor, alpha: float, k: int, generator: torch.Generator | None = None) -> Tensor:
    """One point x ~ p_alpha(x | letter) for each of `letters`, shape (*letters.shape, k), float64."""
    concentration = torch.ones(*letters.shape, k, dtype=torch.float64)
    concentration.scatter_(-1, letters[..., None], alpha)
    draws = torch._standard_gamma(concentration, generator=generator)
    return draws / draws.sum(-1, keepdim=True)


def speed(x: Tensor, alpha: float, k: int) -> Tensor:
    """C(x, alpha): how fast mass at distance 1 - x from its corner moves there as alpha grows; x is the letter's coordinate.

    The closed form for whole k, from the derivative of the incomplete beta function in its first argument. x lies between
    0 and 1, ends excluded; the result has its shape, float64. For k <= 4 its error is below 1e-10, for k > 8 it cancels
    near x = 1: then use a table.
    """
    n = k - 1
    x = x.double()
    rest = 1 - x
    total, rising, harmonic = torch.zeros_like(x), 1.0, 0.0
    for j in range(n):
        total = total + rising * rest**j * (x.log() + harmonic)
        harmonic += 1 / (alpha + j)
        rising *= (alpha + j) / (j + 1)
    beta_function = math.exp(math.lgamma(alpha) + math.lgamma(n) - math.lgamma(alpha + n))
    return -beta_function * x / rest**n * total


def conditional_velocity(x: Tensor, letter: int, alpha: float) -> Tensor:
    """u_alpha(x | letter) = C(x_letter, alpha) (e_letter - x): straight towards the corner. Its coordinates add up to 0."""
    corner = torch.zeros_like(x)
    corner[..., letter] = 1.0
    return speed(x[..., letter], alpha, x.shape[-1])[..., None] * (corner - x)


def velocity(x: Tensor, posterior: Tensor, alpha: float) -> Tensor:
    """The mean of the conditional velocities under `posterior`, p(letter | x), both of shape (…, K)."""
    k = x.shape[-1]
    return sum(posterior[..., i : i + 1] * conditional_velocity(x, i, alpha) for i in range(k))


def posterior(x: Tensor, probs: Tensor, alpha: float) -> Tensor:
    """p(letter | x), shape (…, K), where the letters have the probabilities `probs`, shape (K,) or (…, K)."""
    return torch.softmax(probs.log() + (alpha - 1) * x.log(), dim=-1)


def guided_posterior(x: Tensor, letters: Tensor, gradient: Tensor, alpha: float) -> Tensor:
    """p(letter | x, class) from `letters`, p(letter | x), and the gradient in x of log p(class | x); all (…, K).

    It may leave the simplex when the gradient is scaled up: follow it with `project`. alpha must be above 1.
    """
    return letters + x * (gradient - (x * gradient).sum(-1, keepdim=True)) / (alpha - 1)


def project(y: Tensor) -> Tensor:
    """The nearest point of the simplex (Euclidean) to each of y, (…, K): shift all coordinates by one number, and cut off what is below 0.

    Held, Wolfe and Crowder (1974); Duchi et al. (2008).
    """
    k = y.shape[-1]
    order = y.sort(dim=-1, descending=True).values
    shifts = (order.cumsum(-1) - 1) / torch.arange(1, k + 1, device=y.device, dtype=y.dtype)
    kept = (order > shifts).sum(-1, keepdim=True)
    return (y - shifts.gather(-1, kept - 1)).clamp_min(0)
