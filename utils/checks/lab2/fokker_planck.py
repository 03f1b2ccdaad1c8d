"""Exercise 2.5, public half: the residual of the Fokker-Planck equation of a score."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge
from utils.checks.kits.inputs import same_tensors
from utils.checks.student import Student

RUNS = {
    # run: coordinates, dtype, batch size, field
    "waves": (2, torch.float64, 24, "potential"),
    "three": (3, torch.float64, 10, "potential"),
    "one": (2, torch.float64, 1, "potential"),
    "solution": (2, torch.float64, 24, "heat"),
    "single": (2, torch.float32, 12, "potential"),
}
POTENTIAL = tuple(run for run, (*_, field) in RUNS.items() if field == "potential")


class Waves(nn.Module):
    """A random gradient field: the gradient of gain · sum_k a_k cos(2 pi m_k x + w_k t + p_k)."""

    def __init__(self, challenge: Challenge, run: str, d: int, dtype: torch.dtype):
        super().__init__()
        self.gain = nn.Parameter(torch.ones((), dtype=dtype, device=challenge.device))
        self.m = challenge.randint(f"{run} m", -2, 3, (4, d)).to(dtype)
        self.m[0], self.m[1] = 1.0, torch.arange(d) % 2  # never all zero
        self.a = challenge.rand(f"{run} a", (4,), 0.02, 0.08, dtype)
        self.w = challenge.rand(f"{run} w", (4,), 1.0, 4.0, dtype)
        self.p = challenge.rand(f"{run} p", (4,), 0.0, 6.0, dtype)

    def angles(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the angle of each wave, (b, 4)."""
        return 2 * math.pi * x @ self.m.T + t * self.w + self.p

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the field at x of shape (b, d) and t of shape (b, 1), with the shape of x."""
        return -self.gain * 2 * math.pi * (self.a * torch.sin(self.angles(x, t))) @ self.m


class Heat(nn.Module):
    """The score of a density of a few Fourier modes that diffuses as the noise grows. Not the lab's density."""

    def __init__(self, challenge: Challenge, run: str, dtype: torch.dtype, sigma: StubSigma):
        super().__init__()
        self.gain = nn.Parameter(torch.ones((), dtype=dtype, device=challenge.device))
        self.sigma = sigma
        self.m = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]], dtype=dtype, device=challenge.device)
        self.a = challenge.rand(f"{run} a", (3,), 0.2, 0.4, dtype)
        self.p = challenge.rand(f"{run} p", (3,), 0.0, 6.0, dtype)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the score at x of shape (b, d) and t of shape (b, 1), with the shape of x."""
        angles = 2 * math.pi * x @ self.m.T + self.p
        fading = self.a * torch.exp(-2 * math.pi**2 * self.m.square().sum(1) * self.sigma(t) ** 2)
        slope = -2 * math.pi * (fading * torch.sin(angles)) @ self.m
        return self.gain * slope / (1 + (fading * torch.cos(angles)).sum(dim=1, keepdim=True))


class StubSigma:
    """A random sigma(t) between 0.1 and 0.3. It is not exponential."""

    def __init__(self, challenge: Challenge):
        cpu = challenge.on("cpu")
        self.speed, self.phase = cpu.number("sigma speed", 1.0, 2.0), cpu.number("sigma phase", 0.0, 6.0)

    def __call__(self, t: Tensor) -> Tensor:
        """Return sigma(t), with the shape of t."""
        return 0.2 + 0.1 * torch.sin(self.speed * t + self.phase)


@dataclass(frozen=True)
class Inputs:
    """The inputs of one run, all fixed by the challenge."""

    x: Tensor  # (b, d) states
    t: Tensor  # (b, 1) times
    field: Waves | Heat  # the score
    sigma: StubSigma

    @classmethod
    def of(cls, challenge: Challenge, run: str) -> Inputs:
        """Draw the inputs of a run."""
        d, dtype, batch, kind = RUNS[run]
        sigma = StubSigma(challenge)
        x, t = challenge.rand(f"{run} x", (batch, d), dtype=dtype), challenge.rand(f"{run} t", (batch, 1), dtype=dtype)
        potential = kind == "potential"
        field = Waves(challenge, run, d, dtype) if potential else Heat(challenge, run, dtype, sigma)
        return cls(x, t, field, sigma)


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Evaluate the residual of every run, and the gradient of its mean square with respect to the field's gain."""
    residual_of = student.function("fokker_planck_residual", "score", "x", "t", "sigma")
    for run in RUNS:
        inputs, given = Inputs.of(challenge, run), Inputs.of(challenge, run)
        with evidence.attempt(run):
            residual = residual_of(given.field, given.x, given.t, given.sigma)
            evidence.put(f"{run}/residual", residual)
            if isinstance(residual, Tensor) and residual.requires_grad:
                residual.square().mean().backward()
                evidence.put(f"{run}/grad", given.field.gain.grad)
        marked = given.x.requires_grad or given.t.requires_grad
        evidence.put(f"{run}/inputs_kept", same_tensors(given, inputs) and not marked)
    with evidence.attempt("device"):
        inputs = Inputs.of(challenge.on("meta"), "single")
        residual_of(lambda x, t: torch.sin(x * t) + x**3, inputs.x, inputs.t, inputs.sigma)


def require_unmarked(judge: Judge, run: str) -> None:
    """Fail if x or t were changed, or left with `requires_grad`."""
    judge.require(
        judge.value(f"{run}/inputs_kept", bool),
        "input_altered",
        "Your function changed x or t, or left `requires_grad` set on them. The caller still needs them unchanged: "
        "work on `x.detach().requires_grad_()`.",
    )


def require_residual(judge: Judge, run: str) -> Tensor:
    """Return the residual of a run that has a random field, (b, d) in float64.

    Fails unless it is finite, has the shape of x and can be differentiated, and the inputs are unchanged.
    """
    x = Inputs.of(judge.challenge, run).x
    judge.require(
        "second time" not in str(judge.evidence.errors.get(run, {}).get("message")),
        "graph_freed",
        "Training on your residual fails, because a derivative without `create_graph=True` freed a graph that the "
        "residual still needs. Pass `create_graph=True` to every `grad`.",
    )
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
    require_unmarked(judge, run)
    return residual


def require_trainable(judge: Judge, run: str) -> None:
    """Fail if no gradient flows from the residual to the parameters of the field."""
    judge.require(
        judge.evidence.values.get(f"{run}/residual.requires_grad") is True,
        "detached",
        "No gradient flows from your residual to the network's parameters, so it cannot be trained on. "
        "Every `grad` whose result is used needs `create_graph=True`.",
    )


def require_solution(judge: Judge) -> None:
    """Fail unless the residual of the score of a diffusing density is zero, however the residual is written."""
    inputs = Inputs.of(judge.challenge, "solution")
    residual = judge.tensor("solution/residual", inputs.x.shape, "The residual")
    with torch.no_grad():  # how fast this score changes in time: the scale of a zero
        change = (inputs.field(inputs.x, inputs.t + 1e-5) - inputs.field(inputs.x, inputs.t - 1e-5)) / 2e-5
    largest, scale = float(residual.abs().max()), float(change.abs().max())
    judge.require(
        largest < 1e-8 * scale,
        "solution_not_zero",
        f"For the score of a density that diffuses, the residual is zero; yours reaches {largest:.2g}, and the time "
        f"derivative {scale:.2g}. Check each term alone, its shape, sign and factor: time enters this score through "
        "sigma(t) too.",
    )
    require_unmarked(judge, "solution")


# On the public challenge, for each random field: the mean of residual times `directions`, and the derivative of the
# mean squared residual with respect to the field's gain. By forward-mode derivatives and differences in float64:
# tests/exercises/lab2/test_fokker_planck.py makes these numbers again.
PUBLIC_RESIDUALS = {"waves": -0.1147756, "three": 0.779833681, "one": 1.42268072, "single": -1.11701344}
PUBLIC_GRADIENTS = {"waves": 3.13880767, "three": 35.723125, "one": 15.6168815, "single": 30.3675706}
TOLERANCES = {torch.float64: 1e-5, torch.float32: 1e-2}  # relative to the mean size of what is averaged


def directions(challenge: Challenge, run: str) -> Tensor:
    """Return random directions of the shape of x."""
    return challenge.randn(f"{run} residual probe", tuple(Inputs.of(challenge, run).x.shape))


def check_values(judge: Judge, run: str, residual: Tensor) -> None:
    """Compare the residual of a random field, and its gradient, with the numbers of the oracle."""
    tolerance = TOLERANCES[RUNS[run][1]]
    judge.require(
        float(residual.abs().max()) > 1e-3,
        "always_zero",
        "Your residual is zero for a field that is no solution too.",
    )
    terms = residual * directions(judge.challenge, run)
    judge.require(
        abs(float(terms.mean()) - PUBLIC_RESIDUALS[run]) <= tolerance * float(terms.abs().mean()),
        "wrong_residual",
        "For a score that solves the equation your residual is zero, but for another field it has the wrong value. "
        "Return the difference of the two sides itself, with the time derivative first.",
    )
    require_trainable(judge, run)
    gradient = float(judge.tensor(f"{run}/grad", (), "The gradient of the network's parameter"))
    judge.require(
        abs(gradient - PUBLIC_GRADIENTS[run]) <= tolerance * abs(PUBLIC_GRADIENTS[run]),
        "partly_detached",
        "The residual is right, but a part of it is cut off from the network's parameters. "
        "Every `grad` whose result is used needs `create_graph=True`.",
    )


def check(judge: Judge) -> None:
    """Test a field that solves the equation, and compare random fields with the numbers of the oracle."""
    with judge.part("residual", 3):
        residuals = {run: require_residual(judge, run) for run in POTENTIAL}
        require_solution(judge)
        for run, residual in residuals.items():
            check_values(judge, run, residual)
        judge.device()


EXERCISE = Exercise(
    "lab2.fokker_planck",
    points=3,
    title="The Fokker-Planck residual",
    names=("fokker_planck_residual",),
    probe=probe,
    public=check,
)
