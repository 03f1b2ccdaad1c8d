"""Independent oracles of lab 2, in float64: log densities that automatic differentiation turns into scores."""

import math

import torch

from utils.atoms import CENTRES

WIDE = torch.arange(-9, 10, dtype=torch.float64)  # more images than anybody asks for


def log_wrapped(u, width):
    """log of the wrapped normal density at u; width broadcasts against u."""
    z = (u[..., None] + WIDE) / width[..., None]
    return (-(z**2) / 2).logsumexp(-1) - torch.log(width) - 0.5 * math.log(2 * math.pi)


def log_density(x, sigma, sigma_d):
    """log p_t(x) of the two atoms, both orders equally likely."""
    width = (sigma**2 + sigma_d**2).sqrt().expand_as(x)
    centres = torch.tensor(CENTRES, dtype=torch.float64)
    orders = [log_wrapped(x - c, width).sum(-1) for c in (centres, centres.flip(0))]
    return torch.logsumexp(torch.stack(orders), 0) - math.log(2)


def gradient(function, x):
    x = x.detach().clone().requires_grad_()
    return torch.autograd.grad(function(x).sum(), x)[0]


def exact_score(x, sigma, sigma_d):
    return gradient(lambda x: log_density(x, sigma, sigma_d), x)


def kernel_score(x, y, width):
    """grad_x log K(x - y; width)."""
    return gradient(lambda x: log_wrapped(x - y, width.expand_as(x)), x)
