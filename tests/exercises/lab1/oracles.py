"""Independent oracles for lab 1, in float64: sums over every word of the alphabet, and differential equations."""

from __future__ import annotations

import decimal
import itertools

import torch
from scipy.integrate import solve_ivp
from torch import Tensor

from utils.checks.kits.noised_words import RUNS
from utils.toy_problems import ToyProblem
from utils.vp import beta

# Runs with few enough words to add up: the classes of `balanced` have two, a component of `equal` has 729.
SMALL_RUNS = [run for run, sizes in RUNS.items() if sizes.letters**sizes.sites <= 5000 or run in ("balanced", "equal")]


def mean_and_variance(t: float) -> tuple[float, float]:
    """Return what is left of the data and the variance of the noise: a' = -beta a / 2, v' = beta (1 - v)."""

    def right_side(time, state):
        rate = float(beta(torch.tensor(time, dtype=torch.float64)))
        return [-rate * state[0] / 2, rate * (1 - state[1])]

    end = solve_ivp(right_side, (0.0, t), [1.0, 0.0], rtol=1e-11, atol=1e-13).y[:, -1]
    return float(end[0]), float(end[1])


def all_words(setting: ToyProblem) -> Tensor:
    """Return every word that a class can make, (words, sites)."""
    components = setting.probs[(setting.weights > 0).any(0)]
    letters = [[site.nonzero().flatten().tolist() for site in probs] for probs in components]
    return torch.tensor(sorted(set().union(*(itertools.product(*sites) for sites in letters))))


def word_probs(setting: ToyProblem) -> Tensor:
    """Return p(word | y) of every word, (classes, words)."""
    words, setting = all_words(setting), setting.to(torch.float64)
    probabilities = []
    for weights in setting.weights:
        total = torch.zeros(len(words), dtype=torch.float64)
        for share, probs in zip(weights, setting.probs):
            product = torch.ones(len(words), dtype=torch.float64)
            for site in range(setting.sites):
                product = product * probs[site, words[:, site]]
            total = total + share * product
        probabilities.append(total)
    return torch.stack(probabilities)


def log_densities(x: Tensor, t: Tensor, setting: ToyProblem) -> Tensor:
    """Return log p_t(x | y), (b, classes): a sum over all words of their probability times a Gaussian around each."""
    setting = setting.to(torch.float64)
    places = setting.points[all_words(setting)]  # (words, sites, d)
    rows = []
    for point, time in zip(x.double(), t.double().flatten()):
        a, v = mean_and_variance(float(time))
        logs = -((point - a * places) ** 2).sum((1, 2)) / (2 * v)
        rows.append(torch.logsumexp(word_probs(setting).log() + logs, dim=1))
    return torch.stack(rows)


def posterior(x: Tensor, t: Tensor, setting: ToyProblem) -> Tensor:
    """Return p(y | x_t), (b, classes)."""
    return torch.softmax(setting.prior.double().log() + log_densities(x, t, setting), dim=1)


def posterior_in_decimals(x: Tensor, t: Tensor, setting: ToyProblem) -> Tensor:
    """Return p(y | x_t) without any logarithm, in numbers of 60 digits that do not underflow."""
    with decimal.localcontext() as context:
        context.prec, context.Emin, context.Emax = 60, decimal.MIN_EMIN, decimal.MAX_EMAX
        exact = lambda v: decimal.Decimal(float(v))  # noqa: E731
        rows = []
        for point, time in zip(x.double(), t.double().flatten()):
            a, v = mean_and_variance(float(time))
            gaussians = [
                [(-sum((exact(u) - exact(a) * exact(e)) ** 2 for u, e in zip(site, place)) / (2 * exact(v))).exp()
                 for place in setting.points]
                for site in point
            ]  # fmt: skip
            components = []
            for probs in setting.probs:
                product = decimal.Decimal(1)
                for site, row in enumerate(gaussians):
                    product *= sum(exact(p) * g for p, g in zip(probs[site], row))
                components.append(product)
            joint = [
                exact(prior) * sum(exact(share) * c for share, c in zip(shares, components))
                for prior, shares in zip(setting.prior, setting.weights)
            ]
            rows.append([float(j / sum(joint)) for j in joint])
    return torch.tensor(rows, dtype=torch.float64)


def score(x: Tensor, t: Tensor, y: Tensor, setting: ToyProblem) -> Tensor:
    """Return the gradient of log p_t(x | y), by automatic differentiation of the sum over all words."""
    x = x.detach().double().requires_grad_()
    logs = log_densities(x, t, setting)[torch.arange(len(y)), y]
    return torch.autograd.grad(logs.sum(), x)[0]


def step(x, t, h, score, class_score, w, noise) -> Tensor:
    """Take one step of the reverse equation dx = (f - g² s) dt + g dW.

    Here dt = -h, f = -beta x / 2 and g² = beta.
    """
    drift = -0.5 * beta(t) * x - beta(t) * ((1 - w) * score + w * class_score)
    return x + drift * (-h) + beta(t) ** 0.5 * h**0.5 * noise
