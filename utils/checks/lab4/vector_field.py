"""Exercise 4.1: the conditional vector field and the conditional score of a Gaussian path."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, NoReturn

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge
from utils.checks.kits.inputs import in_double
from utils.checks.kits.left_behind import require_nothing_left, watching
from utils.checks.kits.other_device import other_device, put_device
from utils.checks.kits.regression_loss import ROUNDING
from utils.checks.lab4.vector_field_inputs import CHANGED, LAST, RUNS, WHERE, Inputs
from utils.checks.student import Student

NEAR_DATA = 0.01  # at this beta, rounding errors are twice as large as far from the data
ORDINARY = 6.0  # hardly any number of an ordinary x, z or noise is larger
FAR_AWAY = "Your result is right for ordinary points, and wrong for points that lie far from the image. Limit nothing."
KEPT = "The first call of an object is right, and a later one with other inputs is not. Keep nothing between calls."
METHODS = {"field": "conditional_vector_field", "score": "conditional_score"}


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Call both methods of the student's path in every run."""
    Path = student.method("GaussianConditionalPath", "conditional_vector_field", "x", "z", "t")
    student.method("GaussianConditionalPath", "conditional_score", "x", "z", "t")
    given: dict[str, Tensor] = {}
    path: Any = None
    for run, inputs in Inputs.of_all(challenge).items():
        if run in CHANGED:
            changed = CHANGED[run]
            with torch.no_grad():
                given[changed].copy_(inputs.point() if changed == "x" else getattr(inputs, changed))
        else:
            given, path = {"x": inputs.point(), "z": inputs.z.clone(), "t": inputs.t.clone()}, None
        given["x"].detach_().requires_grad_(run == "again")
        for part in reversed(METHODS) if run == "again" else METHODS:
            before = {name: tensor.detach().clone() for name, tensor in given.items()}
            with evidence.attempt(f"{run}_{part}"), watching(evidence, f"{run}_{part}", **given):
                path = path or inputs.path(Path)
                method = getattr(path, METHODS[part])
                evidence.put(f"{run}_{part}/value", method(*given.values()))
                if run == "one":
                    evidence.put(f"{run}_{part}/repeated", method(*given.values()))
            altered = [name for name, then in before.items() if not torch.equal(given[name], then)]
            evidence.put(f"{run}_{part}/altered", ", ".join(altered))
            given |= {name: before[name] for name in altered}  # the other method gets them as they were
    for part, method in METHODS.items():
        with other_device(evidence, challenge, f"device_{part}") as there:
            inputs = Inputs.of(there, "single")
            value = getattr(inputs.path(Path), method)(inputs.z + inputs.noise, inputs.z, inputs.t)
            put_device(evidence, value, f"device_{part}")


def require_results(judge: Judge, part: str) -> dict[str, Tensor]:
    """Return the recorded fields or scores of all runs; fail if one is malformed or random, or leaves anything behind.

    Args:
        judge: The judge of the exercise.
        part: A key of `METHODS`.
    """
    what, results = {"field": "The vector field", "score": "The score"}[part], {}
    for run, (shape, _, batch, _) in RUNS.items():
        # what overflows half precision far away is too inexact elsewhere, which says more than infinity
        results[run] = judge.tensor(f"{run}_{part}/value", (batch, *shape), what, finite=run != "far")
        judge.require_precision(f"{run}_{part}/value", torch.float32, what)
        altered = judge.value(f"{run}_{part}/altered", str)
        judge.require(
            not altered,
            "input_altered",
            f"`{METHODS[part]}` changes its argument {altered} in place. The caller still needs it: build new tensors.",
        )
    require_nothing_left(judge, [f"{run}_{part}" for run in RUNS])
    repeated = judge.tensor(f"one_{part}/repeated", results["one"].shape, what)
    judge.require(
        judge.close(repeated, results["one"], ROUNDING),
        "not_repeatable",
        f"Your {part} is random, or depends on earlier calls: the same call twice gives two results. "
        "It follows from x, z and t alone, and so does ε.",
    )
    return results


def tolerance(inputs: Inputs, part: str) -> Tensor:
    """Return the error of a field or a score that rounding to float32 may cause, (b, 1, …, 1).

    The noise in x is its distance from the image, so the rounding errors of x and of the image are divided by beta.
    """
    beta, speed = inputs.beta(inputs.t).double(), inputs.beta.dt(inputs.t).double().abs()
    size = inputs.noise.double().abs().max() + 3
    noise = ROUNDING * (size + NEAR_DATA * ORDINARY / beta)
    return noise / beta if part == "score" else speed * noise + ROUNDING * ORDINARY


def agree(inputs: Inputs, part: str, actual: Tensor, expected: Tensor) -> bool:
    """Return whether two fields or scores agree to float32's precision."""
    return bool(((actual - expected).abs() <= tolerance(inputs, part)).all())


def check(judge: Judge) -> None:
    """Compare the field and the score with difference quotients: along the path, and of the log density."""
    inputs = {run: in_double(i) for run, i in Inputs.of_all(judge.challenge).items()}
    for part, points in (("field", 2), ("score", 1)):
        with judge.part(part, points):
            results = require_results(judge, part)
            explain(judge, part, {run: Comparison(part, i, results[run]) for run, i in inputs.items()})
            judge.device(f"device_{part}")


def velocity(inputs: Inputs, h: float = 1e-8) -> Tensor:
    """Return the velocity of the points of the path for z and noise held fixed, by a difference quotient.

    The step is short against 1 - t, with whose fourth power a steep beta falls.
    """
    return (inputs.point(h) - inputs.point(-h)) / (2 * h)


def slope(inputs: Inputs) -> Tensor:
    """Return the slope of the log density of the points for z held fixed, by a difference quotient in each pixel.

    The log density is quadratic, so the quotient over a step of any size is exact. Steps as long as the noise differ
    from it by more than float64 rounds.
    """
    beta = inputs.beta(inputs.t)
    density, step = torch.distributions.Normal(inputs.alpha(inputs.t) * inputs.z, beta), beta * (1 + inputs.noise.abs())
    return (density.log_prob(inputs.point() + step) - density.log_prob(inputs.point() - step)) / (2 * step)


EXPECTED: dict[str, Callable[[Inputs], Tensor]] = {"field": velocity, "score": slope}


class Comparison:
    """The result of one run beside the expected one.

    Args:
        part: a key of `METHODS`.
        inputs: the inputs of the run, in float64.
        actual: what the student's method returned, the shape of x.

    Attributes:
        right: whether both agree to float32's precision.
        errors: the largest error of each row, relative to the largest expected number of the row, (b,).
    """

    def __init__(self, part: str, inputs: Inputs, actual: Tensor):
        self.inputs, self.actual, self.expected = inputs, actual, EXPECTED[part](inputs)
        self.right = agree(inputs, part, actual, self.expected)
        gap, size = (value.abs().reshape(len(actual), -1).amax(1) for value in (actual - self.expected, self.expected))
        self.errors = gap / size.clamp(min=1e-9)

    def right_only(self, chosen: Tensor) -> bool:
        """Return whether the chosen rows, (b, 1, …, 1), are right to 2 percent, and others ten times worse."""
        rows = chosen.flatten()
        return bool(self.errors[rows].max() < min(0.02, 0.1 * float(self.errors[~rows].max())))

    def right_until_late(self) -> bool:
        """Return whether the result is right only where beta is above 0.1."""
        return self.right_only(self.inputs.beta(self.inputs.t) > 0.1)

    def right_after_the_start(self) -> bool:
        """Return whether the result is right only where t is above 0.2."""
        return self.right_only(self.inputs.t > 0.2)

    def ratios(self) -> list[float | None]:
        """Return by how much each row is too large, or None where it is not a multiple of the expected row."""
        return [ratio_to(actual, expected) for actual, expected in zip(self.actual, self.expected, strict=True)]


def ratio_to(actual: Tensor, expected: Tensor) -> float | None:
    """Return k if a tensor is k times another one, and None if it is no multiple of it."""
    k = float((actual * expected).sum() / expected.square().sum())
    return k if bool((actual - k * expected).abs().max() < 1e-3 * expected.abs().max()) else None


def explain(judge: Judge, part: str, runs: dict[str, Comparison]) -> None:
    """Fail with a finding that says where the field or the score is wrong, unless all runs are right."""
    wrong = [run for run, result in runs.items() if not result.right]
    if not wrong:
        return
    if only_later_calls(wrong):
        judge.fail("kept_from_earlier_call", KEPT)
    if wrong == ["far"]:
        fail_far_away(judge, runs["far"], f"your {part}")
    if runs["linear"].right and not runs["bent"].right:
        explain_linear(judge, part, runs)
    for run, where in (
        ("no_noise", "Without noise"),
        ("no_image", "Where the image z is 0,"),
        ("bent", "On a bent path"),
    ):
        require_right_ends(judge, runs[run], f"{where} your {part}")
    judge.require(
        not runs["one"].right or (runs["bent"].errors < ROUNDING).sum() > 1,
        "samples_mixed",
        f"Your {part} is right in a batch of one, and wrong in larger ones. Each sample has its own z and its own t.",
    )
    worst = float(runs[wrong[0]].errors.max())
    judge.require(
        worst > 0.02,
        "inexact",
        f"Your {part} is off by up to {worst:.2%} (seen {WHERE[wrong[0]]}). That is more than float32 rounds.",
    )
    {"field": explain_field, "score": explain_score}[part](judge, runs, WHERE[wrong[0]])


def only_later_calls(wrong: Collection[str]) -> bool:
    """Return whether the wrong runs, of which there is one at least, are all later calls of one object."""
    return all(run in CHANGED for run in wrong)


def fail_far_away(judge: Judge, far: Comparison, what: str) -> NoReturn:
    """Fail with a finding for results that are wrong only far from the image: near the data, or everywhere there."""
    require_right_ends(judge, far, f"On a path whose beta falls to 1e-16, {what}")
    judge.fail("far_away", FAR_AWAY)


def require_right_ends(judge: Judge, result: Comparison, found: str) -> None:
    """Fail if a result that is wrong somewhere is right except near one end of the times."""
    judge.require(
        result.right or not result.right_until_late(),
        "wrong_near_the_data",
        f"{found} is right early, and wrong near t = {LAST:g}. Use beta and its derivative as they are: "
        "add nothing to beta or its square, and limit nothing.",
    )
    judge.require(
        result.right or not result.right_after_the_start(),
        "wrong_near_the_start",
        f"{found} is right late, and wrong near t = 0. Use t as it is: at t = 0 nothing needs protection.",
    )


def explain_linear(judge: Judge, part: str, runs: dict[str, Comparison]) -> NoReturn:
    """Fail with a finding that says what is wrong on a bent path only."""
    found = f"Your {part} is right on the straight path. On a bent one"
    if part == "field":
        judge.require(
            not runs["no_noise"].right,
            "noise_term_linear",
            f"{found} the image moves as it should, and the noise does not. How fast does beta shrink there?",
        )
        judge.require(
            not runs["no_image"].right,
            "image_term_linear",
            f"{found} the noise shrinks as it should, and the image does not grow so. How fast does alpha grow there?",
        )
    judge.fail("only_linear", f"{found} it is wrong. Use the schedules and, for a velocity, their derivatives.")


def explain_field(judge: Judge, runs: dict[str, Comparison], seen: str) -> NoReturn:
    """Fail with a finding that says in which limit the field is wrong, and in which size and sign."""
    if not runs["no_noise"].right:
        field, expected = runs["no_noise"].actual, runs["no_noise"].expected
        k, at_zero = ratio_to(field, expected), ratio_to(field[:1], expected[:1])
        found = "Without noise a point moves because alpha grows, and your field there"
        judge.require(k is None or abs(k) > 1e-6, "data_term_missing", f"{found} is 0.")
        judge.require(k is None, "field_scaled", f"{found} is {k or 0:.3g} times what it should be.")
        judge.require(
            at_zero is not None, "not_along_z", f"{found} does not point along z. Each sample has its own z and t."
        )
        judge.require(
            at_zero is None or abs(at_zero - 1) > 1e-3,
            "wrong_after_0",
            f"{found} is right at t = 0 only. How much of x is image at time t?",
        )
        judge.fail("field_without_noise", f"{found} is not the velocity of alpha(t) z.")
    if not runs["no_image"].right:
        explain_noise_term(judge, runs["no_image"])
    judge.fail(
        "not_the_velocity",
        "Your field is not the velocity of a point that moves along x_t = alpha(t) z + beta(t) eps with z and eps held "
        f"fixed. It shows {seen}.",
    )


def explain_noise_term(judge: Judge, no_image: Comparison) -> NoReturn:
    """Fail with a finding that says in which size and sign the field is wrong where there is no image."""
    k, rows = ratio_to(no_image.actual, no_image.expected), no_image.ratios()
    found = "Where the image z is 0, your field"
    judge.require(
        k is None or abs(k) > 1e-6, "noise_term_missing", f"{found} is 0. But a point moves there: beta shrinks."
    )
    judge.require(k is None, "noise_term_scaled", f"{found} is {k or 0:.3g} times what it should be.")
    if rows[0] is not None and rows[1] is not None:
        sizes = f"{rows[0]:.3g} times what it should be at t = 0, and {rows[1]:.3g} times at t = {LAST:g}"
        judge.require(
            rows[0] > 0,
            "noise_term_backwards",
            f"{found} is {sizes}. Does the noise grow or shrink with time?",
        )
        judge.fail("noise_term_by_time", f"{found} is {sizes}. By what do you multiply the noise?")
    judge.fail("field_of_noise", f"{found} is not the velocity of beta(t) eps. What is eps, if you know x?")


def explain_score(judge: Judge, runs: dict[str, Comparison], seen: str) -> NoReturn:
    """Fail with a finding that says in which size and sign the score is wrong where there is no image."""
    rows, found = runs["no_image"].ratios(), "Where the image z is 0, your score"
    known = [k for k in rows if k is not None]
    if len(known) == len(rows) and max(abs(k - 1) for k in known) > 0.01:
        if max(known) - min(known) < 0.01:
            judge.fail("score_scaled", f"{found} is {known[0]:.3g} times what it should be.")
        judge.fail(
            "score_length" if known[0] > 0 else "score_sign_and_length",
            f"{found} is {known[0]:.3g} times what it should be at t = 0, and {known[1]:.3g} times at t = {LAST:g}. By "
            "what do you divide?",
        )
    where = f"Your score is not the gradient of log N(x; alpha z, beta² I) with respect to x (seen {seen})."
    if len(known) == len(rows) and not runs["bent"].right:
        judge.fail("score_mean", f"{where} Without an image it has the right size: where is the mean?")
    judge.fail("not_the_gradient", where)


EXERCISE = Exercise(
    "lab4.vector_field",
    points=3,
    title="The velocity and the score of a Gaussian path",
    names=("GaussianConditionalPath",),
    version=8,
    probe=probe,
    public=check,
)
