"""Exercise 4.4: Euler's step and Heun's step."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge
from utils.checks.kits.inputs import same_tensors
from utils.checks.kits.left_behind import require_nothing_left, watching
from utils.checks.kits.other_device import other_device, put_device
from utils.checks.kits.regression_loss import ROUNDING
from utils.checks.kits.requirements import require_unchanged
from utils.checks.lab4.euler_heun_calls import ORDERS, SAME_TIME, require_keywords, require_slopes
from utils.checks.lab4.euler_heun_inputs import (
    LATER,
    PLAIN,
    RUNS,
    SMALL,
    Growth,
    Inputs,
    StubODE,
    UnlabelledDrift,
    WalkInputs,
)
from utils.checks.stubs import RandomField
from utils.checks.student import Student

SIMULATORS = {"euler": "EulerSimulator", "heun": "HeunSimulator"}
ORDER_STEPS = (16, 32)
WRONG_STEP = (
    "wrong_step",
    "For this drift, one step leads to another state. Draw the step on paper: "
    "where do you start, which slopes do you evaluate, and how far do you go?",
)
KEPT = (
    "kept_from_earlier_call",
    "The first step of an object is right, and a later one of the same shape is not. Keep nothing between steps.",
)
BACKWARDS = (
    "wrong_backwards",
    "Steps with a positive h are right, and steps with a negative h are not. One rule holds for both signs.",
)
TO_ZERO = (
    "wrong_to_zero",
    "Other steps with a negative h are right, and the step from t = 1 to t = 0 is not. One rule holds for all times, "
    "the ends included.",
)

# The mean of the new state times `state_probe` on the public challenge. An oracle made the numbers, in float64 and one
# sample at a time. tests/exercises/lab4/test_euler_heun.py computes them again.
PUBLIC_STATES = {
    "euler": {
        "main": -0.1788987,
        "again": 0.1253404,
        "one": 0.2244081,
        "backwards": 0.0587286,
        "to_zero": -0.1152431,
        "numbers": 0.3358774,
        "single": 0.0058785,
        "far": -12.0934992,
        "even": -0.0423163,
    },
    "heun": {
        "main": -0.1208442,
        "again": 0.1222068,
        "one": 0.1519578,
        "backwards": 0.0527882,
        "to_zero": -0.0838858,
        "numbers": 0.3523024,
        "single": -0.0085574,
        "far": -12.0568701,
        "even": -0.0665090,
    },
}


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Take single steps, a short simulation, and simulations of `Growth` with two numbers of steps."""
    simulators = {}
    for short, name in SIMULATORS.items():  # one may be answered without the other
        with evidence.attempt(f"{short}_found"):
            simulators[short] = student.method(name, "step", "x", "t", "h")
    inputs: Inputs  # of the step before, until the next one
    for short, Simulator in simulators.items():
        ode = StubODE(challenge)
        made: list[Any] = []
        for run in RUNS:
            expected = Inputs.of(challenge, run)
            if run == "again":
                inputs.h.copy_(expected.h)
            else:
                inputs = Inputs.of(challenge, run)
            inputs.x.requires_grad_(run == "again")
            ode.forget()
            name = f"{short}_{run}"
            with evidence.attempt(name), watching(evidence, name, x=inputs.x, t=inputs.t, h=inputs.h):
                made = made or [Simulator(ode)]  # one object for all steps
                state = made[0].step(inputs.x, inputs.t, inputs.h, y=inputs.y, context=inputs.context, **PLAIN)
                evidence.put(f"{name}/state", state)
            ode.report(evidence, f"{name}/drift")
            evidence.put(f"{name}/inputs_kept", same_tensors(inputs, expected))
        probe_constant(Simulator, challenge, evidence, f"{short}_constant")
        with evidence.attempt(f"{short}_walk"), watching(evidence, f"{short}_walk"):
            walk = WalkInputs.of(challenge)
            evidence.put(f"{short}_walk/state", Simulator(StubODE(challenge)).simulate(walk.x, walk.grid, y=walk.y))
        with evidence.attempt(f"{short}_order"):
            start = torch.ones(1, 1, 1, 1, dtype=torch.float64)
            for steps in ORDER_STEPS:
                grid = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
                evidence.put(f"{short}_order/{steps}", Simulator(Growth()).simulate(start, grid))
        with other_device(evidence, challenge, f"{short}_device") as there:
            inputs = Inputs.of(there, "single")
            x = Simulator(StubODE(there)).step(inputs.x, inputs.t, inputs.h, y=inputs.y, context=inputs.context)
            put_device(evidence, x, f"{short}_device")


def probe_constant(Simulator: type, challenge: Challenge, evidence: Evidence, name: str) -> None:
    """Take a step in a constant field, and a step of size 0; record what becomes of the drift's tensor."""
    with evidence.attempt(name):
        inputs = Inputs.of(challenge, "main")
        ode = UnlabelledDrift(inputs.velocity)
        simulator = Simulator(ode)
        evidence.put(f"{name}/state", simulator.step(inputs.x, inputs.t, inputs.h))
        evidence.put(f"{name}/slope_kept", torch.equal(ode.velocity, inputs.velocity))
        rest = simulator.step(inputs.x, inputs.t, 0 * inputs.h)
        evidence.put(f"{name}/rest", rest)
        evidence.put(f"{name}/small", simulator.step(0 * inputs.x, inputs.t, SMALL * inputs.h))
        evidence.put(f"{name}/rest_is_new", rest.data_ptr() not in (inputs.x.data_ptr(), ode.velocity.data_ptr()))


def require_constant(judge: Judge, short: str) -> None:
    """Fail unless the drift's own tensor stays as it was, and a step of size 0 returns a new one."""
    name = f"{short}_constant"
    judge.require(
        judge.value(f"{name}/slope_kept", bool),
        "slope_altered",
        "Your code changes in place the tensor that the drift returned. The drift may still need it: build a new one.",
    )
    judge.require(
        judge.value(f"{name}/rest_is_new", bool),
        "same_tensor",
        "For h = 0 your step returns x itself. Return a new tensor: the caller may change it in place.",
    )


def require_rest(judge: Judge, short: str) -> None:
    """Fail unless a step of size 0 leaves the state where it is."""
    x = Inputs.of(judge.challenge, "main").x
    rest = judge.tensor(f"{short}_constant/rest", x.shape, "The new state for h = 0")
    judge.require(judge.close(rest, x, ROUNDING), "moved_by_zero", "Where every h is 0, your step moves the state.")


def require_small_steps(judge: Judge, short: str) -> None:
    """Fail unless a small step from 0 in a constant field goes as far as h says."""
    inputs = Inputs.of(judge.challenge, "main")
    way = SMALL * inputs.h * inputs.velocity
    state = judge.tensor(f"{short}_constant/small", way.shape, "The new state after a small step")
    judge.require(
        state.abs().max() > 0,
        "small_steps_skipped",
        f"Where every h is {SMALL:g} or less, your step does not move the state. Only h = 0 is no step.",
    )
    if not judge.close(state, way, ROUNDING, 0):
        require_exact(judge, [(state, way, 0 * way)])
        judge.fail(
            "wrong_small_step",
            f"In a constant field a step is right, and one in which every h is {SMALL:g} or less is not.",
        )


def require_state(judge: Judge, short: str, run: str, inputs: Inputs) -> Tensor:
    """Return the recorded state after one step; fail unless labels and times reached the drift as they should.

    Args:
        judge: The judge of the exercise.
        short: A key of `SIMULATORS`.
        run: A run of `RUNS`.
        inputs: The inputs of this run.
    """
    name = f"{short}_{run}"
    judge.attempt(name)
    require_unchanged(judge, f"{name}/inputs_kept")
    require_keywords(judge, name, inputs)
    times = judge.evidence.tensors.get(f"{name}/drift/t")
    judge.require(
        times is None or times.shape[1:] == inputs.t.shape[1:],
        "time_shape",
        f"The drift is evaluated at times of another shape than {tuple(inputs.t.shape)}. Pass t on as it is.",
    )
    state = judge.tensor(f"{name}/state", inputs.x.shape, "The new state")
    judge.require_precision(f"{name}/state", torch.float32, "The new state")
    require_slopes(judge, short, run, inputs)
    return state


def require_method(judge: Judge, short: str) -> dict[str, Tensor]:
    """Return the new states of all runs of one method; fail unless all requirements hold."""
    judge.attempt(f"{short}_found")
    states = {run: require_state(judge, short, run, Inputs.of(judge.challenge, run)) for run in RUNS}
    require_constant(judge, short)
    require_nothing_left(judge, [*(f"{short}_{run}" for run in RUNS), f"{short}_walk"])
    return states


def check(judge: Judge) -> None:
    """Run all requirements, and look at steps in a constant field and at the order of the error."""
    for short, points in (("euler", 1), ("heun", 2)):
        with judge.part(short, points):
            states = require_method(judge, short)
            check_constant(judge, short)
            require_small_steps(judge, short)
            check_trial(judge, short)
            check_order(judge, short)
            check_states(judge, short, states)
            require_rest(judge, short)
            judge.device(f"{short}_device")


def check_constant(judge: Judge, short: str) -> None:
    """Fail unless a step in a constant field goes from x by h times the velocity; say how far it goes instead."""
    inputs = Inputs.of(judge.challenge, "main")
    x, way = inputs.x, inputs.h * inputs.velocity
    state = judge.tensor(f"{short}_constant/state", x.shape, "The new state in a constant field")
    tolerance = ROUNDING * float(x.abs().max() + way.abs().max())
    if judge.close(state, x + way, 0, tolerance):
        return
    rule = "In a constant field with velocity c, one step leads from x to x + h c."
    judge.require(
        not judge.close(state, way, 0, tolerance) and not judge.close(state, inputs.velocity, 0, tolerance),
        "start_missing",
        f"{rule} In yours, x itself is missing.",
    )
    require_exact(judge, [(state, x + way, x)])
    ratio = float(((state - x) * way).sum() / way.square().sum())
    if judge.close(state, x + ratio * way, 0, 10 * tolerance):
        code = "against_the_drift" if ratio < 0 else "too_far" if ratio > 1 else "too_short"
        judge.fail(code, f"{rule} From x, yours goes {ratio:.3g} times as far.")
    distance = ((state - x) / inputs.velocity).flatten(1)
    judge.require(
        bool((distance - distance[:, :1]).abs().max() < 10 * ROUNDING),
        "not_along_the_drift",
        f"{rule} Yours does not go along c at every pixel.",
    )
    judge.require(
        bool((distance - distance[0, 0]).abs().max() > 10 * ROUNDING),
        "step_size_shared",
        f"{rule} In yours, all samples go {float(distance[0, 0]):.3g} times c, but each sample has its own h.",
    )
    judge.fail("step_size", f"{rule} Yours goes along c, but not as far as h says in every sample.")


def require_exact(judge: Judge, steps: Iterable[tuple[Tensor, Tensor, Tensor]]) -> None:
    """Fail if no wrong step is wrong by more than a hundredth of its way.

    Args:
        judge: The judge of the exercise.
        steps: The wrong steps: the new state, the expected one and the old one of each, all of one shape.
    """
    error = max(float((state - right).abs().max() / (right - x).abs().max()) for state, right, x in steps)
    judge.require(
        error > 0.01,
        "inexact",
        f"Your new state misses the right one by up to {error:.2g} of the way. That is more than float32 rounds.",
    )


def check_trial(judge: Judge, short: str) -> None:
    """Fail unless Heun's second slope is evaluated where a trial step by the first slope ends."""
    if short != "heun":
        return
    inputs, drift = Inputs.of(judge.challenge, "main"), RandomField(judge.challenge, "drift")
    batch, end = len(inputs.x), inputs.t + inputs.h
    times, states = (judge.tensor(f"heun_main/drift/{name}").split(batch) for name in ("t", "x"))
    way = inputs.h * drift(inputs.x, inputs.t, inputs.y, inputs.context)
    moved = [x - inputs.x for t, x in zip(times, states, strict=True) if judge.close(t, end, SAME_TIME)]
    if not moved or any(judge.close(step, way, ROUNDING) for step in moved):
        return
    ratio = float((moved[-1] * way).sum() / way.square().sum())
    judge.fail(
        "trial_place",
        "The second slope is not evaluated where the trial step ends. From x, your trial state goes "
        f"{ratio:.3g} times as far along the first slope as a step of size h.",
    )


def check_order(judge: Judge, short: str) -> None:
    """Fail unless the error at t = 1 shrinks with the number of steps as fast as the method's order says."""
    coarse, fine = (
        abs(judge.number(f"{short}_order/{steps}", "The state at t = 1") - torch.e) for steps in ORDER_STEPS
    )
    expected = 2 ** ORDERS[short]
    gain = coarse / max(fine, 1e-12)
    change = f"shrinks {gain:.2f} times" if gain > 1 else "grows"
    judge.require(
        0.85 * expected < gain < 1.2 * expected and coarse < 0.3,
        "order",
        f"{SIMULATORS[short]}: with twice as many steps the error at t = 1 {change} ({coarse:.2g} to {fine:.2g}). "
        f"For this method it should shrink about {expected} times. Which slopes enter the new state?",
    )


def check_states(judge: Judge, short: str, states: dict[str, Tensor]) -> None:
    """Compare the new states with the oracle's numbers."""
    means = {run: float((state * state_probe(judge.challenge, run)).mean()) for run, state in states.items()}
    wrong = [run for run, number in PUBLIC_STATES[short].items() if not abs(means[run] - number) < ROUNDING]
    explain_runs(judge, wrong)
    judge.require(not wrong, *WRONG_STEP)


def explain_runs(judge: Judge, wrong: list[str]) -> None:
    """Fail if the wrong runs, and the right ones, show which steps the code treats in another way."""
    judge.require(not wrong or not set(wrong) <= LATER, *KEPT)
    judge.require(set(wrong) != {"backwards", "to_zero"}, *BACKWARDS)
    judge.require(wrong != ["to_zero"], *TO_ZERO)


def state_probe(challenge: Challenge, run: str) -> Tensor:
    """Return random directions, one for each number of the state."""
    return challenge.randn(f"{run} state probe", tuple(Inputs.of(challenge, run).x.shape))


EXERCISE = Exercise(
    "lab4.euler_heun",
    points=3,
    title="Two ways to take a step",
    names=("EulerSimulator", "HeunSimulator"),
    probe=probe,
    version=8,
    public=check,
)
