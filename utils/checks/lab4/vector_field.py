"""Exercise 4.1: the conditional vector field and the conditional score of a Gaussian path."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge
from utils.checks.kits.inputs import in_double
from utils.checks.kits.requirements import require_unchanged
from utils.checks.student import Student
from utils.distributions import GaussianClasses
from utils.paths import Alpha, Beta, LinearAlpha, LinearBeta

LAST = 1 - 1e-3  # the last time that the exercise asks for
RUNS = {
    # run: shape of z without the batch, dtype, batch size, schedule
    "bent": ((1, 3, 4), torch.float64, 24, "bent"),
    "linear": ((1, 3, 4), torch.float64, 24, "linear"),
    "vectors": ((5,), torch.float64, 7, "bent"),
    "one": ((3, 2, 2), torch.float64, 1, "bent"),
    "single": ((1, 2, 2), torch.float32, 6, "bent"),
}
WHERE = {  # what is special about a run, for messages
    "bent": "on a bent schedule",
    "linear": "on the straight path",
    "vectors": "for vectors",
    "one": "in a batch of one",
    "single": "in float32",
}
METHODS = {"field": "conditional_vector_field", "score": "conditional_score"}

# The mean of score times `score_probe` on the public challenge. An oracle made the numbers: automatic differentiation
# of torch's normal log density in float64. tests/exercises/lab4/test_vector_field.py computes them again.
PUBLIC_SCORES = {"bent": 0.0279257, "linear": -0.1092703, "vectors": 0.0742626, "one": 0.1845002, "single": 0.2397269}


class BentAlpha(Alpha):
    """t + a t (1 - t): rises from 0 to 1, but not at a constant rate."""

    def __init__(self, bend: float):
        self.bend = bend

    def __call__(self, t: Tensor) -> Tensor:
        """Return alpha(t), with the shape of t."""
        return t + self.bend * t * (1 - t)

    def dt(self, t: Tensor) -> Tensor:
        """Return the time derivative of alpha, with the shape of t."""
        return 1 + self.bend * (1 - 2 * t)


class BentBeta(Beta):
    """(1 - t) (1 + b t): falls from 1 to 0; neither 1 - alpha nor the root of 1 - alpha²."""

    def __init__(self, bend: float):
        self.bend = bend

    def __call__(self, t: Tensor) -> Tensor:
        """Return beta(t), with the shape of t."""
        return (1 - t) * (1 + self.bend * t)

    def dt(self, t: Tensor) -> Tensor:
        """Return the time derivative of beta, with the shape of t."""
        return -(1 + self.bend * t) + self.bend * (1 - t)


@dataclass(frozen=True)
class Inputs:
    """The inputs of one run, all fixed by the challenge. The first two times are the ends of the exercise's range."""

    z: Tensor  # (b, *shape) clean points
    noise: Tensor  # (b, *shape) standard normal
    t: Tensor  # (b, 1, …, 1) times in [0, LAST]
    alpha: Alpha
    beta: Beta

    @classmethod
    def of(cls, challenge: Challenge, run: str) -> Inputs:
        """Return the inputs of a run of `RUNS`."""
        shape, dtype, batch, kind = RUNS[run]
        z = challenge.randn(f"{run} z", (batch, *shape), dtype)
        noise = challenge.randn(f"{run} noise", (batch, *shape), dtype)
        t = challenge.rand(f"{run} t", (batch, *[1] * len(shape)), 0.0, LAST, dtype=dtype)
        if batch > 2:
            t[0], t[1] = 0.0, LAST
        if kind == "linear":
            return cls(z, noise, t, LinearAlpha(), LinearBeta())
        bends = challenge.number("alpha", 0.4, 0.9), challenge.number("beta", 0.3, 0.8)
        return cls(z, noise, t, BentAlpha(bends[0]), BentBeta(bends[1]))

    def point(self, later: float = 0.0) -> Tensor:
        """Return the point x of the path, for the same z and noise at time t + later."""
        t = self.t + later
        return self.alpha(t) * self.z + self.beta(t) * self.noise


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Call both methods of the student's path in every run."""
    Path = student.method("GaussianConditionalPath", "conditional_vector_field", "x", "z", "t")
    student.method("GaussianConditionalPath", "conditional_score", "x", "z", "t")
    for run, (shape, dtype, _, _) in RUNS.items():
        inputs = Inputs.of(challenge, run)
        before = (inputs.point(), inputs.z, inputs.t)
        given = [tensor.clone() for tensor in before]
        for part, method in METHODS.items():
            with evidence.attempt(f"{run}_{part}"):
                path = Path(GaussianClasses(torch.zeros(2, *shape, dtype=dtype)), shape, inputs.alpha, inputs.beta)
                evidence.put(f"{run}_{part}/value", getattr(path, method)(*given))
        kept = all(torch.equal(now, then) for now, then in zip(given, before, strict=True))
        evidence.put(f"{run}/inputs_kept", kept)
    with evidence.attempt("device"):
        inputs = Inputs.of(challenge.on("meta"), "single")
        z, t = inputs.z, inputs.t
        path = Path(GaussianClasses(torch.zeros(2, *z.shape[1:])), z.shape[1:], inputs.alpha, inputs.beta)
        path.conditional_vector_field(z + inputs.noise, z, t)
        path.conditional_score(z + inputs.noise, z, t)


def read_result(judge: Judge, run: str, part: str) -> Tensor:
    """Return the recorded field or score of a run; fail if its shape is not that of z."""
    shape, _, batch, _ = RUNS[run]
    what = {"field": "The vector field", "score": "The score"}[part]
    return judge.tensor(f"{run}_{part}/value", (batch, *shape), what)


def require_precision(judge: Judge, run: str, part: str) -> None:
    """Fail if a result that differs from the expected one has lost digits, which explains the difference."""
    what = {"field": "The vector field", "score": "The score"}[part]
    judge.require_precision(f"{run}_{part}/value", RUNS[run][1], what)


def require_inputs_kept(judge: Judge, run: str) -> None:
    """Fail if the methods changed x, z or t in place."""
    require_unchanged(judge, f"{run}/inputs_kept")


def check(judge: Judge) -> None:
    """Compare the field with a difference quotient along the path, and the score with the oracle's numbers."""
    with judge.part("field", 2):
        for run in RUNS:
            inputs = in_double(Inputs.of(judge.challenge, run))
            field = read_result(judge, run, "field")
            h = 1e-5
            if not judge.close(field, (inputs.point(h) - inputs.point(-h)) / (2 * h), rtol=1e-3):
                require_precision(judge, run, "field")
                judge.fail(
                    "not_the_velocity",
                    "Your field is not the velocity of a point that moves along x_t = alpha(t) z + beta(t) eps "
                    f"with z and eps held fixed (seen {WHERE[run]}).",
                )
            require_inputs_kept(judge, run)
    with judge.part("score", 1):
        for run, number in PUBLIC_SCORES.items():
            score = read_result(judge, run, "score")
            if not abs(float(score.mul(score_probe(judge.challenge, run)).mean()) - number) < 1e-4:
                require_precision(judge, run, "score")
                judge.fail(
                    "not_the_gradient",
                    "Your score is not the gradient of log N(x; alpha z, beta² I) with respect to x "
                    f"(seen {WHERE[run]}).",
                )
        judge.device()


def score_probe(challenge: Challenge, run: str) -> Tensor:
    """Return random directions, larger where the noise is larger, so that every time has the same weight."""
    inputs = Inputs.of(challenge, run)
    return challenge.randn(f"{run} score probe", tuple(inputs.z.shape)) * inputs.beta(inputs.t).double()


EXERCISE = Exercise(
    "lab4.vector_field",
    points=3,
    title="The velocity and the score of a Gaussian path",
    names=("GaussianConditionalPath",),
    probe=probe,
    public=check,
)
