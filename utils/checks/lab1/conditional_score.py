"""Exercise 1.4: the exact score of a class, the gradient of log p_t(x | y) with respect to x."""

from __future__ import annotations

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge
from utils.checks.kits.autograd_used import noticing_autograd
from utils.checks.kits.left_behind import require_nothing_left
from utils.checks.kits.noised_words import (
    RUNS,
    WHERE,
    Inputs,
    probe_words,
    require_digits,
    require_letters,
    require_samples_apart,
)
from utils.checks.kits.requirements import require_unchanged
from utils.checks.kits.same_answer import require_layout_ignored
from utils.checks.student import Student
from utils.vp import alpha, sigma

CLOSE = 0.15  # a best guess of x_0 that is nearer to the mean counts as near; at t = 0.9 x moves it less
SAME_TIME = 4  # the first rows of the run `odds` have four x at one time
CLOSE_AT_THE_END = 0.03  # the same near t = 1, where x moves the best guess by 0.002


ROUNDED = ("single", "balanced")  # in `balanced`, exponents have a size of 10^9


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Call `conditional_score` on noised words of random toy problems."""
    conditional_score = student.function("conditional_score", "x", "t", "y", "setting")

    def call(inputs: Inputs) -> object:
        return conditional_score(inputs.x, inputs.t, inputs.y, inputs.setting)

    with noticing_autograd(evidence, "closed/derivatives"):
        probe_words(evidence, challenge, call)
    with evidence.attempt("no_grad"), torch.no_grad():  # as the lab's sampler calls it
        evidence.put("no_grad/value", call(Inputs.of(challenge, "letters")))


def directions(challenge: Challenge, run: str) -> Tensor:
    """Return random directions in the shape of x, larger where the noise is larger, so that every time counts alike."""
    inputs = Inputs.of(challenge, run)
    return challenge.randn(f"{run} score probe", tuple(inputs.x.shape)) * inputs.t.double()


def require_finite_score(judge: Judge, run: str, inputs: Inputs) -> Tensor:
    """Return the score of a run, (b, sites, d); fail if it has another shape, NaN or infinity."""
    score = judge.tensor(f"{run}/value", inputs.x.shape, "The score", finite=False)
    judge.require(
        bool(score.isfinite().all()),
        "not_finite",
        f"Your score contains NaN or infinity (seen {WHERE[run]}). "
        "Probabilities may be exactly 0, and densities underflow: stay with logarithms and softmax.",
    )
    judge.require_precision(f"{run}/value", RUNS[run].dtype, "The score")
    return score


def require_closed_form(judge: Judge) -> None:
    """Fail if a derivative was taken automatically."""
    judge.require(
        judge.value("closed/derivatives", int) == 0,
        "not_closed_form",
        "Your function differentiates automatically, but the exercise asks for the closed form: "
        "it can be read, and it works where nothing is recorded for a derivative.",
    )


def wrong_score(run: str) -> tuple[str, str]:
    """Return code and message for a score with wrong numbers."""
    return WRONG.get(
        run,
        (
            "wrong_score",
            f"Your score is not the gradient of log p_t(x | y) with respect to x (seen {WHERE[run]}). "
            "It is right for simpler problems.",
        ),
    )


# The runs from the simplest to the most general one, and what is new in each.
WRONG = {
    "letter": (
        "wrong_letters",
        "Your score is wrong for words of one letter, with one component a class. It is right where the letter is "
        "certain, so look at the mean of the letter, given x: which letters does it weight, and how?",
    ),
    "word": (
        "wrong_sites",
        "Your score is right for words of one letter and wrong for longer ones, with one component a class. "
        "There the sites do not influence each other, and no other component counts, however near to x it is.",
    ),
    "far": ("wrong_far_out", "Your score is right near the data, and wrong where x is far from every word."),
    "balanced": (
        "wrong_at_100",
        f"Your score is wrong {WHERE['balanced']}, but it is right elsewhere. "
        "Is x limited, or a number put in the place of log(0)?",
    ),
    "spins": (
        "wrong_components",
        "Your score is right for classes of one component, and wrong for mixtures. "
        "How probable is each component, given the whole x and the class y?",
    ),
}


LATE = "At the latest times x tells hardly anything, so the best guess of x_0, (sigma² s + x) / alpha, must be nearly "


def best_guess(score: Tensor, inputs: Inputs) -> Tensor:
    """Return the mean of x_0 that belongs to a score, (b, sites, d)."""
    t = inputs.t.double()
    return (sigma(t) ** 2 * score + inputs.x.double()) / alpha(t)


def wrong_mean_of_letter(score: Tensor, inputs: Inputs) -> tuple[str, str] | None:
    """Return code and message for a wrong mean of one letter, if a special time or x shows what is wrong with it."""
    guess, mean = best_guess(score, inputs), inputs.setting.probs.double()[:, 0] @ inputs.setting.points.double()
    if bool((guess - inputs.setting.embed(inputs.setting.read(guess))).abs().max() < 1e-6):
        return (
            "letter_certain",
            "Already for words of one letter your score is wrong. The best guess of x_0 that it contains, "
            "(sigma² s + x) / alpha, is one letter in each of our samples, as if x left no doubt.",
        )
    first = (inputs.y == inputs.y[0]).nonzero()[:, 0]
    if len(first) > 1 and bool((guess[first] - guess[first[0]]).abs().max() < 1e-6):
        return (
            "mean_ignores_x",
            "Already for words of one letter your score is wrong. The best guess of x_0 that it contains, "
            "(sigma² s + x) / alpha, is the same for all our x of a class. But x tells how likely each letter is.",
        )
    if bool((guess[-1, 0] - mean[inputs.y[-1]]).abs().max() > CLOSE):
        return (
            "letters_at_the_end",
            f"Already for words of one letter your score is wrong. {LATE}the mean of the class's letters, "
            f"but at t = {float(inputs.t[-1]):.2g} yours is not.",
        )
    return None


def wrong_mean_of_components(score: Tensor, inputs: Inputs) -> tuple[str, str] | None:
    """Return code and message for a wrong mean over the components, if it is wrong even where x tells nothing."""
    setting = inputs.setting.to(torch.float64)
    means = torch.einsum("yc,clk->ylk", setting.weights, setting.probs) @ setting.points
    far = (best_guess(score, inputs) - means[inputs.y]).abs().amax((1, 2))
    if bool(far.median() > CLOSE_AT_THE_END):
        return (
            "components_at_the_end",
            f"Your score is right for classes of one component, and wrong for mixtures. {LATE}the mean of all words of "
            "the class, but near t = 1 yours is not. How many of them come from each component?",
        )
    return None


def explained(judge: Judge, run: str, score: Tensor) -> tuple[str, str]:
    """Return code and message for a score with wrong numbers, as precise as a property can tell."""
    inputs = Inputs.of(judge.challenge, run)
    found = None
    if run == "odds":
        return wrong_pull(score, inputs)
    if run == "letter":
        found = wrong_mean_of_letter(score, inputs)
    elif run == "spins":
        found = wrong_mean_of_components(judge.tensor("late/value"), Inputs.of(judge.challenge, "late"))
    return found or wrong_score(run)


def pulls(inputs: Inputs, t: Tensor, y: Tensor) -> Tensor:
    """Return the score of one Gaussian for each sample: that of the spin of class y with noise."""
    t = t.double()
    return (alpha(t) * inputs.setting.points[y][:, None] - inputs.x) / sigma(t) ** 2


def is_pulled(score: Tensor, inputs: Inputs) -> bool:
    """Return whether the score of each fixed spin is right, relative to its own size."""
    pull = pulls(inputs, inputs.t, inputs.y)
    return bool(((score - pull) / pull).abs().max() < 1e-6)


def in_other_order(score: Tensor, expected: Tensor) -> bool:
    """Return whether scores of fixed spins, (b,), are the expected ones, but not each in its own row."""
    same = (score.sort().values / expected.sort().values - 1).abs().max() < 1e-4
    return bool(same) and not bool((score / expected - 1).abs().max() < 1e-3)


def uses_the_first(score: Tensor, inputs: Inputs) -> bool:
    """Return whether a score of one fixed spin is that of the first sample's class, of its time, or of both."""
    t, y = inputs.t[:1].expand_as(inputs.t), inputs.y[:1].expand_as(inputs.y)
    wrong = [pulls(inputs, *which) for which in ((t, y), (t, inputs.y), (inputs.t, y))]
    return any(bool(((score - pull) / pull).abs().max() < 1e-4) for pull in wrong)


def wrong_pull(score: Tensor, inputs: Inputs) -> tuple[str, str]:
    """Return code and message for a wrong score of one spin that the class fixes, where the score is linear in x."""
    first, last = (float(score.flatten()[i]) / PUBLIC_PULLS[i] for i in (0, -1))
    start = "Already for one spin that the class fixes, your score is wrong: "
    if bool((score - inputs.setting.points[inputs.y][:, None]).abs().max() < 1e-4):
        return (
            "guess_instead",
            f"{start}it is the spin itself, +1 or -1, whatever x is. That is the best guess of x_0. The score says how "
            "far, and in which direction, x has to move to become more probable.",
        )
    if uses_the_first(score, inputs):
        return (
            "only_the_first",
            f"{start}it is right for the first sample, but {last:.4g} times what is right for the last. "
            "That one has another class and another time: which class, and which time, do you use?",
        )
    expected = pulls(inputs, inputs.t, inputs.y)
    if in_other_order(score.flatten(), expected.flatten()):
        return (
            "other_order",
            f"{start}all its numbers are right, but some are in the rows of other samples. In which order are they?",
        )
    if abs(first - 1) < 1e-3:
        return wrong_after_the_first(score, expected, inputs, start)
    where = f"at t = {float(inputs.t[0]):.2g} and x = {float(inputs.x[0]):.3g} it is {first:.4g} times what is right. "
    if first == 0:
        return "no_pull", f"{start}{where}What cancels there?"
    if abs(first + 1) < 1e-3:
        return "pull_reversed", f"{start}{where}In which direction does x become more probable?"
    if first < 0:
        return (
            "pull_negative",
            f"{start}{where}Is it the sign alone, or does another class count, or a letter that is impossible?",
        )
    ratios = (score / expected).flatten()[:SAME_TIME]
    if bool((ratios / ratios[0] - 1).abs().max() < 1e-6):
        return (
            "pull_scaled",
            f"{start}{where}The ratio is the same for every x at this time, so the distance from x to the centre is "
            "right. What do you multiply it with, or divide it by?",
        )
    if first < 0.5:
        return "pull_too_weak", f"{start}{where}What does a score subtract, and what is it divided by?"
    return "pull_wrong", f"{start}{where}Where is the Gaussian centred?"


def wrong_after_the_first(score: Tensor, expected: Tensor, inputs: Inputs, start: str) -> tuple[str, str]:
    """Return code and message, which begins with `start`, for a score that is right for the first sample alone."""
    ratios = (score / expected).flatten()
    worst = int((ratios - 1).abs().argmax())
    if (missed := int(((ratios - 1).abs() > 1e-3).sum())) > len(ratios) / 8:
        guess = float(best_guess(score, inputs).flatten()[worst])
        own = float(inputs.setting.points[inputs.y].flatten()[worst])
        if abs(guess) < 1e-3:
            return (
                "no_guess",
                f"{start}it is right for the first sample, and wrong for {missed} of {len(ratios)}. The best guess of "
                "x_0 that it contains, (sigma² s + x) / alpha, is once 0, as if no letter were possible. "
                "Do the densities become 0 in your code?",
            )
        return (
            "other_components",
            f"{start}it is right for the first sample, and wrong for {missed} of {len(ratios)}. The best guess of "
            f"x_0 that it contains, (sigma² s + x) / alpha, is once {guess:.3g}, but its class has only {own:.3g}. "
            "Which components, and which letters, does your code count for a class, and how?",
        )
    t, x = float(inputs.t.flatten()[worst]), float(inputs.x.flatten()[worst])
    return (
        "right_for_some",
        f"{start}it is nearly right for the first sample. At t = {t:.2g} and x = {x:.3g} for class "
        f"{int(inputs.y[worst])} it is {float(ratios[worst]):.9g} times what is right. "
        "Does your code add a constant, limit a number, or treat a class or a time differently?",
    )


def check(judge: Judge) -> None:
    """Check the requirements and the public numbers."""
    with judge.part("score", 2):
        require_nothing_left(judge, RUNS)
        require_letters(judge, lambda run, score: has_public_number(judge, run, score), wrong_score("letter"))
        for run in RUNS:
            require_finite_score(judge, run, Inputs.of(judge.challenge, run))
            require_unchanged(judge, f"{run}/inputs_kept")
        require_digits(judge)
        for run in PUBLIC_NUMBERS:
            score = judge.tensor(f"{run}/value")
            if not has_public_number(judge, run, score):
                judge.fail(*explained(judge, run, score))
        require_closed_form(judge)
        require_layout_ignored(judge, "letters")
        require_samples_apart(judge, "conditional_score")
        judge.device()


def has_public_number(judge: Judge, run: str, score: Tensor) -> bool:
    """Return whether the score of a run has the right shape and the right mean on the public challenge."""
    inputs, number = Inputs.of(judge.challenge, run), PUBLIC_NUMBERS[run]
    if score.shape != inputs.x.shape:
        return False
    actual = float((score * directions(judge.challenge, run)).mean())
    near = abs(actual - number) < (1e-4 if run in ROUNDED else 1e-6) * max(1.0, abs(number))
    return near and (run != "odds" or is_pulled(score, inputs))


# The mean of the score times `directions` on the public challenge: the derivative of the log of a sum over all words.
# tests/exercises/lab1 computes the numbers again. `long` has too many words.
PUBLIC_PULLS = {0: -159.5835377, -1: -0.3665172}  # the score in the run `odds` of the first and of the last sample
PUBLIC_NUMBERS = {
    "odds": 0.5475825,
    "letter": 0.0194667,
    "word": 0.0099640,
    "spins": 0.0151039,
    "letters": 0.0067889,
    "clear": 0.3341867,
    "far": -8.2827311,
    "impossible": -0.2166626,
    "late": 0.0305246,
    "one": -0.0286397,
    "equal": -0.0119410,
    "single": 0.0453959,
    "balanced": -4.4079174,
}

EXERCISE = Exercise(
    "lab1.conditional_score",
    points=2,
    title="The exact score of a class",
    version=8,
    names=("conditional_score",),
    probe=probe,
    public=check,
)
