"""Exercise 3.8, three variances: `what_guidance_samples`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge
from utils.checks.kits.left_behind import require_nothing_left, watching
from utils.checks.student import Student

VARIANCES = ("tilt", "ode", "sde")  # as `what_guidance_samples` returns them
TOLERANCE = 5e-4  # relative: the text asks for four significant digits
NEAR_HALF = {"below_half", "above_half"}  # runs
SMALL = 0.05  # a variance below which a solver's usual absolute tolerance costs digits
NEARLY = 0.02  # relative: what is nearer than this has the right form, or is a coarse numerical solution
THREE = "three numbers"


@dataclass(frozen=True)
class Inputs:
    """The inputs of one run."""

    S: float  # the variance of all data
    s: float  # the variance of the class, less than S
    w: float  # the guidance scale

    @classmethod
    def of(cls, challenge: Challenge, run: str) -> Inputs:
        """Return the inputs of a run of `RUNS`."""
        fixed = RUNS[run]
        if fixed is not None:
            return fixed
        S = challenge.number(f"{run} S", 1.5, 6.0)
        s = S * challenge.number(f"{run} ratio", 0.2, 0.8)
        return cls(S, s, challenge.number(f"{run} w", 1.2, 6.0))


RUNS: dict[str, Inputs | None] = {
    # None is drawn
    "plain": Inputs(3.0, 0.5, 0.0),
    "honest": Inputs(3.0, 0.5, 1.0),
    "example": Inputs(4.0, 1.0, 3.0),
    "drawn0": None,
    "drawn1": None,
    "drawn2": None,
    # As near to special values, and as far out, as numerical solutions keep four digits: they start at tau = 1e6, so
    # w (S - s) is small beside it, and end above 0, so w / s is not large.
    "weak": Inputs(3.0, 0.5, 0.02),
    "nearly_honest": Inputs(3.0, 0.5, 0.98),
    "below_half": Inputs(3.0, 0.5, 0.49),
    "above_half": Inputs(3.0, 0.5, 0.51),
    "close": Inputs(1.24, 1.2, 20.0),  # s and w as in "strong": only S differs
    "wide": Inputs(100.0, 0.5, 1.5),
    "strong": Inputs(2.0, 1.2, 20.0),
    "lab": Inputs(4.0, 1.0, 5.0),
    "powers": Inputs(12.0, 11.5, 20.0),  # float32 holds neither S^(2 - 2w) nor s^(2w)
}


def form_of(variances: object) -> str:
    """Return `THREE` if there are three things in a row, or else what there is, in words."""
    if not isinstance(variances, tuple | list | Tensor | np.ndarray):
        return f"a Python {type(variances).__name__}"
    if not isinstance(variances, tuple | list) and variances.ndim == 0:
        return "a single number"
    return THREE if len(variances) == len(VARIANCES) else f"{len(variances)} values"


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Call the function with fixed and with drawn arguments."""
    what_guidance_samples = student.function("what_guidance_samples", "S", "s", "w")
    for run in RUNS:
        with evidence.attempt(run):
            inputs = Inputs.of(challenge, run)
            with watching(evidence, run):
                variances = what_guidance_samples(inputs.S, inputs.s, inputs.w)
            form = THREE if variances is None else form_of(variances)  # the judge has words of its own for None
            evidence.put(f"{run}/form", form)
            values = (None,) * 3 if variances is None or form != THREE else variances
            for label, value in zip(VARIANCES, values):
                evidence.put(f"{run}/{label}", value)


def require_variance(judge: Judge, run: str, label: str) -> float:
    """Return one of the three variances of a run; fail unless it is a finite number."""
    form = judge.value(f"{run}/form", str)
    judge.require(
        form == THREE,
        "not_three",
        f"Your function returns {form}. Return three numbers: `return tilt, ode, sde`.",
    )
    value, inputs = judge.number(f"{run}/{label}", f"The variance called '{label}'", finite=False), RUNS[run]
    where = "" if inputs is None else f" for S = {inputs.S:g}, s = {inputs.s:g}, w = {inputs.w:g}"
    judge.require(
        math.isfinite(value),
        "not_finite",
        f"The variance called '{label}' is NaN or infinite{where}. Are its powers too large or too small for float32?",
    )
    return value


def judge_variances(
    judge: Judge,
    expected: Callable[[str, str], float],
    explain: Callable[[str, str, float], None],
) -> None:
    """Judge each of the three variances in all runs. The check and the grader both call this.

    Args:
        judge: The judge of the exercise.
        expected: Returns the right variance of a run, by its name.
        explain: Is called with run, variance and the wrong number, and may fail with a more specific finding.
    """
    for label in VARIANCES:
        with judge.part(label, 1):
            numbers = {run: require_variance(judge, run, label) for run in RUNS}
            require_nothing_left(judge, RUNS)
            sizes = {run: number / expected(run, label) for run, number in numbers.items()}
            wrong = [run for run, size in sizes.items() if abs(size - 1) > TOLERANCE]
            if not wrong:
                continue
            fail_for_other_quantity(judge, label, expected)
            for run in wrong:
                explain(run, label, numbers[run])
            worst = max(wrong, key=lambda run: abs(sizes[run] - 1))
            fail_if_only_there(judge, label, wrong, expected)
            fail_by_size(judge, worst, label, numbers[worst], expected(worst, label))


def fail_if_only_there(judge: Judge, label: str, wrong: list[str], expected: Callable[[str, str], float]) -> None:
    """Fail if only the runs near w = 1/2 are wrong, or only those with a small variance."""
    judge.require(
        not set(wrong) <= NEAR_HALF,
        f"near_half_{label}",
        f"Your '{label}' is right but near w = 1/2, for example at 0.49 or 0.51. Only w = 1/2 itself is excluded.",
    )
    judge.require(
        any(expected(run, label) > SMALL for run in wrong),
        f"imprecise_{label}",
        f"Your '{label}' is right but where it is below {SMALL:g}. In a numerical solution, is the absolute tolerance "
        "small enough? In a formula, look for a small term or a limit.",
    )


def fail_for_other_quantity(judge: Judge, label: str, expected: Callable[[str, str], float]) -> None:
    """Fail if the numbers of all runs are right for something else: another variance, or a root of the right one."""
    actual = [require_variance(judge, run, label) for run in RUNS]
    wanted = [expected(run, label) for run in RUNS]
    others = {
        other: (f"{other}_for_{label}", f"it is the variance called '{other}'", [expected(run, other) for run in RUNS])
        for other in VARIANCES
        if other != label
    }
    others["root"] = ("root_for_variance", "it is a standard deviation, the root of it", [v**0.5 for v in wanted])
    others["inverse"] = ("precision_for_variance", "it is a precision, one over it", [1 / v for v in wanted])
    for code, words, numbers in others.values():
        if all(abs(a / b - 1) < TOLERANCE for a, b in zip(actual, numbers, strict=True)):
            judge.fail(code, f"Your '{label}' is not the variance of that name: {words}.")


def fail_by_size(judge: Judge, run: str, label: str, actual: float, right: float) -> None:
    """Fail with what is known of every wrong number: how far it is from the right one."""
    inputs = Inputs.of(judge.challenge, run)
    where = f"For S = {inputs.S:.5g}, s = {inputs.s:.5g}, w = {inputs.w:.5g} your '{label}' is {actual:.6g}"
    judge.require(
        abs(actual / right - 1) > NEARLY,
        f"imprecise_{label}",
        f"{where}, and {right:.6g} is right: near, but not the same to four digits. A numerical solution needs "
        "smaller tolerances (the absolute one, too) or smaller steps, and a large tau to start from. In a formula, "
        "look for a small term.",
    )
    judge.fail(
        f"wrong_{label}",
        f"{where}, and {SOURCES[label]} gives {right:.4g}: yours is {actual / right:.3g} times that.",
    )


def check(judge: Judge) -> None:
    """Judge the public challenge by w = 0, by w = 1, and by the numbers below."""

    def explain(run: str, label: str, actual: float) -> None:
        if run in ENDS:
            explain_end(judge, run, label, actual)

    judge_variances(judge, public, explain)


def explain_end(judge: Judge, run: str, label: str, actual: float) -> None:
    """Fail if a variance at w = 0 or w = 1 is far from the known one; say what it is instead."""
    (w, words), right, S = ENDS[run], public(run, label), Inputs.of(judge.challenge, run).S
    begin = f"At w = {w} {words}, so '{label}' is {right:g}, but yours is {actual:.5g}"
    judge.require(actual > 0, f"negative_{label}", f"{begin}, and no variance is negative.")
    judge.require(abs(actual / S**2 - 1) > NEARLY, f"squared_{label}", f"{begin}, the square of S.")
    other = require_variance(judge, next(end for end in ENDS if end != run), label)
    judge.require(
        abs(actual / other - 1) < NEARLY or abs(other / right - 1) > NEARLY,
        f"ends_swapped_{label}",
        f"{begin}; at w = {1 - w} it is {other:.5g}. The two ends have changed places.",
    )
    judge.require(abs(actual / right - 1) < NEARLY, f"{label}_at_w_{w}", f"{begin}.")


ENDS = {
    # run: w, and why its variances are known
    "plain": (0, "there is no guidance"),
    "honest": (1, "the guided score is that of the class"),
}
SOURCES = {
    # variance: where a number for it comes from
    "tilt": "numerical integration of the claimed density",
    "ode": "a numerical solution of the first equation",
    "sde": "a numerical solution of the second equation",
}
PUBLIC = {
    # run: tilt, ode and sde for the public challenge, from the oracle in tests/exercises/lab3
    "plain": (3, 3, 3),
    "honest": (0.5, 0.5, 0.5),
    "example": (0.4, 0.0625, 0.266406),
    "drawn0": (0.502836, 0.142879, 0.350328),
    "drawn1": (0.446488, 0.0337904, 0.281454),
    "drawn2": (2.37012, 1.5904, 1.98527),
    "weak": (2.72727, 2.8944, 2.86564),
    "nearly_honest": (0.508475, 0.518243, 0.513094),
    "below_half": (0.869565, 1.24689, 1.09455),
    "above_half": (0.84507, 1.203, 1.05602),
    "close": (0.744, 0.643595, 0.688324),
    "wide": (0.33389, 0.0353553, 0.25125),
    "strong": (0.139535, 7.31232e-05, 0.0769231),
    "lab": (0.25, 0.00390625, 0.148148),
    "powers": (6.4186, 5.12287, 5.73109),
}


def public(run: str, label: str) -> float:
    """Return a variance of a run of the public challenge."""
    return PUBLIC[run][VARIANCES.index(label)]


EXERCISE = Exercise(
    "lab3.what_guidance_samples",
    points=3,
    title="What guidance samples",
    names=("what_guidance_samples",),
    probe=probe,
    public=check,
    version=6,
)
