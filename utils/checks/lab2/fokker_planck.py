"""Exercise 2.5, public half: the residual of the Fokker-Planck equation of a score."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge
from utils.checks.kits.inputs import same_tensors
from utils.checks.kits.left_behind import require_nothing_left, watching
from utils.checks.kits.other_device import other_device, put_device
from utils.checks.lab2.fokker_planck_fields import (
    AS_MODULE,
    LATE_TOYS,
    SAME_TENSORS,
    STEEP,
    TOYS,
    Places,
    toy_growth,
    toy_sigma,
    twice_the_noise,
)
from utils.checks.lab2.fokker_planck_inputs import RUNS, WAVES, Inputs, ToyInputs
from utils.checks.lab2.reused_inputs import ReusedTensors
from utils.checks.student import Student

CALLS = (*RUNS, *TOYS, *LATE_TOYS)  # all that `watching` sees
ROUNDING = 1e-4  # relative to the size of the terms: an answer that is right to the precision of float32 is right
SAME_PLACE = 2e-7  # two places or times that are nearer are the same, rounded to float32


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Evaluate the residual of every run, and the gradient of its mean square with respect to the field's gain."""
    residual_of, shared = student.function("fokker_planck_residual", "score", "x", "t", "sigma"), ReusedTensors()
    for run in RUNS:
        probe_run(residual_of, challenge, evidence, run, shared)
    gain = torch.ones((), dtype=torch.float64, requires_grad=True)
    scores = {field: lambda x, t, f=field: gain * f(x, t) for field in {**TOYS, **LATE_TOYS}.values()}
    toys = ReusedTensors()
    for run, field in {**TOYS, **LATE_TOYS}.items():
        toy = ToyInputs.of(challenge, run)
        toy = toys.filled(toy) if run in SAME_TENSORS else toy
        sigma = twice_the_noise if run == "twice_the_noise" else toy_sigma
        with evidence.attempt(run), watching(evidence, run):
            evidence.put(f"{run}/residual", residual_of(scores[field], toy.x, toy.t, sigma))
    with other_device(evidence, challenge) as there:
        inputs = Inputs.of(there, "single")
        put_device(evidence, residual_of(lambda x, t: torch.sin(x * t) + x**3, inputs.x, inputs.t, inputs.sigma))


def probe_run(residual_of: Callable, challenge: Challenge, evidence: Evidence, run: str, shared: ReusedTensors) -> None:
    """Evaluate one residual, and record where the score was evaluated and what was left behind."""
    inputs, given = Inputs.of(challenge, run), shared.filled(Inputs.of(challenge, run))
    places = Places(given.field, given.sigma, given.x, given.t)
    score = places if run in AS_MODULE else places.forward  # a method, as in the lab
    places.train(AS_MODULE.get(run, True))
    with evidence.attempt(run):
        with watching(evidence, run, x=given.x, t=given.t, **{"the network": places}):
            residual = residual_of(score, given.x, given.t, places.sigma)
        evidence.put(f"{run}/residual", residual)
    evidence.put(f"{run}/farthest", places.farthest)
    evidence.put(f"{run}/inputs_kept", same_tensors(given, inputs))
    with evidence.attempt(f"{run}_backward"):
        if run not in evidence.errors and isinstance(residual, Tensor) and residual.requires_grad:
            residual.square().mean().backward()  # through all that the residual depends on, as training does
            evidence.put(f"{run}/grad", given.field.gain.grad)


def require_residual(judge: Judge, run: str) -> Tensor:
    """Return the residual of a run, (b, d) in float64.

    Fails unless it is finite, has the shape of x and can be differentiated, the inputs are unchanged, and the score was
    evaluated nowhere else.
    """
    x = Inputs.of(judge.challenge, run).x
    require_graph(judge, run)
    judge.require(
        run != "three" or run not in judge.evidence.errors,  # the run with two coordinates was judged before
        "two_coordinates_only",
        "Your function works for two coordinates and fails for three. `x` may have any number of them, so no loop may "
        "count to 2.",
    )
    residual = judge.tensor(f"{run}/residual", None, "The residual")
    judge.require(
        residual.numel() > 1 or x.numel() == 1,
        "no_reduction_wanted",
        "You return one number. Return the residual itself, one for each sample and coordinate: the loss will square "
        "and average it.",
    )
    judge.require(
        residual.shape == x.shape,
        "wrong_shape",
        f"The residual has shape {tuple(residual.shape)}, expected {tuple(x.shape)}. The equation of the *score* has "
        "one line for each coordinate.",
    )
    require_nothing_left(judge, [run])
    judge.require(
        judge.value(f"{run}/inputs_kept", bool),
        "input_altered",
        "Your function changed the numbers in x or t. The caller still needs them: work on `x.detach()`, and on a "
        "copy where you write into it.",
    )
    farthest = judge.number(f"{run}/farthest", "The place")
    judge.require(
        farthest <= SAME_PLACE,
        "finite_differences",
        f"Your function evaluates the score or sigma at other places or times than the given ones, {farthest:.3g} away "
        "from the nearest of them. Differences do so, and limits of x or t. Take all derivatives by automatic "
        "differentiation, at x and t themselves.",
    )
    return residual


def require_graph(judge: Judge, run: str) -> None:
    """Fail if training on the residual raised an error, because its graph was freed."""
    freed = any(
        "second time" in str(judge.evidence.errors.get(attempt, {}).get("message"))
        for attempt in (run, f"{run}_backward")
    )
    judge.require(
        not freed,
        "graph_freed",
        "Training on your residual fails, because a derivative without `create_graph=True` freed a graph that the "
        "residual still needs. Pass `create_graph=True` to every `grad`.",
    )


def require_trainable(judge: Judge, run: str) -> None:
    """Fail if no gradient flows from the residual to the parameters of the field.

    Ask it of a run whose score is a function first.
    """
    marked = judge.evidence.values.get(f"{run}/residual.requires_grad") is True
    flows = marked and judge.kind(f"{run}/grad") != "NoneType"
    judge.require(
        flows or run not in AS_MODULE,
        "module_copied",
        "Where `score` is a module and not a function, no gradient flows from your residual to its parameters. "
        "Call `score` itself, not a copy of it.",
    )
    judge.require(
        flows,
        "detached",
        "No gradient flows from your residual to the network's parameters, so it cannot be trained on. "
        "Every `grad` whose result is used needs `create_graph=True`.",
    )


def require_solution(judge: Judge) -> None:
    """Fail unless the residual of the score of a diffusing density is zero, however the residual is written."""
    inputs = Inputs.of(judge.challenge, "solution")
    residual = require_residual(judge, "solution")
    with torch.no_grad():  # how fast this score changes in time: the scale of a zero
        change = (inputs.field(inputs.x, inputs.t + 1e-5) - inputs.field(inputs.x, inputs.t - 1e-5)) / 2e-5
    largest, scale = float(residual.abs().max()), float(change.abs().max())
    judge.require(
        largest < ROUNDING * scale,
        "solution_not_zero",
        f"For the score of a density that diffuses, the residual is zero; yours reaches {largest:.2g}, and the time "
        f"derivative {scale:.2g}. For simpler scores each term alone is right. Does each sample use its own x and t, "
        "and nothing of another call?",
    )


# On the public challenge, for each random field: the mean of residual times `directions`, and the derivative of the
# mean squared residual with respect to the field's gain. By forward-mode derivatives and differences in float64:
# tests/exercises/lab2/test_fokker_planck.py makes these numbers again.
PUBLIC_RESIDUALS = {
    "waves": -0.887891179,
    "again": 0.417829269,
    "three": -1.1612545,
    "one": -2.99366995,
    "line": 3.29988062,
    "marked": 0.388413916,
    "single": 0.215066524,
}
PUBLIC_GRADIENTS = {
    "waves": 36.3288059,
    "again": 162.885321,
    "three": 50.8283491,
    "one": 57.8459054,
    "line": 42.0663529,
    "marked": 40.8184726,
    "single": 56.5451546,
}
SQUARE = torch.tensor([[5.0, 2.0], [2.0, 9.25]])  # of the matrix of the linear field
# The residuals of the toy fields, (x, t) to residual, by hand.
TOY_RESIDUALS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "time_only": lambda x, t: torch.tensor([3.0, -5.0]).to(x) + 0 * x,
    "linear": lambda x, t: -toy_growth(t) * x @ SQUARE.to(x),
    "at_zero": lambda x, t: toy_growth(t) * torch.tensor([-3.0, 2.0]).to(x) + 0 * x,
    "twice_the_noise": lambda x, t: -4 * toy_growth(t) * x @ SQUARE.to(x),
    "moved": lambda x, t: -toy_growth(t) * x @ SQUARE.to(x),
    "steep": lambda x, t: -toy_growth(t) * STEEP**2 * x,
}
TOY_WORDS = {
    "time_only": "a score that depends on time alone",
    "linear": "a score that is a matrix times x, whose divergence is constant",
    "at_zero": "a score that is 0 at this x, with a divergence that grows in x",
}


def toy_residual(challenge: Challenge, run: str) -> Tensor:
    """Return the residual of a toy, (5, 2)."""
    toy = ToyInputs.of(challenge, run)
    return TOY_RESIDUALS[run](toy.x, toy.t)


def directions(challenge: Challenge, run: str) -> Tensor:
    """Return random directions of the shape of x."""
    return challenge.randn(f"{run} residual probe", tuple(Inputs.of(challenge, run).x.shape))


def require_late_toys(judge: Judge) -> None:
    """Fail unless the residual is right for another sigma after the first, and for a score in the thousands."""
    words = {
        "twice_the_noise": "with twice the noise in a later call. Keep nothing from an earlier one",
        "moved": "with other numbers in the tensors of an earlier call. Keep nothing from that one",
        "steep": f"for the score {-STEEP:g} x, as steep as the exact one near the data. Limit nothing",
    }
    for run, words_of_run in words.items():
        expected = toy_residual(judge.challenge, run)
        actual = judge.tensor(f"{run}/residual", (5, 2), "The residual")
        worst = int((actual - expected).abs().argmax())
        ratio = float(actual.flatten()[worst] / expected.flatten()[worst])
        judge.require(
            judge.close(actual, expected, ROUNDING),
            f"wrong_{run}",
            f"Your residual is right elsewhere, but {ratio:.4g} times the right one at one place {words_of_run}.",
        )


# Where the residual of a toy is a multiple of the right one, in all samples or by sample.
MULTIPLE_HINTS = {
    "time_only": "Look at what is differentiated with respect to time, and at what multiplies it.",
    "linear": "Look at every factor of |s|²: those of the equation, and a mean over samples or coordinates.",
    "at_zero": "Look at every factor of the divergence: those of the equation, and a mean over samples or coordinates.",
}
FACTOR_HINTS = {
    "time_only": "Does each sample have a time of its own, and is it the score itself that you differentiate?",
    "linear": "Look at the factor that depends on sigma, and at the power of the score.",
    "at_zero": "Look at the factor that depends on sigma.",
}


def require_toy(judge: Judge, run: str) -> None:
    """Compare the residual of a field of which one term is left, in size and sign."""
    actual = judge.tensor(f"{run}/residual", (5, 2), "The residual")
    expected = toy_residual(judge.challenge, run)
    if judge.close(actual, expected, ROUNDING):
        return
    ratio = float((actual * expected).sum() / expected.square().sum())
    seen = f"For {TOY_WORDS[run]}, one term of the equation is left. "
    missing = abs(ratio) < ROUNDING
    if judge.close(actual, ratio * expected, ROUNDING, ROUNDING):
        lost = "Yours is 0: the term is missing, or a `grad` without `create_graph=True` has cut it off."
        hint = "" if ratio < 0 else f" {MULTIPLE_HINTS[run]}"
        words = lost if missing else f"Yours is {ratio:.4g} times the right one.{hint}"
        kind = "missing" if missing else "sign" if ratio < 0 else "too_large" if ratio > 1 else "too_small"
        judge.fail(f"{run}_{kind}", f"{seen}{words}")
    ratios = (actual * expected).sum(1) / expected.square().sum(1)
    if judge.close(actual, ratios[:, None] * expected, ROUNDING, ROUNDING):
        low, high = float(ratios.min()), float(ratios.max())
        size = "_small" if high < 1 else "_large" if low > 1 else ""
        judge.fail(
            f"{run}_factor{size}",
            f"{seen}Yours is a multiple of the right one that differs from sample to sample, from {low:.4g} to "
            f"{high:.4g} times. {FACTOR_HINTS[run]}",
        )
    if judge.close(actual.abs(), expected.abs(), ROUNDING):
        judge.fail(f"{run}_sign_lost", f"{seen}Yours has the right size in every place, but not the right sign.")
    if judge.close(actual, expected.square(), ROUNDING):
        judge.fail(f"{run}_squared", f"{seen}Yours is the square of the right one. The loss will square the residual.")
    judge.fail(
        f"{run}_direction",
        f"{seen}Yours is no multiple of the right one: at the first sample it is "
        f"({float(actual[0, 0]):.4g}, {float(actual[0, 1]):.4g}). Which index is summed over?",
    )


# Where the residual of a random field is wrong, if those of the runs before it are right.
WRONG_VALUES = {
    "waves": (
        "wrong_residual",
        "Where one term is left, and for a score that solves the equation, your residual is right, but for a sum of "
        "waves it has the wrong value. Is it the same formula for every score, x and t, also at t = 0 and t = 1?",
    ),
    "again": (
        "wrong_in_a_later_call",
        "Your residual is right in the first call, and wrong in a later one with another field. Keep nothing from an "
        "earlier call.",
    ),
    "three": (
        "wrong_for_three_coordinates",
        "Your residual is right for 24 samples with two coordinates, and wrong for three samples with three. `x` may "
        "have any number of both.",
    ),
    "one": ("wrong_in_a_batch_of_one", "Your residual is right for many samples and wrong for a batch of one."),
    "line": (
        "wrong_for_one_coordinate",
        "Your residual is right for two and three coordinates and wrong for one. `x` may have any number of them.",
    ),
    "marked": (
        "wrong_with_marked_inputs",
        "Your residual is wrong where x and t require a gradient already. Work on detached copies of them.",
    ),
    "single": ("wrong_in_float32", "Your residual is right for float64 and wrong for float32."),
}


PARTLY_DETACHED = (
    "partly_detached",
    "The residual is right, but its gradient with respect to the network's parameters is not. "
    "Is a part of it detached, or the result of a `grad` without `create_graph=True`?",
)


def check_values(judge: Judge, run: str, residual: Tensor) -> None:
    """Compare the residual of a random field, and its gradient, with the numbers of the oracle."""
    terms = residual * directions(judge.challenge, run)
    judge.require(
        abs(float(terms.mean()) - PUBLIC_RESIDUALS[run]) <= ROUNDING * float(terms.abs().mean()) * 5,
        *WRONG_VALUES[run],
    )
    require_trainable(judge, run)
    gradient = float(judge.tensor(f"{run}/grad", (), "The gradient of the network's parameter"))
    judge.require(abs(gradient - PUBLIC_GRADIENTS[run]) <= 10 * ROUNDING * abs(PUBLIC_GRADIENTS[run]), *PARTLY_DETACHED)


def check(judge: Judge) -> None:
    """Test each term alone, then a field that solves the equation, then random fields."""
    with judge.part("residual", 3):
        residuals = {run: require_residual(judge, run) for run in WAVES}
        for run in TOYS:
            require_toy(judge, run)
        require_solution(judge)
        for run, residual in residuals.items():
            check_values(judge, run, residual)
        require_late_toys(judge)
        require_nothing_left(judge, CALLS)
        judge.device()


EXERCISE = Exercise(
    "lab2.fokker_planck",
    points=3,
    title="The Fokker-Planck residual",
    names=("fokker_planck_residual",),
    probe=probe,
    public=check,
    version=8,
)
