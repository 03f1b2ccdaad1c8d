"""Exercise 4.1: the conditional vector field and the conditional score of a Gaussian path."""

from __future__ import annotations

from collections.abc import Collection
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
from utils.checks.kits.requirements import require_unchanged
from utils.checks.lab4.vector_field_inputs import CHANGED, LAST, RUNS, WHERE, Inputs
from utils.checks.student import Student

ORDINARY = 10.0  # noise up to this size shares one tolerance in the check of the scores
NEAR_DATA = 0.01  # at this beta, rounding errors are twice as large as far from the data
FAR_AWAY = "Your result is right for ordinary points, and wrong for points that lie far from the image. Limit nothing."
KEPT = "The first call of an object is right, and a later one with other inputs is not. Keep nothing between calls."
METHODS = {"field": "conditional_vector_field", "score": "conditional_score"}

# The mean of score times `score_probe` on the public challenge. An oracle made the numbers: automatic differentiation
# of torch's normal log density in float64. tests/exercises/lab4/test_vector_field.py computes them again.
PUBLIC_SCORES = {
    "bent": 0.0279257,
    "other_z": 0.0412287,
    "other_x": 0.0272020,
    "again": -0.0101362,
    "linear": -0.1092703,
    "vectors": -0.0234011,
    "far": -34623460.3344602,
    "one": 0.1845002,
    "start": -0.10132096,
    "single": 0.2397259,
    "no_noise": 0.0,
    "no_image": 0.0628058,
}


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
            given, path = {"x": inputs.point(), "z": inputs.z, "t": inputs.t}, None
        before = {name: tensor.clone() for name, tensor in given.items()}
        given["x"].requires_grad_(run == "again")
        for part in reversed(METHODS) if run == "again" else METHODS:
            with evidence.attempt(f"{run}_{part}"), watching(evidence, f"{run}_{part}", **given):
                path = path or inputs.path(Path)
                evidence.put(f"{run}_{part}/value", getattr(path, METHODS[part])(*given.values()))
        kept = all(torch.equal(given[name], then) for name, then in before.items())
        evidence.put(f"{run}/inputs_kept", kept)
    with other_device(evidence, challenge) as there, watching(evidence, "device"):
        inputs = Inputs.of(there, "single")
        path, z, t = inputs.path(Path), inputs.z, inputs.t
        put_device(evidence, path.conditional_vector_field(z + inputs.noise, z, t))
        put_device(evidence, path.conditional_score(z + inputs.noise, z, t))


def require_results(judge: Judge, part: str) -> dict[str, Tensor]:
    """Return the recorded fields or scores of all runs; fail if a shape or dtype is wrong, or anything is left behind.

    Args:
        judge: The judge of the exercise.
        part: A key of `METHODS`.
    """
    what, results = {"field": "The vector field", "score": "The score"}[part], {}
    for run, (shape, _, batch, _) in RUNS.items():
        results[run] = judge.tensor(f"{run}_{part}/value", (batch, *shape), what)
        judge.require_precision(f"{run}_{part}/value", torch.float32, what)
        require_unchanged(judge, f"{run}/inputs_kept")
    require_nothing_left(judge, [f"{run}_{part}" for run in RUNS])
    return results


def in_noise_units(inputs: Inputs, part: str, value: Tensor) -> Tensor:
    """Return a field or a score in units of the error that rounding to float32 may cause; the shape of value.

    A score is large where beta is small, so it is multiplied by beta. The noise in x is then a small difference of
    large numbers, and rounding errors grow like 1 / beta.
    """
    beta, noise = inputs.beta(inputs.t).double(), inputs.noise.double()
    scale = (beta if part == "score" else 1) / (ROUNDING * (1 + NEAR_DATA / beta))
    return value * scale / (noise.abs().max() + 3)


def agree(inputs: Inputs, part: str, actual: Tensor, expected: Tensor) -> bool:
    """Return whether two fields or scores agree to float32's precision."""
    return bool(in_noise_units(inputs, part, actual - expected).abs().max() <= 1)


def check(judge: Judge) -> None:
    """Compare the field with a difference quotient along the path, and the score with the oracle's numbers."""
    inputs = {run: in_double(i) for run, i in Inputs.of_all(judge.challenge).items()}
    with judge.part("field", 2):
        fields = require_results(judge, "field")
        right = {run: agree(i, "field", fields[run], velocity(i)) for run, i in inputs.items()}
        if not all(right.values()):
            explain_field(judge, fields, inputs, right)
    with judge.part("score", 1):
        scores = require_results(judge, "score")
        means = {run: float(scores[run].mul(score_probe(judge.challenge, run)).mean()) for run in RUNS}
        sizes = {run: max(1.0, float(i.noise.abs().max()) / ORDINARY) for run, i in inputs.items()}
        errors = {run: abs(means[run] - number) / sizes[run] for run, number in PUBLIC_SCORES.items()}
        wrong = {run: error for run, error in errors.items() if error > ROUNDING * 20}
        if wrong:
            explain_score(judge, scores, wrong, inputs["no_image"])
        judge.device()


def only_later_calls(wrong: Collection[str]) -> bool:
    """Return whether the wrong runs, of which there is one at least, are all later calls of one object."""
    return all(run in CHANGED for run in wrong)


def velocity(inputs: Inputs, h: float = 1e-5) -> Tensor:
    """Return the velocity of the points of the path for z and noise held fixed, by a difference quotient."""
    return (inputs.point(h) - inputs.point(-h)) / (2 * h)


def ratio_to(actual: Tensor, expected: Tensor) -> float | None:
    """Return k if a tensor is k times another one, and None if it is no multiple of it."""
    k = float((actual * expected).sum() / expected.square().sum())
    return k if bool((actual - k * expected).abs().max() < 1e-3 * expected.abs().max()) else None


def right_until_late(inputs: Inputs, actual: Tensor, expected: Tensor) -> bool:
    """Return whether all rows with beta above 0.1 are right to 2 percent."""
    return right_where(inputs.beta(inputs.t) > 0.1, actual, expected)


def right_after_the_start(inputs: Inputs, actual: Tensor, expected: Tensor) -> bool:
    """Return whether all rows with t above 0.05 are right to 2 percent."""
    return right_where(inputs.t > 0.05, actual, expected)


def right_where(chosen: Tensor, actual: Tensor, expected: Tensor) -> bool:
    """Return whether all rows that are chosen, (b, 1, …, 1), are right to 2 percent."""
    rows = chosen.flatten()
    return bool(((actual - expected)[rows].abs() <= 0.02 * expected[rows].abs().max()).all())


def explain_field(judge: Judge, fields: dict[str, Tensor], inputs: dict[str, Inputs], right: dict[str, bool]) -> None:
    """Fail with a finding that says in which limit the field is wrong, and in which size and sign."""
    if only_later_calls([run for run, ok in right.items() if not ok]):
        judge.fail("kept_from_earlier_call", KEPT)
    if [run for run, ok in right.items() if not ok] == ["far"]:
        fail_far_away(judge, inputs["far"], fields["far"], velocity(inputs["far"]), "your field")
    if right["linear"] and not right["bent"]:
        found = "Your field is right on the straight path. On a bent one"
        judge.require(
            not right["no_noise"],
            "noise_term_linear",
            f"{found} the image moves as it should, and the noise does not. How fast does beta shrink there?",
        )
        judge.require(
            not right["no_image"],
            "image_term_linear",
            f"{found} the noise shrinks as it should, and the image does not grow so. How fast does alpha grow there?",
        )
        judge.fail("only_linear", f"{found} it is wrong. Use the schedules and their derivatives.")
    if not right["no_noise"]:
        field, expected = fields["no_noise"], velocity(inputs["no_noise"])
        require_right_ends(judge, inputs["no_noise"], field, expected, "Without noise your field")
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
    if not right["no_image"]:
        explain_noise_term(judge, fields["no_image"], inputs["no_image"])
    where = WHERE[next(run for run, ok in right.items() if not ok)]
    judge.fail(
        "not_the_velocity",
        "Your field is not the velocity of a point that moves along x_t = alpha(t) z + beta(t) eps with z and eps held "
        f"fixed (seen {where}).",
    )


def fail_far_away(judge: Judge, inputs: Inputs, actual: Tensor, expected: Tensor, what: str) -> NoReturn:
    """Fail with a finding for results that are wrong only far from the image: near the data, or everywhere there."""
    judge.require(
        not right_until_late(inputs, actual, expected),
        "wrong_near_the_data",
        f"Far from the image {what} is right early, and wrong near t = {LAST:g}. Add nothing to beta, limit nothing.",
    )
    judge.fail("far_away", FAR_AWAY)


def explain_noise_term(judge: Judge, field: Tensor, inputs: Inputs) -> None:
    """Fail with a finding that says in which size and sign the field is wrong where there is no image."""
    expected = velocity(inputs)
    require_right_ends(judge, inputs, field, expected, "Where the image z is 0, your field")
    k = ratio_to(field, expected)
    found = "Where the image z is 0, your field"
    judge.require(
        k is None or abs(k) > 1e-6, "noise_term_missing", f"{found} is 0. But a point moves there: beta shrinks."
    )
    judge.require(k is None, "noise_term_scaled", f"{found} is {k or 0:.3g} times what it should be.")
    rows = [ratio_to(one, other) for one, other in zip(field, expected, strict=True)]
    if rows[0] is not None and rows[1] is not None:
        sizes = f"{rows[0]:.3g} times what it should be at t = 0, and {rows[1]:.3g} times at t = {LAST:g}"
        judge.require(
            rows[0] > 0,
            "noise_term_backwards",
            f"{found} is {sizes}. Does the noise grow or shrink with time?",
        )
        judge.fail("noise_term_by_time", f"{found} is {sizes}. By what do you multiply the noise?")
    judge.fail("field_of_noise", f"{found} is not the velocity of beta(t) eps. What is eps, if you know x?")


def require_right_ends(judge: Judge, inputs: Inputs, field: Tensor, expected: Tensor, found: str) -> None:
    """Fail if a field that is wrong somewhere is right except near one end of the times."""
    judge.require(
        not right_until_late(inputs, field, expected),
        "wrong_near_the_data",
        f"{found} is right early, and wrong near t = {LAST:g}. Add nothing to beta, and limit nothing.",
    )
    judge.require(
        not right_after_the_start(inputs, field, expected),
        "wrong_near_the_start",
        f"{found} is right late, and wrong near t = 0. Limit no time: at t = 0 nothing needs protection.",
    )


def explain_score(judge: Judge, scores: dict[str, Tensor], wrong: dict[str, float], no_image: Inputs) -> None:
    """Fail with a finding that says where the score of a run is wrong, and in which size and sign."""
    if only_later_calls(wrong):
        judge.fail("kept_from_earlier_call", KEPT)
    if list(wrong) == ["far"]:
        inputs = in_double(Inputs.of(judge.challenge, "far"))
        fail_far_away(judge, inputs, scores["far"], -inputs.noise / inputs.beta(inputs.t), "your score")
    judge.require(
        "linear" in wrong or max(wrong.values()) < 0.05,
        "only_linear",
        "Your score is right on the straight path and wrong on a bent one. Use self.alpha and self.beta.",
    )
    pull = no_image.point() / no_image.beta(no_image.t) ** 2  # minus the score; each row has its own beta
    rows = [ratio_to(actual, expected) for actual, expected in zip(scores["no_image"], -pull, strict=True)]
    found = "Where the image z is 0, your score"
    known = [k for k in rows if k is not None]
    if len(known) == len(rows) and max(abs(k - 1) for k in known) > 0.01:
        if max(known) - min(known) < 0.01:
            judge.fail("score_scaled", f"{found} is {known[0]:.3g} times what it should be.")
        judge.require(
            not right_until_late(no_image, scores["no_image"], -pull),
            "score_near_the_data",
            f"{found} is right early, and wrong near t = {LAST:g}. Add nothing to the variance, and limit nothing.",
        )
        judge.fail(
            "score_power" if known[0] > 0 else "score_sign_and_power",
            f"{found} is {known[0]:.3g} times what it should be at t = 0, and {known[1]:.3g} times at t = {LAST:g}. By "
            "which power of beta do you divide?",
        )
    seen = WHERE[next(iter(wrong))]
    where = f"Your score is not the gradient of log N(x; alpha z, beta² I) with respect to x (seen {seen})."
    if len(known) == len(rows):
        judge.fail("score_mean", f"{where} Without an image it has the right size: where is the mean?")
    judge.fail("not_the_gradient", where)


def score_probe(challenge: Challenge, run: str) -> Tensor:
    """Return random directions, larger where the noise is larger, so that every time has the same weight."""
    inputs = Inputs.of(challenge, run)
    return challenge.randn(f"{run} score probe", tuple(inputs.z.shape)) * inputs.beta(inputs.t).double()


EXERCISE = Exercise(
    "lab4.vector_field",
    points=3,
    title="The velocity and the score of a Gaussian path",
    names=("GaussianConditionalPath",),
    version=6,
    probe=probe,
    public=check,
)
