"""Exercise 2.5, hidden half: the residual of the Fokker-Planck equation of a score."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from autograder.exercises.kits.mistakes import Mistake, compare
from utils.checks.judging import Judge
from utils.checks.kits.inputs import in_double
from utils.checks.kits.left_behind import require_nothing_left
from utils.checks.lab2.fokker_planck import (
    CALLS,
    PARTLY_DETACHED,
    ROUNDING,
    WRONG_VALUES,
    require_late_toys,
    require_residual,
    require_solution,
    require_toy,
    require_trainable,
)
from utils.checks.lab2.fokker_planck_fields import TOYS, StubSigma, Waves
from utils.checks.lab2.fokker_planck_inputs import WAVES, Inputs


@dataclass(frozen=True)
class Terms:
    """The terms of the equation for a field of sines, written down by hand in float64."""

    s: Tensor  # (b, d) the score
    s_dt: Tensor  # (b, d) its time derivative
    laplacian: Tensor  # (b, d) the gradient of its divergence
    flow: Tensor  # (b, d) the gradient of |s|²
    divergence: Tensor  # (b, 1)
    mixed: Tensor  # (b, d) the gradient of the sum over the whole Jacobian
    along: Tensor  # (b, d) twice the Jacobian, not transposed, times the score
    second: Tensor  # (b, d) the Laplacian of each coordinate of the score
    sigma: Tensor  # (b, 1)
    sigma_dt: Tensor  # (b, 1)

    @classmethod
    def of(cls, inputs: Inputs) -> Terms:
        """Compute the terms of one run."""
        field, x, t = inputs.field, inputs.x, inputs.t
        assert isinstance(field, Waves)
        m, v, a, w, p = (value.double() for value in (field.m, field.v, field.a, field.w, field.p))
        angle, tau = 2 * math.pi * x @ m.T + t * w + p, 2 * math.pi  # (b, wave)
        sine, cosine = a * torch.sin(angle), a * torch.cos(angle)
        s = sine @ v
        jacobian = tau * torch.einsum("bk,ki,kj->bij", cosine, v, m)  # d s_i / d x_j
        sigma, sigma_dt = sigma_and_derivative(inputs.sigma, t)
        return cls(
            s=s,
            s_dt=(w * cosine) @ v,
            laplacian=-(tau**2) * ((v * m).sum(1) * sine) @ m,
            flow=2 * (jacobian.mT @ s[..., None])[..., 0],
            divergence=jacobian.diagonal(dim1=1, dim2=2).sum(1, keepdim=True),
            mixed=-(tau**2) * (v.sum(1) * m.sum(1) * sine) @ m,
            along=2 * (jacobian @ s[..., None])[..., 0],
            second=-(tau**2) * (m.square().sum(1) * sine) @ v,
            sigma=sigma,
            sigma_dt=sigma_dt,
        )

    @property
    def half(self) -> Tensor:
        """Half the growth of the variance, (b, 1)."""
        return self.sigma * self.sigma_dt

    @property
    def spatial(self) -> Tensor:
        """The gradient of divergence and |s|² together, (b, d)."""
        return self.laplacian + self.flow

    @property
    def residual(self) -> Tensor:
        """The residual, (b, d)."""
        return self.s_dt - self.half * self.spatial


def sigma_and_derivative(sigma: StubSigma, t: Tensor) -> tuple[Tensor, Tensor]:
    """Return sigma(t) of the stub and its time derivative."""
    angle = sigma.speed * t + sigma.phase
    return 0.151 + 0.149 * torch.sin(angle), 0.149 * sigma.speed * torch.cos(angle)


FACTOR_MISSING = "The factor that depends on sigma is missing."

MISTAKES = [
    Mistake(
        "two_missing",
        lambda e: e.s_dt - e.half * (e.laplacian + e.flow / 2),
        "The gradient of |s|² is twice the transposed Jacobian times s. Your factor 2 is missing, so the residual of "
        "an exact score would be in the thousands, not zero.",
    ),
    Mistake(
        "not_transposed",
        lambda e: e.s_dt - e.half * (e.laplacian + e.along),
        "The gradient of |s|² is twice the *transposed* Jacobian times s. Yours is not transposed, which is the same "
        "only where the score is a gradient. A network's need not be one.",
    ),
    Mistake(
        "not_transposed",
        lambda e: e.s_dt - e.half * (e.second + e.along),
        "You use the Laplacian of s and the Jacobian times s. They equal the gradients of the divergence and of |s|² "
        "only where the score is a gradient. A network's need not be one.",
    ),
    Mistake(
        "laplacian_of_score",
        lambda e: e.s_dt - e.half * (e.second + e.flow),
        "You use the Laplacian of each coordinate of s. It equals the gradient of the divergence only where the score "
        "is a gradient. A network's need not be one.",
    ),
    Mistake(
        "wrong_sign",
        lambda e: e.s_dt + e.half * e.spatial,
        "You add the two sides where they have to be subtracted. With your sign the residual of an exact score is "
        "twice its time derivative.",
    ),
    Mistake(
        "wrong_sign",
        lambda e: e.s_dt - e.half * (e.laplacian - e.flow),
        "The term of |s|² has the wrong sign.",
    ),
    Mistake(
        "wrong_sign",
        lambda e: e.s_dt - e.half * (e.flow - e.laplacian),
        "The term of the divergence has the wrong sign.",
    ),
    Mistake(
        "time_derivative_summed",
        lambda e: e.s_dt.sum(1, keepdim=True) - e.half * e.spatial,
        "Your time derivative is that of the sum of all coordinates, the same number for each. Every coordinate of "
        "the score has its own.",
    ),
    Mistake(
        "not_the_divergence",
        lambda e: e.s_dt - e.half * (e.mixed + e.flow),
        "You differentiate the sum of all coordinates and add up. The divergence contains only the derivative of each "
        "coordinate with respect to itself, the diagonal of the Jacobian.",
    ),
    Mistake(
        "time_derivative_missing",
        lambda e: -e.half * e.spatial,
        "The time derivative of the score is missing.",
    ),
    Mistake(
        "only_time_derivative",
        lambda e: e.s_dt,
        "Your residual contains only the time derivative.",
    ),
    Mistake(
        "divergence_missing",
        lambda e: e.s_dt - e.half * e.flow,
        "The gradient of the divergence is missing.",
    ),
    Mistake(
        "square_missing",
        lambda e: e.s_dt - e.half * e.laplacian,
        "The gradient of |s|² is missing. Without it the equation would be that of the density, not of the score.",
    ),
    Mistake(
        "variance_growth_doubled",
        lambda e: e.s_dt - 2 * e.half * e.spatial,
        "You multiply by the growth of the variance. The equation has half of it: sigma times its derivative.",
    ),
    Mistake(
        "sigma_not_differentiated",
        lambda e: e.s_dt - e.sigma**2 / 2 * e.spatial,
        "You multiply by sigma² / 2. The equation has the *growth* of sigma²: differentiate it with respect to time.",
    ),
    Mistake(
        "sigma_not_differentiated",
        lambda e: e.s_dt - e.sigma**2 * e.spatial,
        "You multiply by sigma². The equation has the *growth* of sigma²: differentiate it with respect to time.",
    ),
    Mistake(
        "sigma_missing",
        lambda e: e.s_dt - e.sigma_dt * e.spatial,
        "You multiply by the derivative of sigma alone. The growth of sigma² is 2 sigma times that.",
    ),
    Mistake(
        "sigma_missing",
        lambda e: e.s_dt - e.sigma_dt / 2 * e.spatial,
        "You multiply by half the derivative of sigma. The growth of sigma² is 2 sigma times the whole derivative.",
    ),
    Mistake("sigma_missing", lambda e: e.s_dt - e.spatial, FACTOR_MISSING),
    Mistake("sigma_missing", lambda e: e.s_dt - e.spatial / 2, FACTOR_MISSING),
    Mistake(
        "sigma_exponential",
        lambda e: e.s_dt - e.sigma**2 * math.log(200.0) * e.spatial,
        "You use sigma' = sigma · log(sigma_max / sigma_min), which holds for the exponential schedule alone. "
        "Differentiate the function `sigma` that is passed in.",
    ),
    Mistake(
        "normalised_score",
        lambda e: (e.sigma_dt * e.s + e.sigma * e.s_dt) - e.half * (e.sigma * e.laplacian + e.sigma**2 * e.flow),
        "Your residual is that of sigma times the score. That product obeys another equation: insert the score itself.",
    ),
    Mistake(
        "density_equation",
        lambda e: e.s_dt - e.half * (e.divergence + e.s.square().sum(1, keepdim=True)),
        "Your equation is that of log p. The exercise needs its gradient, one line for each coordinate.",
    ),
    Mistake(
        "squared",
        lambda e: e.residual**2,
        "You return the square of the residual. Return the residual itself: the loss squares it.",
    ),
    Mistake(
        "absolute",
        lambda e: e.residual.abs(),
        "You return the absolute value of the residual. Return the residual itself, with its sign.",
    ),
    Mistake(
        "sign_of_residual",
        lambda e: -e.residual,
        "You return minus the residual. As a loss that is the same, but in the exercise the time derivative comes "
        "first.",
    ),
]
WRONG_RESIDUAL = (
    "wrong_residual",
    "For a field of sines, whose derivatives can be written down, your residual is another one. Check each term "
    "alone: the time derivative, the gradient of the divergence, the gradient of |s|².",
)


def judge_gradient(judge: Judge, run: str, terms: Terms) -> None:
    """Compare the derivative of the mean squared residual with respect to the field's gain, at gain = 1."""
    parts = 2 * terms.residual * (terms.residual - terms.half * terms.flow)  # |s|² contains the gain squared
    judge.compare(
        judge.tensor(f"{run}/grad", (), "The gradient of the network's parameter"),
        parts.mean(),
        otherwise=PARTLY_DETACHED,
        rtol=ROUNDING,
        atol=ROUNDING * float(parts.abs().mean()),  # the parts cancel, so their size sets the tolerance
    )


def verdict(judge: Judge) -> None:
    """Three points if the residual is right for random fields and zero for a solution."""
    with judge.part("residual", points=3):
        for run in WAVES:
            residual = require_residual(judge, run)
            terms = Terms.of(in_double(Inputs.of(judge.challenge, run)))
            size = terms.s_dt.abs() + (terms.half * terms.laplacian).abs() + (terms.half * terms.flow).abs()
            atol = ROUNDING * float(size.max())
            otherwise = WRONG_RESIDUAL if run == WAVES[0] else WRONG_VALUES[run]
            compare(judge, residual, terms.residual, MISTAKES, terms, otherwise, 0.0, atol)
            require_trainable(judge, run)
            judge_gradient(judge, run, terms)
        for run in TOYS:
            require_toy(judge, run)
        require_solution(judge)
        require_late_toys(judge)
        require_nothing_left(judge, CALLS)
        judge.device()
