"""Lab 3's results by other ways than the lab's, in float64.

They use one noising step after another, conditioning of Gaussians, automatic differentiation and difference quotients.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from scipy.integrate import quad, solve_ivp
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.kits.projections import project
from utils.checks.stubs import StubClassifier
from utils.diffusion import Schedule


def chain(schedule: Schedule) -> tuple[Tensor, Tensor]:
    """Return the factor of the data and the variance of the noise after each step, (T + 1,). Index 0 is the data."""
    shares, variances = [1.0], [0.0]
    for beta in schedule.betas.tolist():
        shares.append((1 - beta) ** 0.5 * shares[-1])
        variances.append((1 - beta) * variances[-1] + beta)
    return torch.tensor(shares, dtype=torch.float64), torch.tensor(variances, dtype=torch.float64)


def spread(values: Tensor, x: Tensor) -> Tensor:
    """Return (b,) as (b, 1, …, 1), with as many axes as x."""
    return values.reshape(len(values), *[1] * (x.dim() - 1))


def noised(x0: Tensor, t: Tensor, noise: Tensor, schedule: Schedule) -> Tensor:
    """Return x_t."""
    shares, variances = chain(schedule)
    return spread(shares[t + 1], x0) * x0 + spread(variances[t + 1].sqrt(), x0) * noise


def sigmas(t: Tensor, schedule: Schedule) -> dict[str, Tensor]:
    """Return the three sigmas, the posterior by conditioning: Var(a | b) = Var a - Cov(a, b)² / Var b."""
    _, variances = chain(schedule)
    before, after = variances[t], variances[t + 1]
    covariance = (1 - schedule.betas[t]).sqrt() * before
    return {
        "step": schedule.betas[t].sqrt(),
        "total": after.sqrt(),
        "posterior": (before - covariance**2 / after).clamp(min=0).sqrt(),
    }


def score(noise: Tensor, t: Tensor, schedule: Schedule) -> Tensor:
    """Return the gradient of log N(x; 0, v) at x = sqrt(v) noise, by automatic differentiation; the data are 0."""
    variance = spread(chain(schedule)[1][t + 1], noise)
    x = (variance.sqrt() * noise).requires_grad_()
    return torch.autograd.grad(torch.distributions.Normal(0.0, variance.sqrt()).log_prob(x).sum(), x)[0]


def noise_of(given: Tensor, t: Tensor, schedule: Schedule) -> Tensor:
    """Return the noise that has the given score; the score is proportional to the noise."""
    return given / score(torch.ones_like(given), t, schedule)


def gradient(classifier: StubClassifier, x: Tensor, t: Tensor, y: Tensor, h: float = 1e-5) -> Tensor:
    """Return central differences of log p(y | x), one coordinate at a time."""
    flat = x.flatten(1)
    columns = []
    for i in range(flat.shape[1]):
        ends = []
        for side in (h, -h):
            moved = flat.clone()
            moved[:, i] += side
            logits = classifier.compute(moved.reshape(x.shape), t).detach()
            ends.append((logits - logits.logsumexp(1, keepdim=True))[torch.arange(len(y)), y])
        columns.append((ends[0] - ends[1]) / (2 * h))
    return torch.stack(columns, dim=1).reshape(x.shape)


def guided(noise: Tensor, g: Tensor, t: Tensor, w: float, schedule: Schedule) -> Tensor:
    """Return the noise estimate of the score s + w g."""
    return noise_of(score(noise, t, schedule) + w * g, t, schedule)


def ddpm(x: Tensor, t: Tensor, noise_estimate: Tensor, noise: Tensor, schedule: Schedule) -> Tensor:
    """Return the mean of x one step before, given x and the data that the estimate implies, plus noise."""
    shares, variances = chain(schedule)
    share, before_share = spread(shares[t + 1], x), spread(shares[t], x)
    after, before = spread(variances[t + 1], x), spread(variances[t], x)
    x0 = (x - after.sqrt() * noise_estimate) / share
    root = spread((1 - schedule.betas[t]).sqrt(), x)
    mean = before_share * x0 + root * before / after * (x - share * x0)
    return mean + spread(schedule.betas[t].sqrt() * (t > 0), x) * noise


def ddim(x: Tensor, t: Tensor, t_prev: Tensor, noise_estimate: Tensor, schedule: Schedule) -> Tensor:
    """Return the data and the noise behind x, mixed again for t_prev; index -1 + 1 is the data itself."""
    shares, variances = chain(schedule)
    x0 = (x - spread(variances[t + 1].sqrt(), x) * noise_estimate) / spread(shares[t + 1], x)
    return spread(shares[t_prev + 1], x) * x0 + spread(variances[t_prev + 1].sqrt(), x) * noise_estimate


def variances(S: float, s: float, w: float) -> dict[str, float]:
    """Return tilt by quadrature of p^(1-w) p(.|y)^w, and ode and sde by solving their equations from large tau."""

    def density(x: float) -> float:
        return math.exp(-(x**2) * ((1 - w) / S + w / s) / 2)

    edge = 12 * S**0.5
    tilt = quad(lambda x: x**2 * density(x), -edge, edge)[0] / quad(density, -edge, edge)[0]
    far = 1e8 * S

    def slope(kind):
        def of(log_tau, log_U):
            # in the logarithms of tau and of U the equations are not stiff
            tau, U = math.exp(log_tau), math.exp(log_U[0])
            rate = (1 - w) / (S + tau) + w / (s + tau)
            return [tau * rate] if kind == "ode" else [tau * (2 * rate - 1 / U)]

        return of

    out = {"tilt": tilt}
    for kind in ("ode", "sde"):
        ends = (math.log(far), math.log(1e-7 * s))
        solved = solve_ivp(slope(kind), ends, [math.log(far)], rtol=1e-10, atol=1e-12, method="LSODA")
        out[kind] = math.exp(solved.y[0, -1])
    return out


def projections(exercise: str, results: dict[str, Tensor]) -> dict[str, float]:
    """Return the numbers with which a public check compares results, by the names of their directions."""
    return {name: project(Challenge.public(exercise), name, value) for name, value in results.items()}


def doubled(inputs: object) -> dict[str, object]:
    """Return the fields of an exercise's inputs, with float tensors in float64.

    The schedule is left out: it has to be made in float64, not converted.
    """
    return {
        name: value.double() if isinstance(value, Tensor) and value.is_floating_point() else value
        for name, value in vars(inputs).items()
        if name != "schedule"
    }


def factors(apply: Callable[..., Tensor], terms: Sequence[str], size: int, **others: object) -> dict[str, Tensor]:
    """Return the factor of each term in a function that is linear in its terms, (size,) each, from unit inputs.

    Args:
        apply: The function, called by keywords.
        terms: The names of the inputs of which its result is a sum.
        size: The number of samples.
        **others: Its other arguments.
    """
    zero, one = torch.zeros(size, 1, dtype=torch.float64), torch.ones(size, 1, dtype=torch.float64)
    results = {}
    for name in terms:
        inputs = {other: one if other == name else zero for other in terms}
        results[name] = apply(**inputs, **others).flatten()
    return results


def assert_table(numbers: Mapping, expected: Mapping[str, Mapping[str, Tensor]]) -> None:
    """Compare the table of factors of a public check with the oracle's: run, term, sample."""
    rounded = {
        run: {name: tuple(round_digits(v) for v in values.tolist()) for name, values in terms.items()}
        for run, terms in expected.items()
    }
    assert set(numbers) == set(rounded), f"the oracle gives {rounded}"
    for run, terms in rounded.items():
        assert set(numbers[run]) == set(terms)
        for name, values in terms.items():
            close = all(abs(a - b) <= 1e-6 * abs(b) + 1e-12 for a, b in zip(numbers[run][name], values, strict=True))
            assert close, f"{run}, {name}: the oracle gives {values}"


def round_digits(value: float) -> float:
    """Return a number with eight significant digits."""
    return float(f"{value:.8g}")
