"""Exercise 4.4: Euler's step and Heun's step."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge
from utils.checks.kits.inputs import same_tensors
from utils.checks.kits.requirements import require_unchanged
from utils.checks.stubs import RandomField, Recorder
from utils.checks.student import Student
from utils.dynamics import ODE

RUNS = {
    # run: shape of x without the batch, dtype, batch size, sign of h
    "main": ((1, 3, 2), torch.float64, 9, 1.0),
    "one": ((2, 2, 2), torch.float64, 1, 1.0),
    "backwards": ((1, 2, 2), torch.float64, 5, -1.0),
    "vectors": ((4,), torch.float64, 6, 1.0),
    "single": ((1, 2, 2), torch.float32, 5, 1.0),
}
SIMULATORS = {"euler": "EulerSimulator", "heun": "HeunSimulator"}
ORDERS = {"euler": 1, "heun": 2}  # the order of a method, and the slopes that its step needs
WALK_POINTS, ORDER_STEPS = 8, (16, 32)
WRONG_STEP = (
    "wrong_step",
    "For this drift, one step leads to another state. Draw the step on paper: "
    "where do you start, which slopes do you evaluate, and how far do you go?",
)
LABELS_LOST = (
    "The labels y do not reach every call of the drift. "
    "Pass the keyword arguments on: `drift_coefficient(x, t, **kwargs)`."
)

# The mean of the new state times `state_probe` on the public challenge. An oracle made the numbers, in float64 and one
# sample at a time. tests/exercises/lab4/test_euler_heun.py computes them again.
PUBLIC_STATES = {
    "euler": {"main": -0.1612234, "one": 0.1971905, "backwards": 0.0018239, "vectors": 0.3225714, "single": 0.1383769},
    "heun": {"main": -0.1638884, "one": 0.1956401, "backwards": 0.0091278, "vectors": 0.3165047, "single": 0.1368606},
}


class StubODE(ODE):
    """A random drift of x, t and the labels y. Every call is recorded."""

    def __init__(self, challenge: Challenge):
        self.record = Recorder(RandomField(challenge, "drift"), ("x", "t", "y"))

    def drift_coefficient(self, *inputs: Tensor, **named: Tensor) -> Tensor:
        """Return the drift, with the shape of x, and record the call."""
        return self.record(*inputs, **named)


class Growth(ODE):
    """dx/dt = 2 t x: from x to e x between t = 0 and t = 1."""

    def drift_coefficient(self, x: Tensor, t: Tensor, **kwargs) -> Tensor:
        """Return 2 t x, with the shape of x."""
        return 2 * t * x


@dataclass(frozen=True)
class Inputs:
    """The inputs of one step, all fixed by the challenge. Every sample has its own time and its own step size."""

    x: Tensor  # (b, *shape)
    t: Tensor  # (b, 1, …, 1)
    h: Tensor  # (b, 1, …, 1), negative in the run "backwards"; t + h stays in [0, 1]
    y: Tensor  # (b,)

    @classmethod
    def of(cls, challenge: Challenge, run: str) -> Inputs:
        """Return the inputs of a run of `RUNS`."""
        shape, dtype, batch, sign = RUNS[run]
        ones = [1] * len(shape)
        x = challenge.randn(f"{run} x", (batch, *shape), dtype)
        low, high = (0.2, 0.6) if sign > 0 else (0.4, 0.8)
        t = challenge.rand(f"{run} t", (batch, *ones), low, high, dtype=dtype)
        h = sign * challenge.rand(f"{run} h", (batch, *ones), 0.1, 0.35, dtype=dtype)
        return cls(x, t, h, challenge.randint(f"{run} y", 0, 5, (batch,)))


@dataclass(frozen=True)
class WalkInputs:
    """The inputs of a short simulation on an uneven grid of times."""

    x: Tensor  # (6, 1, 2, 2)
    grid: Tensor  # (WALK_POINTS,)
    y: Tensor  # (6,)

    @classmethod
    def of(cls, challenge: Challenge) -> WalkInputs:
        """Return the inputs that the challenge fixes."""
        grid = challenge.bent_grid("grid", 0.0, 1.0, WALK_POINTS)
        return cls(challenge.randn("walk x", (6, 1, 2, 2)), grid, challenge.randint("walk y", 0, 5, (6,)))


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Take single steps, a short simulation, and simulations of `Growth` with two numbers of steps."""
    simulators = {}
    for short, name in SIMULATORS.items():  # one may be answered without the other
        with evidence.attempt(f"{short}_found"):
            simulators[short] = student.method(name, "step", "x", "t", "h")
    for short, Simulator in simulators.items():
        for run in RUNS:
            inputs, ode = Inputs.of(challenge, run), StubODE(challenge)
            with evidence.attempt(f"{short}_{run}"):
                state = Simulator(ode).step(inputs.x, inputs.t, inputs.h, y=inputs.y)
                evidence.put(f"{short}_{run}/state", state)
            ode.record.report(evidence, f"{short}_{run}/drift")
            evidence.put(f"{short}_{run}/inputs_kept", same_tensors(inputs, Inputs.of(challenge, run)))
        with evidence.attempt(f"{short}_walk"):
            walk = WalkInputs.of(challenge)
            evidence.put(f"{short}_walk/state", Simulator(StubODE(challenge)).simulate(walk.x, walk.grid, y=walk.y))
        with evidence.attempt(f"{short}_order"):
            start = torch.ones(1, 1, 1, 1, dtype=torch.float64)
            for steps in ORDER_STEPS:
                grid = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
                evidence.put(f"{short}_order/{steps}", Simulator(Growth()).simulate(start, grid))
        with evidence.attempt(f"{short}_device"):
            meta = challenge.on("meta")
            inputs = Inputs.of(meta, "single")
            Simulator(StubODE(meta)).step(inputs.x, inputs.t, inputs.h, y=inputs.y)


def require_state(judge: Judge, short: str, run: str, inputs: Inputs) -> Tensor:
    """Return the recorded state after one step; fail unless labels and times reached the drift as they should.

    Args:
        judge: The judge of the exercise.
        short: A key of `SIMULATORS`.
        run: A run of `RUNS`.
        inputs: The inputs of this run.
    """
    require_labels(judge, f"{short}_{run}")
    times = judge.evidence.tensors.get(f"{short}_{run}/drift/t")
    judge.require(
        times is None or times.shape[1:] == inputs.t.shape[1:],
        "time_shape",
        f"The drift is evaluated at times of another shape than {tuple(inputs.t.shape)}. Pass t on as it is.",
    )
    state = judge.tensor(f"{short}_{run}/state", inputs.x.shape, "The new state")
    judge.require_precision(f"{short}_{run}/state", inputs.x.dtype, "The new state")
    return state


def require_labels(judge: Judge, name: str) -> None:
    """Fail unless every evaluation of the drift got the labels."""
    if judge.value(f"{name}/drift/count", int) == 0:
        return
    states, labels = (judge.evidence.tensors.get(f"{name}/drift/{key}") for key in ("x", "y"))
    if labels is None:
        judge.fail("labels_lost", LABELS_LOST)
    rows = len(states) if states is not None and states.dim() else 0
    judge.require(labels.numel() >= rows, "labels_lost", LABELS_LOST)


def require_inputs_kept(judge: Judge, short: str, run: str) -> None:
    """Fail if the step changed x, t, h or y in place."""
    require_unchanged(judge, f"{short}_{run}/inputs_kept")


def check(judge: Judge) -> None:
    """Run all requirements, and look at the slopes' times and at the order of the error."""
    for short, points in (("euler", 1), ("heun", 2)):
        with judge.part(short, points):
            judge.attempt(f"{short}_found")
            for run in RUNS:
                require_state(judge, short, run, Inputs.of(judge.challenge, run))
                require_inputs_kept(judge, short, run)
            check_slopes(judge, short)
            check_order(judge, short)
            check_second_slope(judge, short)
            check_states(judge, short)
            judge.device(f"{short}_device")


def check_slopes(judge: Judge, short: str) -> None:
    """Fail if a step evaluates too few slopes, loses labels, or, for Euler, uses another time than its own."""
    inputs, slopes = Inputs.of(judge.challenge, "main"), ORDERS[short]
    calls = judge.value(f"{short}_main/drift/count", int)
    judge.require(
        calls >= slopes,
        "drift_calls",
        f"One step needs {slopes} slope(s), but yours evaluates the drift {calls} times.",
    )
    labels = judge.tensor(f"{short}_main/drift/y", what="The labels that reach the drift").reshape(-1)
    judge.require(torch.equal(labels[: len(inputs.y)], inputs.y), "labels_lost", LABELS_LOST)
    times = judge.tensor(f"{short}_main/drift/t", what="The time that reaches the drift")
    judge.require(
        short != "euler" or judge.close(times, inputs.t),
        "other_time",
        "Euler's slope belongs to the point and the time where the step starts. Yours was evaluated at another time.",
    )


def check_order(judge: Judge, short: str) -> None:
    """Fail unless the error at t = 1 shrinks with the number of steps as fast as the method's order says."""
    coarse, fine = (
        abs(judge.number(f"{short}_order/{steps}", "The state at t = 1") - torch.e) for steps in ORDER_STEPS
    )
    expected = 2 ** ORDERS[short]
    gain = coarse / max(fine, 1e-12)
    change = f"shrinks {gain:.2f} times" if gain > 1 else "does not shrink"
    judge.require(
        0.85 * expected < gain < 1.2 * expected and coarse < 0.3,
        "order",
        f"{SIMULATORS[short]}: with twice as many steps the error at t = 1 {change} ({coarse:.2g} to {fine:.2g}). "
        f"For this method it should shrink about {expected} times. Try one step by hand for a constant drift first.",
    )


def check_second_slope(judge: Judge, short: str) -> None:
    """Fail if Heun's step never evaluates the drift at the end of the step."""
    if short != "heun":
        return
    inputs = Inputs.of(judge.challenge, "main")
    times = judge.tensor("heun_main/drift/t", what="The time that reaches the drift").split(len(inputs.t))
    judge.require(
        not any(judge.close(time, inputs.t + inputs.h / 2) for time in times),
        "midpoint",
        "Your second slope belongs to the middle of the step. This is the midpoint method, not Heun's.",
    )


def check_states(judge: Judge, short: str) -> None:
    """Compare the new states with the oracle's numbers."""
    for run, number in PUBLIC_STATES[short].items():
        inputs = Inputs.of(judge.challenge, run)
        state = judge.tensor(f"{short}_{run}/state", inputs.x.shape, "The new state")
        mean = float((state * state_probe(judge.challenge, run)).mean())
        judge.require(abs(mean - number) < 1e-5, *WRONG_STEP)


def state_probe(challenge: Challenge, run: str) -> Tensor:
    """Return random directions, one for each number of the state."""
    return challenge.randn(f"{run} state probe", tuple(Inputs.of(challenge, run).x.shape))


EXERCISE = Exercise(
    "lab4.euler_heun",
    points=3,
    title="Two ways to take a step",
    names=("EulerSimulator", "HeunSimulator"),
    probe=probe,
    version=2,
    public=check,
)
