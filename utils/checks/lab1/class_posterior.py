"""Exercise 1.3: the exact posterior p(y | x_t)."""

from __future__ import annotations

from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge
from utils.checks.kits.noised_words import RUNS, UNDERFLOWING, Inputs, probe_words
from utils.checks.kits.random_problems import CLASSES, WHERE
from utils.checks.kits.requirements import require_unchanged
from utils.checks.kits.same_answer import require_layout_ignored
from utils.checks.student import Student

NOT_NORMALISED = "not_normalised", "Your probabilities do not add up to 1 over the classes."


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Call `class_posterior` on noised words of random toy problems."""
    class_posterior = student.function("class_posterior", "x", "t", "setting")
    probe_words(evidence, challenge, lambda inputs: class_posterior(inputs.x, inputs.t, inputs.setting))


def require_finite_posterior(judge: Judge, run: str) -> Tensor:
    """Return the posterior of a run, (b, classes); fail if it has another shape, NaN or infinity."""
    batch = RUNS[run].batch
    posterior = judge.tensor(f"{run}/value", what="The posterior", finite=False)
    if posterior.shape == (batch,):
        judge.fail(
            "one_class_only",
            "You return the probability of one class. Return those of all classes, with shape (b, classes).",
        )
    judge.require(
        posterior.shape == (batch, CLASSES),
        "wrong_shape",
        f"The posterior has shape {tuple(posterior.shape)}, expected {(batch, CLASSES)}.",
    )
    finite = bool(posterior.isfinite().all())
    judge.require(
        finite or run not in UNDERFLOWING,
        "underflow",
        f"The posterior contains NaN or infinity (seen {WHERE[run]}), because every density underflows to 0 there. "
        "Work with logarithms: does any step leave them too early?",
    )
    judge.require(
        finite,
        "not_finite",
        f"The posterior contains NaN or infinity (seen {WHERE[run]}). Some probabilities of a setting are exactly 0.",
    )
    return posterior


def is_normalised(posterior: Tensor) -> bool:
    """Return whether the probabilities of each sample, (b, classes), add up to 1."""
    return bool((posterior.sum(1) - 1).abs().max() <= 1e-4)


def wrong_posterior(run: str) -> tuple[str, str]:
    """Return code and message for a posterior with wrong numbers. Where densities underflow, blame that."""
    if run in UNDERFLOWING:
        return (
            "underflow",
            f"Your posterior is wrong {WHERE[run]}, where densities underflow to 0. "
            "Add logarithms, and sum with logsumexp; a small constant inside a logarithm does not help.",
        )
    return (
        "wrong_posterior",
        f"Your posterior is not p(y | x_t) (seen {WHERE[run]}). "
        "Work out a case of two sites and two components by hand: which sum, and which product, comes first?",
    )


def check(judge: Judge) -> None:
    """Check that the results are probabilities, the prior at t = 1, and the public numbers."""
    with judge.part("posterior", 4):
        for run in RUNS:
            posterior = require_finite_posterior(judge, run)
            judge.require(
                (posterior >= -1e-6).all(), "negative", f"Some of your probabilities are negative (seen {WHERE[run]})."
            )
            judge.require(is_normalised(posterior), *NOT_NORMALISED)
            require_unchanged(judge, f"{run}/inputs_kept")
        prior = Inputs.of(judge.challenge, "late").setting.prior
        judge.require(
            (judge.tensor("late/value") - prior).abs().max() < 0.1,
            "not_the_prior",
            "At t = 1 nothing is known about x_0, so the posterior must be the prior p(y), but yours is not. "
            "Does the prior enter, and where are your Gaussians centred when alpha(t) is nearly 0?",
        )
        for run, number in PUBLIC_NUMBERS.items():
            posterior = judge.tensor(f"{run}/value")
            directions = judge.challenge.randn(f"{run} posterior probe", tuple(posterior.shape))
            actual = float((posterior * directions).mean())
            judge.require(abs(actual - number) < 1e-5, *wrong_posterior(run))
        require_layout_ignored(judge, "letters")
        judge.device()


# The mean of the posterior times random directions on the public challenge. An oracle adds up all words of the alphabet
# one by one; for `long` it uses decimal arithmetic without logarithms. tests/exercises/lab1 computes the numbers again.
PUBLIC_NUMBERS = {
    "spins": 0.0330976,
    "letters": -0.0113154,
    "clear": 0.0625538,
    "far": 0.0969154,
    "impossible": 0.0282806,
    "long": 0.0147087,
    "late": -0.0092999,
    "one": -0.1745042,
    "single": -0.0344671,
}

EXERCISE = Exercise(
    "lab1.class_posterior",
    points=4,
    title="Who made this? The exact posterior",
    version=3,
    names=("class_posterior",),
    probe=probe,
    public=check,
)
