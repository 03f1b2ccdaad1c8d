"""Exercise 2.6, hidden half: the target of consistency between two times."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from autograder.exercises.kits import wrapped_normal
from autograder.exercises.kits.mistakes import Mistake, compare
from utils.checks.judging import Judge
from utils.checks.kits.inputs import in_double
from utils.checks.lab2.consistency import LAST_REUSED, ROUNDING, Inputs, require_targets
from utils.checks.lab2.reused_inputs import require_nothing_kept


@dataclass(frozen=True)
class Terms:
    """What the target and its usual mistakes consist of, in float64."""

    u: Tensor  # (b, n), x - y
    start: Tensor  # (b, 1), sigma_start
    end: Tensor  # (b, 1), sigma_end

    @property
    def variance(self) -> Tensor:
        """Variance of the Gaussian from y to x, the shape of u."""
        return (self.start**2 - self.end**2).expand_as(self.u)

    def pull(self, variance: Tensor) -> Tensor:
        """Return grad log K at u for this variance."""
        return wrapped_normal.pull(self.u, variance.expand_as(self.u))

    @property
    def target(self) -> Tensor:
        """The right target, (b, n)."""
        return self.start * self.pull(self.variance)


MISTAKES = [
    Mistake(
        "widths_subtracted",
        lambda t: t.start * t.pull((t.start - t.end) ** 2),
        "The Gaussian from y to x has the variance sigma_start² - sigma_end². You use (sigma_start - sigma_end)²: "
        "variances subtract, widths do not.",
    ),
    Mistake(
        "variances_added",
        lambda t: t.start * t.pull(t.start**2 + t.end**2),
        "You add the two variances. From the end of the walk to its start the variance grows by their difference.",
    ),
    Mistake(
        "wrong_width",
        lambda t: t.start * t.pull(t.start**2),
        "Your Gaussian has the width sigma_start. But y already contains noise: subtract its variance.",
    ),
    Mistake(
        "wrong_width",
        lambda t: t.start * t.pull(t.end**2),
        "Your Gaussian has the width sigma_end. It must describe the noise that is added between y and x.",
    ),
    Mistake(
        "wrong_scale",
        lambda t: t.variance.sqrt() * t.pull(t.variance),
        "You multiply by the width of the Gaussian. The network returns sigma_start times the score, so multiply by "
        "sigma_start.",
    ),
    Mistake(
        "wrong_scale",
        lambda t: t.end * t.pull(t.variance),
        "You multiply by sigma_end. The target is for the network at the *start* of the walk.",
    ),
    Mistake(
        "wrong_scale",
        lambda t: t.start**2 * t.pull(t.variance),
        "You multiply by sigma_start². The network returns sigma_start times the score.",
    ),
    Mistake(
        "variance_for_width",
        lambda t: t.start * t.pull(t.variance.sqrt()),
        "You use the width where the variance belongs: the exponent and the pull divide by the variance.",
    ),
    Mistake(
        "variance_for_width",
        lambda t: t.start * t.pull(t.variance) * t.variance.sqrt(),
        "Your pull is divided by the width of the Gaussian. A Gaussian's score is the offset over its *variance*.",
    ),
    Mistake(
        "scale_missing",
        lambda t: t.pull(t.variance),
        "Your target is the score. The network returns sigma_start times the score.",
    ),
    Mistake("wrong_sign", lambda t: -t.target, "Your target points from y to x. The score at x points back to y."),
    Mistake(
        "half_missing",
        lambda t: t.start * t.pull(t.variance / 2),
        "The exponent of a Gaussian is the squared distance over twice the variance; the factor 2 is missing.",
    ),
    Mistake(
        "half_missing",
        lambda t: t.start * t.pull(t.variance / 2) / 2,
        "The exponent of a Gaussian is the squared distance over twice the variance; the factor 2 is missing in your "
        "weights.",
    ),
    *wrapped_normal.wrong_pulls(lambda t, pull: t.start * pull(t.u, t.variance)),
    Mistake(
        "mean_differentiated",
        lambda t: t.target / t.u.numel(),
        "You divide by the number of samples and atoms, as the gradient of a mean does. Differentiate the sum.",
    ),
    Mistake(
        "mean_differentiated",
        lambda t: t.target / len(t.u),
        "You divide by the number of samples, as the gradient of a mean does. Differentiate the sum.",
    ),
    Mistake(
        "averaged",
        lambda t: t.target.mean().expand_as(t.u),
        "You return one number for the whole batch. Return one target for each sample and atom.",
    ),
]
WRONG_TARGET = (
    "wrong_target",
    "Your target is not sigma_start times the gradient of log K(x - y) with respect to x, where K has the variance "
    "sigma_start² - sigma_end².",
)


def verdict(judge: Judge) -> None:
    """One point if all targets are right."""
    with judge.part("target", points=1):
        for run, actual in require_targets(judge).items():
            if run == LAST_REUSED:
                require_nothing_kept(judge, f"{run}/target", "new/target", "consistency_target")
            inputs = in_double(Inputs.of(judge.challenge, run))
            terms = Terms(inputs.x - inputs.y, inputs.sigma_start, inputs.sigma_end)
            compare(judge, actual, terms.target, MISTAKES, terms, WRONG_TARGET, ROUNDING)
        judge.device()
