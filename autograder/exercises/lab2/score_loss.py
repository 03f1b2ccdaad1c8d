"""Exercise 2.3, hidden half: the loss of denoising score matching on a ring."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from autograder.exercises.kits import wrapped_normal
from autograder.exercises.kits.mistakes import Mistake
from autograder.exercises.kits.regression_loss import Regression, judge_regression, reductions
from utils.atoms import SIGMA_D
from utils.checks.judging import Judge
from utils.checks.lab2.score_loss import RUNS, TRAINERS, Inputs, require_properties
from utils.checks.lab2.score_loss_calls import Call
from utils.checks.lab2.score_loss_known import check_known_losses

# The rounding of float32: of a place, which the target divides by sigma, and of everything else, relative.
PLACE_ROUNDING, ROUNDING = 6e-7, 1e-4


@dataclass(frozen=True)
class Terms(Regression):
    """What the loss of one call and its usual mistakes consist of, in float64; output and target are (b, 2)."""

    call: Call

    @classmethod
    def of(cls, call: Call, out: Tensor) -> Terms:
        """Compute the target, sigma times the score, of a call in which the model returned `out`."""
        variance = (call.sigma**2).expand_as(call.x)
        return cls(out, call.sigma * wrapped_normal.pull(call.x - call.x0, variance), call)

    @property
    def sigma(self) -> Tensor:
        """Width of the noise, (b, 1)."""
        return self.call.sigma

    @cached_property
    def u(self) -> Tensor:
        """Offsets from the clean state, (b, 2)."""
        return self.call.x - self.call.x0

    @cached_property
    def variance(self) -> Tensor:
        """Variance of the noise, (b, 2)."""
        return (self.sigma**2).expand_as(self.u)

    @cached_property
    def score(self) -> Tensor:
        """Grad log K at u, (b, 2)."""
        return wrapped_normal.pull(self.u, self.variance)

    def loss(self, target: Tensor) -> Tensor:
        """Return the loss for another target."""
        return (self.out - target).square().mean()

    def loss_at(self, u: Tensor, variance: Tensor) -> Tensor:
        """Return the loss for the target at another offset or with another variance."""
        return self.loss(self.sigma * wrapped_normal.pull(u, variance))


WEIGHTS = [
    Mistake(
        "weighted_twice",
        lambda t: (t.sigma**2 * t.square).mean(),
        "Your loss is weighted by sigma², but the network's output already contains the factor sigma. That counts the "
        "weight twice.",
    ),
    Mistake(
        "weighted_twice",
        lambda t: (t.sigma * t.out - t.sigma * t.score).square().mean(),
        "You multiply the network's output by sigma. It is sigma times the score already.",
    ),
    Mistake(
        "weighted_twice",
        lambda t: (t.square / t.sigma**2).mean(),
        "You divide by sigma, so small times would dominate the loss.",
    ),
    Mistake(
        "weighted_by_time",
        lambda t: (t.square * t.call.t).mean(),
        "Your loss is weighted by the time t. In the exercise all times have the same weight.",
    ),
]
MISTAKES = [
    *reductions("atoms", "the mean pull, which is the score"),
    *wrapped_normal.wrong_pulls(lambda t, pull: t.loss(t.sigma * pull(t.u, t.variance))),
    Mistake(
        "noise_resampled",
        lambda t: t.loss_at(t.call.other_x - t.call.x0, t.variance),
        "You computed the target at another x than the model saw. Add noise once, and use the same x for both.",
    ),
    Mistake(
        "target_sign",
        lambda t: t.loss(-t.sigma * t.score),
        "Your target points from x0 to x. The score points back, to where the density is higher.",
    ),
    Mistake(
        "sigma_missing",
        lambda t: t.loss(t.score),
        "Your target is the score itself, which is about 1 / sigma, so small times would dominate the loss. The "
        "network learns sigma times the score.",
    ),
    Mistake(
        "sigma_squared",
        lambda t: t.loss(t.sigma**2 * t.score),
        "Your target is sigma² times the score. The network learns sigma times the score, which is about 1 at every "
        "time.",
    ),
    *WEIGHTS,
    Mistake(
        "target_is_noise",
        lambda t: t.loss(-t.call.noise),
        "Your target is minus the noise. On a line that is the same, but on a ring the noise may have gone around, and "
        "x does not tell how often. Use the score of the wrapped Gaussian at x - x0.",
    ),
    Mistake(
        "target_is_noise",
        lambda t: t.loss(t.call.noise),
        "Your target is the noise, as in a network that predicts noise. Here it is sigma times the score.",
    ),
    Mistake(
        "target_is_x0",
        lambda t: t.loss(t.call.x0),
        "Your target is the clean state x0, as in a denoiser. Here it is sigma times the score.",
    ),
    Mistake(
        "variance_for_width",
        lambda t: t.loss_at(t.u, t.sigma.expand_as(t.u)),
        "Your Gaussian has the variance sigma. Its width is sigma, so its variance is sigma².",
    ),
    Mistake(
        "half_missing",
        lambda t: t.loss_at(t.u, t.variance / 2),
        "The exponent of a Gaussian is the squared distance over twice the variance; the factor 2 is missing.",
    ),
    Mistake(
        "half_missing",
        lambda t: t.loss(t.sigma * wrapped_normal.pull(t.u, t.variance / 2) / 2),
        "The exponent of a Gaussian is the squared distance over twice the variance; the factor 2 is missing in your "
        "weights.",
    ),
    Mistake(
        "data_width_added",
        lambda t: t.loss_at(t.u, t.variance + SIGMA_D**2),
        "Your Gaussian has the variance sigma² + sigma_d². That belongs to the density of all data; here x0 is "
        "known, and only the noise has a width.",
    ),
    Mistake(
        "argument_reversed",
        lambda t: t.loss_at(t.call.x, t.variance),
        "You evaluate the Gaussian at x, not at x - x0.",
    ),
]
WRONG_LOSS = (
    "Given your x0, t and noise, the mean squared difference between the model's output and sigma grad log K(x | x0) "
    "is another number. Compare your last lines with the formula."
)


def rounding(terms: Terms) -> float:
    """Return the relative tolerance of the loss of one call, for an answer in float32."""
    places = (terms.error.abs() / terms.sigma).mean() * PLACE_ROUNDING
    return ROUNDING + float(places / terms.square.mean())


def judge_loss(judge: Judge, run: str, call: Call, inputs: Inputs) -> None:
    """Compare the loss of one call, and its gradient."""
    terms = Terms.of(call, inputs.model.field(call.x, call.t).double())
    judge_regression(judge, run, terms, MISTAKES, WRONG_LOSS, "atoms", rounding(terms))


def verdict(judge: Judge) -> None:
    """Three points if every call draws as it should and returns the right loss, also where it is known."""
    with judge.part("loss", points=3):
        calls = require_properties(judge)
        inputs = {trainer: Inputs.of(judge.challenge, trainer) for trainer in TRAINERS}
        for run, (trainer, _) in RUNS.items():
            judge_loss(judge, run, calls[run], inputs[trainer])
        check_known_losses(judge)
        judge.device()
