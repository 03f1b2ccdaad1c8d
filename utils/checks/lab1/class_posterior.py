"""Exercise 1.3: the exact posterior p(y | x_t)."""

from __future__ import annotations

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge
from utils.checks.kits.left_behind import require_nothing_left, watching
from utils.checks.kits.noised_words import (
    RUNS,
    UNDERFLOWING,
    WHERE,
    Inputs,
    probe_words,
    require_digits,
    require_letters,
    require_samples_apart,
)
from utils.checks.kits.projections import TOLERANCE, project, require_projection
from utils.checks.kits.requirements import require_unchanged
from utils.checks.kits.same_answer import require_layout_ignored
from utils.checks.student import Student
from utils.vp import T_MIN

NOT_NORMALISED = "not_normalised", "Your probabilities do not add up to 1 over the classes."


MILD = 1  # the row of the run `odds` with the smallest x at the earliest time
EARLY_X = 0.001  # so near to 0 that no posterior underflows
EARLY_RATIO = 2.18099136384  # of the log odds 2 alpha x / sigma² at T_MIN and at 2 T_MIN
EARLY_RTOL = 1e-8  # what is added to sigma² shows from 2e-12 on; float64 rounds to 1e-12
GRADIENT = "equal"  # the run that is repeated with an x that requires a gradient, as the lab passes it


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Call `class_posterior` on noised words of random toy problems; and differentiate it with respect to x."""
    class_posterior = student.function("class_posterior", "x", "t", "setting")
    probe_words(evidence, challenge, lambda inputs: class_posterior(inputs.x, inputs.t, inputs.setting))
    with evidence.attempt("early"):
        inputs = Inputs.of(challenge, "odds")
        x = torch.full((2, 1, 1), EARLY_X, dtype=torch.float64)
        t = torch.tensor([T_MIN, 2 * T_MIN], dtype=torch.float64).reshape(2, 1, 1)
        posterior = class_posterior(x, t, inputs.setting)
        evidence.put("early/odds", posterior.log()[:, 1] - posterior.log()[:, 0])
    with evidence.attempt("gradient"):
        inputs = Inputs.of(challenge, GRADIENT)
        x = inputs.x.clone().requires_grad_()
        with watching(evidence, "gradient", x=x):
            posterior = class_posterior(x, inputs.t, inputs.setting)
        attached = isinstance(posterior, Tensor) and posterior.requires_grad and posterior.dim() == 2
        evidence.put("gradient/attached", attached)
        if attached:
            chosen = posterior.log()[torch.arange(len(x)), inputs.y].sum()
            evidence.put("gradient/value", torch.autograd.grad(chosen, x)[0])


def require_gradient_of_posterior(judge: Judge) -> Tensor:
    """Return the gradient of log p(y | x) with respect to x; fail if there is none."""
    judge.require(
        judge.value("gradient/attached", bool),
        "detached",
        "Your posterior is cut off from x: the lab differentiates it to check 1.4. "
        "Use torch's functions throughout, and detach nothing.",
    )
    shape = Inputs.of(judge.challenge, GRADIENT).x.shape
    gradient = judge.tensor("gradient/value", shape, "The gradient of your posterior", finite=False)
    judge.require(
        bool(gradient.isfinite().all()),
        "gradient_not_finite",
        "The derivative of your posterior with respect to x contains NaN or infinity, although the posterior does not. "
        "Is a value that is thrown away infinite, as in `torch.where`, or does one step combine nothing but log(0)?",
    )
    return gradient


def require_finite_posterior(judge: Judge, run: str) -> Tensor:
    """Return the posterior of a run, (b, classes); fail if it has another shape, NaN or infinity."""
    batch, classes = RUNS[run].batch, RUNS[run].classes
    posterior = judge.tensor(f"{run}/value", what="The posterior", finite=False)
    if posterior.shape == (batch,):
        judge.fail(
            "one_class_only",
            "You return the probability of one class. Return those of all classes, with shape (b, classes).",
        )
    judge.require(
        posterior.shape == (batch, classes),
        "wrong_shape",
        f"The posterior has shape {tuple(posterior.shape)}, expected {(batch, classes)}.",
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
    judge.require_precision(f"{run}/value", RUNS[run].dtype, "The posterior")
    return posterior


def is_normalised(posterior: Tensor) -> bool:
    """Return whether the probabilities of each sample, (b, classes), add up to 1."""
    return bool((posterior.sum(1) - 1).abs().max() <= 1e-4)


def wrong_posterior(run: str) -> tuple[str, str]:
    """Return code and message for a posterior with wrong numbers. Where densities underflow, blame that."""
    if run in UNDERFLOWING and run not in WRONG:
        return (
            "underflow",
            f"Your posterior is wrong {WHERE[run]}, where densities underflow to 0. "
            "Add logarithms, and sum with logsumexp; a small constant inside a logarithm does not help.",
        )
    return WRONG.get(
        run, ("wrong_posterior", f"Your posterior is not p(y | x_t) (seen {WHERE[run]}), but it is right elsewhere.")
    )


# The runs from the simplest to the most general one, and what is new in each.
WRONG = {
    "letter": (
        "wrong_letters",
        "Your posterior is wrong for words of one letter, with one component a class. It is right for one spin that "
        "each class fixes, with equal priors. New here are a third letter, letters with several coordinates, "
        "probabilities between 0 and 1, a third class, and an uneven prior.",
    ),
    "word": (
        "wrong_sites",
        "Your posterior is right for words of one letter and wrong for longer ones, with one component a class. "
        "How do the densities of independent sites combine?",
    ),
    "spins": (
        "wrong_components",
        "Your posterior is right for classes of one component, and wrong for mixtures. "
        "A sample has one component for all its sites. What is multiplied first, what is added then, and with which "
        "weights?",
    ),
    "clear": (
        "near_the_data",
        "Your posterior is wrong where there is hardly any noise. Is sigma or a probability limited from below, or is "
        "something kept from an earlier call?",
    ),
    "impossible": (
        "impossible_words",
        "Your posterior is wrong near words that no class can make. There a small constant that is added to a "
        "probability decides everything: log(0) = -inf is right, and `logsumexp` knows what to do with it.",
    ),
    "balanced": (
        "wrong_far_out",
        f"Your posterior is wrong {WHERE['balanced']}, but it is right elsewhere. "
        "Is x limited, or a number put in the place of log(0)?",
    ),
    "late": (
        "wrong_at_the_end",
        "Your posterior is right at earlier times, but wrong near t = 1, where alpha is small and the prior decides.",
    ),
}


def slopes(posterior: Tensor, inputs: Inputs) -> tuple[float, float]:
    """Return log p(1 | x) - log p(0 | x), divided by x, at the earliest and at the latest time.

    Of the x at the earliest time it takes the smallest, so that no probability is 0 there, not even a wrong one.
    """
    slope = (posterior[:, 1] / posterior[:, 0]).log() / inputs.x.flatten()
    return float(slope[MILD]), float(slope[inputs.t.argmax()])


def wrong_odds(posterior: Tensor, inputs: Inputs) -> tuple[str, str]:
    """Return code and message for wrong log odds of one spin whose two classes have one letter each.

    Exact log odds are linear in x at each time, so their size is compared with the distance of the two centres.
    """
    t = inputs.t.flatten()
    early, late = slopes(posterior, inputs)
    expected_early, expected_late = SLOPES
    start = (
        "Take one spin that is -1 in class 0 and +1 in class 1, with equal priors. "
        f"Your log p(1 | x) - log p(0 | x) is {early:.7g} · x at t = {float(t.min()):.2g} and {late:.7g} · x "
        f"at t = {float(t.max()):.2g}"
    )
    if early < 0:
        return "odds_reversed", f"{start}. It should have the other sign."
    if early < 0.05 * expected_early:
        return (
            "odds_tiny",
            f"{start}: {early / expected_early:.7g} and {late / expected_late:.7g} times what is right. "
            "A letter of probability 0 has the logarithm -inf.",
        )
    if abs(early / expected_early - 1) < 1e-6:
        return (
            "time_shared",
            f"{start}: right at the first, and {late / expected_late:.7g} times what is right at the other.",
        )
    if early > expected_early * 1.001 and late > expected_late * 1.001:
        alike = abs(early / expected_early - late / expected_late) < 1e-3
        hint = "By which factor do you multiply your logarithms?" if alike else "Where is each Gaussian centred?"
        return "odds_too_large" if alike else "odds_uneven", f"{start}, which is too much at both. {hint}"
    return (
        "odds_wrong",
        f"{start}: {early / expected_early:.7g} and {late / expected_late:.7g} times what is right. "
        "Where are the Gaussians centred, and how wide are they?",
    )


def early_growth(judge: Judge, finite: bool = True) -> float:
    """Return the ratio of the log odds of one spin at T_MIN and at 2 T_MIN; 0 if one of them is 0.

    Args:
        judge: The judge of the exercise.
        finite: Fail if the odds are not finite. Otherwise the ratio is NaN then.
    """
    odds = judge.tensor("early/odds", (2,), "Your log odds", finite=finite)
    return float(odds[0] / odds[1]) if odds[1] else 0.0


def require_width(judge: Judge) -> None:
    """Fail unless the odds of one spin grow as they must where there is hardly any noise.

    At T_MIN, sigma² is nearly 0.0001, and at 2 T_MIN nearly twice as large. A width that is limited does not fall so.
    """
    ratio = early_growth(judge)
    judge.require(
        bool(ratio),
        "odds_vanish",
        f"Take one spin that is -1 in class 0 and +1 in class 1, at x = {EARLY_X:g}. Your "
        f"log p(1 | x) - log p(0 | x) is right at t = 0.013, but exactly 0 at t = {2 * T_MIN:g} or at t = {T_MIN:g}. "
        "How small are the two densities there, and what becomes of them in your code?",
    )
    judge.require(
        abs(ratio / EARLY_RATIO - 1) < EARLY_RTOL,
        "width_limited",
        f"Take one spin that is -1 in class 0 and +1 in class 1, at x = {EARLY_X:g}. From t = {2 * T_MIN:g} to "
        f"t = {T_MIN:g} the logarithm of p(1 | x) / p(0 | x) grows by a factor of {EARLY_RATIO:.10g}, and yours "
        f"by {ratio:.10g}. Is sigma(t) or t limited from below, or a constant added to one of them?",
    )


def check(judge: Judge) -> None:
    """Check that the results are probabilities, the prior at t = 1, and the public numbers."""
    with judge.part("posterior", 4):
        require_nothing_left(judge, RUNS)
        require_letters(
            judge, lambda run, posterior: has_public_number(judge, run, posterior), wrong_posterior("letter")
        )
        for run in RUNS:
            posterior = require_finite_posterior(judge, run)
            judge.require(
                (posterior >= -1e-6).all(), "negative", f"Some of your probabilities are negative (seen {WHERE[run]})."
            )
            judge.require(is_normalised(posterior), *NOT_NORMALISED)
            require_unchanged(judge, f"{run}/inputs_kept")
        require_digits(judge)
        require_linear_odds(judge)
        for run in PUBLIC_NUMBERS:
            posterior = judge.tensor(f"{run}/value")
            if run == "odds":
                require_odds(judge, posterior, Inputs.of(judge.challenge, run))
                require_width(judge)
                require_prior(judge)
            judge.require(has_public_number(judge, run, posterior), *wrong_posterior(run))
        gradient = require_gradient_of_posterior(judge)
        require_nothing_left(judge, ["gradient"])
        finding = ("wrong_gradient", "The values of your posterior are right, but its derivative is not.")
        require_projection(judge, "gradient", gradient, PUBLIC_GRADIENT, finding)
        require_layout_ignored(judge, "letters")
        require_samples_apart(judge, "class_posterior")
        judge.device()


def has_public_number(judge: Judge, run: str, posterior: Tensor) -> bool:
    """Return whether the posterior of a run has the right shape and the right mean on the public challenge."""
    if posterior.shape != (RUNS[run].batch, RUNS[run].classes):
        return False
    error = abs(project(judge.challenge, run, posterior) - PUBLIC_NUMBERS[run])
    return error < (TOLERANCE if run in ROUNDED else EXACT)


def require_odds(judge: Judge, posterior: Tensor, inputs: Inputs) -> None:
    """Fail unless the log odds of one spin have the right size."""
    actual = slopes(posterior, inputs)
    right = all(abs(slope / expected - 1) < 1e-5 for slope, expected in zip(actual, SLOPES))
    judge.require(right, *wrong_odds(posterior, inputs))


def require_linear_odds(judge: Judge) -> None:
    """Fail unless the log odds of one spin are proportional to x at one time, up to odds of exp(640)."""
    posterior, x = judge.tensor("odds/value")[:4], Inputs.of(judge.challenge, "odds").x.flatten()[:4]
    if not (is_normalised(posterior) and bool((posterior[MILD] > 0).all())):
        return
    odds = (posterior[:, 1] / posterior[:, 0]).log()
    if not odds.any():
        return  # the numbers are wrong, but proportional to x
    if not bool((posterior > 0).all()):
        if abs(float(odds[MILD] / x[MILD]) / SLOPES[0] - 1) < 1e-5:
            judge.fail(*LOST_TO_ZERO)
        return  # the numbers are wrong for a smaller x, too
    worst = int((odds / x - odds[MILD] / x[MILD]).abs().argmax())
    judge.require(
        abs(float(odds[worst] / odds[MILD] * x[MILD] / x[worst]) - 1) < 1e-6,
        "odds_limited",
        "Take one spin that is -1 in class 0 and +1 in class 1. Its log odds are proportional to x, but yours are "
        f"{float(odds[MILD]):.7g} at x = {float(x[MILD]):.5g} and {float(odds[worst]):.7g} at "
        f"x = {float(x[worst]):.5g}, at the same time. "
        "Limit no probability and no density, and add no constant to them: log(0) = -inf is right.",
    )


LOST_TO_ZERO = (
    "lost_to_zero",
    "Take one spin that is -1 in class 0 and +1 in class 1. At an x where the one has the probability 1e-278, yours is "
    "exactly 0, and later cells take its logarithm. Is it 1 minus another probability, or do you replace small ones?",
)


def require_prior(judge: Judge) -> None:
    """Fail unless the posterior at t = 1 is nearly the prior."""
    prior = Inputs.of(judge.challenge, "late").setting.prior
    late = judge.tensor("late/value")
    even = (late - 1 / late.shape[1]).abs().max()
    judge.require(
        even > 0.02 or (late - prior).abs().max() < 0.02,
        "even_at_one",
        "At t = 1 your posterior gives all classes the same probability. "
        "Nothing is known about x_0 there, so it must be the prior p(y), which is uneven.",
    )
    judge.require(
        (judge.tensor("late/value") - prior).abs().max() < 0.1,
        "not_the_prior",
        "At t = 1 nothing is known about x_0, so the posterior must be the prior p(y), but yours is not.",
    )


# The mean of the posterior times random directions on the public challenge. An oracle adds up all words of the alphabet
# one by one; for `long` it uses decimal arithmetic without logarithms. tests/exercises/lab1 computes the numbers again.
ROUNDED = ("single", "balanced")  # in `balanced`, exponents have a size of 10^9
EXACT = 1e-6  # how far the mean of a posterior in float64 may be from its number, which has seven digits
PUBLIC_GRADIENT = 0.1422996  # of log p(y | x) with respect to x, in the run `GRADIENT`
SLOPES = 639.6677262, 0.33243744  # the log odds in the run `odds`, divided by x, at the earliest and at the latest time
PUBLIC_NUMBERS = {
    "odds": -0.0773941,
    "letter": 0.0488796,
    "word": 0.0645133,
    "spins": -0.0101470,
    "letters": -0.0833548,
    "clear": 0.0962793,
    "far": -0.0508704,
    "long": -0.0159758,
    "impossible": -0.0750047,
    "late": -0.0086140,
    "one": 0.4724134,
    "equal": -0.0220047,
    "single": -0.1503488,
    "balanced": 0.0786691,
}

EXERCISE = Exercise(
    "lab1.class_posterior",
    points=4,
    title="Who made this? The exact posterior",
    version=9,
    names=("class_posterior",),
    probe=probe,
    public=check,
)
