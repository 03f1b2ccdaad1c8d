"""Independent oracles of lab 2, in float64: log densities that automatic differentiation turns into scores."""

from __future__ import annotations

import math

import torch

from utils.atoms import CENTRES, SIGMA_D

COPIES = torch.arange(-9, 10, dtype=torch.float64)  # more periodic copies than any exercise needs


def log_wrapped(u, width):
    """Return the log of the wrapped normal density at u; width broadcasts against u."""
    z = (u[..., None] + COPIES) / width[..., None]
    return (-(z**2) / 2).logsumexp(-1) - torch.log(width) - 0.5 * math.log(2 * math.pi)


def log_density(x, sigma, sigma_d):
    """Return log p_t(x) of the two atoms, both orders equally likely."""
    width = (sigma**2 + sigma_d**2).sqrt().expand_as(x)
    centres = torch.tensor(CENTRES, dtype=torch.float64)
    orders = [log_wrapped(x - c, width).sum(-1) for c in (centres, centres.flip(0))]
    return torch.logsumexp(torch.stack(orders), 0) - math.log(2)


def density(x, sigma, sigma_d=SIGMA_D):
    """Return p_t(x) of the two atoms at one noise level."""
    return log_density(x, torch.full((len(x), 1), sigma), sigma_d).exp()


def gradient(function, x):
    """Return the gradient of a function that maps rows of x to numbers."""
    x = x.detach().clone().requires_grad_()
    return torch.autograd.grad(function(x).sum(), x)[0]


def exact_score(x, sigma, sigma_d):
    """Return the score of the two atoms."""
    return gradient(lambda x: log_density(x, sigma, sigma_d), x)


def kernel_score(x, y, width):
    """Return the gradient of log K(x - y; width) with respect to x."""
    return gradient(lambda x: log_wrapped(x - y, width.expand_as(x)), x)


def residual(score, x, t, sigma):
    """Return the residual of the Fokker-Planck equation, (b, d), sample by sample with forward-mode derivatives."""
    from torch.func import jacfwd

    def one(x, t):
        def s(x, t):
            return score(x[None], t[None])[0]

        def source(x):
            return jacfwd(s)(x, t).trace() + s(x, t) @ s(x, t)

        growth = jacfwd(lambda t: sigma(t) ** 2)(t)[0, 0]
        return jacfwd(s, argnums=1)(x, t)[:, 0] - growth / 2 * jacfwd(source)(x)

    with torch.no_grad():
        return torch.stack([one(*sample) for sample in zip(x, t, strict=True)])


def hard_places(n: int = 600) -> torch.Tensor:
    """Return random states, the cell's corners and edges, the diagonal, the crystal's places and their surroundings."""
    x = torch.rand(n, 2)
    x[:4] = torch.cartesian_prod(torch.tensor([0.0, 1.0]), torch.tensor([0.0, 1.0]))
    x[4:30, 0], x[30:60, 1] = 0.0, 1 - 1e-12
    x[60:120, 1] = x[60:120, 0]
    x[120:150, 1] = (x[120:150, 0] + 0.5) % 1
    x[150], x[151] = torch.tensor(CENTRES), torch.tensor(CENTRES).flip(0)
    x[152:200] = torch.tensor(CENTRES) + 0.02 * torch.randn(48, 2)
    return x


def square(points: int) -> torch.Tensor:
    """Return the centres of points × points small squares that fill the cell."""
    side = (torch.arange(points) + 0.5) / points
    return torch.cartesian_prod(side, side)
