"""Exercise 4.4, hidden: Euler's step and Heun's step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from autograder.exercises.kits.mistakes import Mistake
from utils.checks.judging import Judge
from utils.checks.kits.regression_loss import ROUNDING
from utils.checks.lab4.euler_heun import (
    WRONG_STEP,
    explain_runs,
    require_exact,
    require_method,
    require_rest,
    require_small_steps,
)
from utils.checks.lab4.euler_heun_inputs import Inputs, WalkInputs
from utils.checks.stubs import RandomField

Drift = Callable[[Tensor, Tensor], Tensor]  # of x and t


@dataclass(frozen=True)
class Terms:
    """One step of size h from x at time t, with the slopes at both ends of Euler's step."""

    drift: Drift
    x: Tensor
    t: Tensor
    h: Tensor
    start: Tensor  # the slope at the start
    predicted: Tensor  # Euler's new state
    end: Tensor  # the slope at the predicted state

    @classmethod
    def of(cls, drift: Drift, x: Tensor, t: Tensor, h: Tensor) -> Terms:
        """Evaluate both slopes."""
        start = drift(x, t)
        predicted = x + h * start
        return cls(drift, x, t, h, start, predicted, drift(predicted, t + h))

    @property
    def euler(self) -> Tensor:
        """The result of Euler's step."""
        return self.predicted

    @property
    def heun(self) -> Tensor:
        """The result of Heun's step."""
        return self.x + self.h / 2 * (self.start + self.end)


COMMON_MISTAKES = [
    Mistake(
        "only_the_increment",
        lambda p: p.h * p.start,
        "You return the change of the state. Add the state in which the step starts.",
    ),
    Mistake(
        "no_step_size",
        lambda p: p.x + p.start,
        "The drift is a velocity: multiply it by the step size h.",
    ),
    Mistake("wrong_sign", lambda p: p.x - p.h * p.start, "You step against the drift."),
    Mistake("step_is_time", lambda p: p.x + p.t * p.start, "You multiply by the time t. The step size is h."),
    Mistake(
        "midpoint",
        lambda p: p.x + p.h * p.drift(p.x + p.h / 2 * p.start, p.t + p.h / 2),
        "This is the midpoint method. The exercise asks for another one.",
    ),
    Mistake("drift_only", lambda p: p.start, "You return the drift, not the new state."),
    Mistake(
        "slope_at_the_end",
        lambda p: p.x + p.h * p.drift(p.x, p.t + p.h),
        "You use the drift at t + h. Euler's step uses the one at t.",
    ),
    Mistake(
        "slope_at_the_end",
        lambda p: p.x + p.h * p.end,
        "You use only the slope at the end of the step.",
    ),
    Mistake("step_twice", lambda p: p.predicted + p.h * p.end, "You take two steps of size h."),
]

HEUN_MISTAKES = [
    Mistake("euler_instead", lambda p: p.euler, "This is Euler's step: the second slope is missing."),
    Mistake(
        "not_averaged",
        lambda p: p.x + p.h * (p.start + p.end),
        "You add the two slopes. Heun's method takes their mean.",
    ),
    Mistake(
        "second_slope_at_t",
        lambda p: p.x + p.h / 2 * (p.start + p.drift(p.predicted, p.t)),
        "The second slope is evaluated at the predicted state but still at time t. It belongs to t + h.",
    ),
    Mistake(
        "second_slope_at_x",
        lambda p: p.x + p.h / 2 * (p.start + p.drift(p.x, p.t + p.h)),
        "The second slope is evaluated at time t + h but still at the old state x. It belongs to the predicted state.",
    ),
    Mistake(
        "mean_added_to_the_prediction",
        lambda p: p.predicted + p.h / 2 * (p.start + p.end),
        "You add the averaged slopes to the predicted state. Add them to the old state x.",
    ),
    Mistake(
        "half_prediction",
        lambda p: p.x + p.h / 2 * (p.start + p.drift(p.x + p.h / 2 * p.start, p.t + p.h)),
        "Your predicted state is only half a step away, but you use it at t + h.",
    ),
    Mistake("half_step", lambda p: p.x + p.h / 4 * (p.start + p.end), "Your step is half as long as h."),
]

MISTAKES = {
    "euler": [
        *COMMON_MISTAKES,
        Mistake("heun_instead", lambda p: p.heun, "This is Heun's step. The Euler step has one slope."),
    ],
    "heun": [*HEUN_MISTAKES, *COMMON_MISTAKES],
}


def verdict(judge: Judge) -> None:
    """Compare single steps and a short simulation of both methods."""
    for short, points in (("euler", 1), ("heun", 2)):
        with judge.part(short, points):
            judge_steps(judge, short, require_method(judge, short))
            judge_walk(judge, short)
            require_rest(judge, short)
            require_small_steps(judge, short)
            judge.device(f"{short}_device")


def judge_steps(judge: Judge, short: str, states: dict[str, Tensor]) -> None:
    """Compare the states after one step in all runs, and name the mistake that explains all of them together."""
    terms, drift = {}, RandomField(judge.challenge, "drift")
    for run in states:
        inputs = Inputs.of(judge.challenge, run)
        slope = partial(labelled, drift, inputs)
        terms[run] = Terms.of(slope, inputs.x, inputs.t, inputs.h)
    wrong = [run for run, p in terms.items() if not judge.close(states[run], getattr(p, short), ROUNDING)]
    if not wrong:
        return
    for mistake in MISTAKES[short]:
        explained = all(judge.close(states[run], mistake.formula(p), ROUNDING) for run, p in terms.items())
        judge.require(not explained, mistake.code, str(mistake.message))
    require_exact(judge, [(states[run], getattr(terms[run], short), terms[run].x) for run in wrong])
    explain_runs(judge, wrong)
    judge.fail(*WRONG_STEP)


def labelled(drift: RandomField, inputs: Inputs, x: Tensor, t: Tensor) -> Tensor:
    """Return the drift at x and t for the labels and the other keyword argument of a run."""
    return drift(x, t, inputs.y, inputs.context)


def judge_walk(judge: Judge, short: str) -> None:
    """Compare the last state of a simulation on an uneven grid."""
    inputs, drift = WalkInputs.of(judge.challenge), RandomField(judge.challenge, "drift")
    x = inputs.x
    for now, h in zip(inputs.grid[:-1], inputs.grid.diff(), strict=True):
        t = now.expand(len(x), 1, 1, 1)
        x = getattr(Terms.of(lambda x, t: drift(x, t, inputs.y), x, t, h), short)
    judge.compare(
        judge.tensor(f"{short}_walk/state", x.shape, "The state at the end of a simulation"),
        x,
        otherwise=("wrong_walk", "Single steps are right, but a simulation on an uneven grid of times is not."),
        rtol=ROUNDING,
    )
