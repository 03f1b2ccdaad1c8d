"""Exercise 2.2, public half: the noise schedule, and noise on the ring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from utils.atoms import SIGMA_MAX, SIGMA_MIN
from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge
from utils.checks.kits.inputs import same_tensors
from utils.checks.kits.left_behind import require_nothing_left, watching
from utils.checks.kits.other_device import other_device, put_device
from utils.checks.kits.requirements import require_unchanged
from utils.checks.kits.ring import on_ring, require_given_noise, require_in_cell, same_place
from utils.checks.kits.same_answer import alike, require_alike
from utils.checks.lab2.reused_inputs import ReusedTensors, require_result_stays
from utils.checks.student import Student

RUNS = {
    # run: shape of x0, dtype
    "main": ((40, 2), torch.float64),
    "again": ((40, 2), torch.float64),
    "wide": ((5, 5), torch.float64),  # as many samples as atoms
    "lab": ((12, 2), torch.float64),  # with the lab's own noise levels, inside of `torch.no_grad()` as in its sampler
    "largest": ((9, 2), torch.float64),  # with its largest
    "shared": ((11, 2), torch.float64),  # one time for all, expanded, and states that are not contiguous
    "one": ((1, 2), torch.float64),
    "above": ((9, 2), torch.float64),  # states leave the cell at 1 only: a wrap may depend on the whole batch
    "below": ((9, 1), torch.float64),  # states leave the cell at 0 only
    "marked": ((9, 2), torch.float64),  # t requires a gradient, as in part 5
    "marked_one": ((1, 2), torch.float64),
    "single": ((12, 2), torch.float32),
}


@dataclass(frozen=True)
class Inputs:
    """The inputs of one run, all fixed by the challenge. The noise levels are not the lab's, so that constants show."""

    x0: Tensor  # (b, n) clean states
    t: Tensor  # (b, 1) times; the first two are 0 and 1
    noise: Tensor  # (b, n)
    sigma_min: float
    sigma_max: float

    @classmethod
    def of(cls, challenge: Challenge, run: str) -> Inputs:
        """Draw the inputs of a run."""
        shape, dtype = RUNS[run]
        x0 = challenge.rand(f"{run} x0", shape, dtype=dtype)
        noise = challenge.randn(f"{run} noise", shape, dtype)
        # A sigma that is kept for its times alone shows in `above`, which has other noise levels than `largest`.
        t = challenge.rand(f"{'above' if run == 'largest' else run} t", (shape[0], 1), dtype=dtype)
        if shape[0] > 2:
            t[0], t[1] = 0.0, 1.0
            noise[1, 0], noise[1, -1] = 40.0, -40.0  # many times around the ring
            x0[2] = noise[2] = 0.0  # stays where it is, at the cell's edge
        if run == "shared":
            t = t[3:4].expand(shape[0], 1)
            x0, noise = x0.repeat_interleave(2, 1)[:, ::2], noise.T.contiguous().T
        if run in ONE_SIDED:
            noise = ONE_SIDED[run] * noise.abs()
        if run.startswith("marked"):
            t = t.requires_grad_()
        return cls(x0, t, noise, *LEVELS.get(run, levels_of(challenge)))


ONE_SIDED = {"above": 1.0, "below": -1.0}  # the sign of all noise of a run
LEVELS = {"lab": (SIGMA_MIN, SIGMA_MAX), "largest": (SIGMA_MIN, 0.5)}  # sigma_min and sigma_max
ROUNDING = 1e-4  # relative: a result that is right to the precision of float32 is right
PLACE_ROUNDING = 5e-7  # of a place on the ring in float32


SIGMA_ATTEMPTS = [f"{run}_sigma" for run in RUNS]
ALIKE = 0, 1  # rows of the run `main`, at t = 0 and at t = 1, of which batches of copies are made
LITTLE_NOISE = 0.02  # of the ring
SAME_RATIO = 0.01  # relative: two ratios that are nearer are the same


def levels_of(challenge: Challenge) -> tuple[float, float]:
    """Return a random least and largest noise. Runs share them, so that a sigma that the object keeps shows."""
    return challenge.number("sigma_min", 0.004, 0.02), challenge.number("sigma_max", 0.5, 0.9)


def recording(run: str) -> torch.set_grad_enabled:
    """Return a context in which gradients are recorded, but in the run `lab`."""
    return torch.set_grad_enabled(run != "lab")


def with_stub_sigma(Noise: type) -> type:
    """Return the student's class with another sigma(t), for a notebook in which `sigma` fails."""
    return type("Noise", (Noise,), {"sigma": lambda self, t: self.sigma_min + (self.sigma_max - self.sigma_min) * t**2})


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Evaluate sigma(t) and the noised state of every run, and one noised state twice.

    One object answers all runs with the same noise levels. If `sigma` fails, `add_noise` is tested with another one.
    """
    Noise = student.method("ExponentialNoise", "sigma", "t")
    student.method("ExponentialNoise", "add_noise", "x0", "t", "noise")
    objects: dict[tuple[float, float], Any] = {}
    shared, returned = ReusedTensors(), {}
    for run in RUNS:
        inputs, given = Inputs.of(challenge, run), shared.filled(Inputs.of(challenge, run))
        levels = inputs.sigma_min, inputs.sigma_max
        watched = {"t": given.t, "x0": given.x0, "noise": given.noise}
        with evidence.attempt(f"{run}_sigma"), recording(run), watching(evidence, f"{run}_sigma", **watched):
            evidence.put(f"{run}_sigma/value", objects.setdefault(levels, Noise(*levels)).sigma(given.t))
        failed = f"{run}_sigma" in evidence.errors
        with evidence.attempt(f"{run}_noised"), recording(run), watching(evidence, f"{run}_noised", **watched):
            noise = with_stub_sigma(Noise)(*levels) if failed else objects[levels]
            returned[run] = noise.add_noise(given.x0, given.t, given.noise)
            evidence.put(f"{run}_noised/value", returned[run])
        if failed:
            with evidence.attempt(f"{run}_stub"):
                evidence.put(f"{run}_stub/value", with_stub_sigma(Noise)(*levels).sigma(given.t))
        evidence.put(f"{run}/inputs_kept", same_tensors(given, inputs))
    with evidence.attempt("later"):
        evidence.put("later/value", returned.get("main"))
    with (
        evidence.attempt("again"),
        watching(evidence, "again"),
    ):  # the same inputs once more, to see whether the code draws noise of its own
        given = Inputs.of(challenge, "main")
        Noise = with_stub_sigma(Noise) if "main_sigma" in evidence.errors else Noise
        again = Noise(given.sigma_min, given.sigma_max).add_noise(given.x0, given.t, given.noise)
        evidence.put("again/value", again)
    for row in ALIKE:
        with evidence.attempt(f"alike{row}"), watching(evidence, f"alike{row}"):
            given = Inputs.of(challenge, "main")
            copies = (alike(tensor, row) for tensor in (given.x0, given.t, given.noise))
            evidence.put(f"alike{row}/value", Noise(given.sigma_min, given.sigma_max).add_noise(*copies))
    with other_device(evidence, challenge) as there:
        given = Inputs.of(there, "single")
        put_device(evidence, Noise(given.sigma_min, given.sigma_max).add_noise(given.x0, given.t, given.noise))


def require_sigma(judge: Judge, run: str) -> Tensor:
    """Return sigma(t) of a run, (b, 1) in float64.

    Fails unless it is finite, has the shape of t and can be differentiated.
    """
    t = Inputs.of(judge.challenge, run).t
    sigma = judge.tensor(f"{run}_sigma/value", t.shape, "sigma(t)")
    judge.require(
        not t.requires_grad or judge.evidence.values.get(f"{run}_sigma/value.requires_grad") is True,
        "sigma_detached",
        "Your sigma(t) cannot be differentiated with respect to t, which part 5 does. Compute it from the tensor t "
        "itself: no NumPy, no `.item()`, no `.detach()` and no `torch.no_grad()`.",
    )
    return sigma


def require_noised(judge: Judge, run: str) -> Tensor:
    """Return the noised state of a run, (b, n) in float64.

    Fails unless it is finite and has the shape of x0, and the inputs are unchanged.
    """
    x0 = Inputs.of(judge.challenge, run).x0
    noised = judge.tensor(f"{run}_noised/value", x0.shape, "The noised state")
    require_unchanged(judge, f"{run}/inputs_kept")
    return noised


def require_noised_states(judge: Judge) -> dict[str, Tensor]:
    """Return the noised states by run. Fails, too, if a run leaves something behind or a later one changes a state."""
    states = {run: require_noised(judge, run) for run in RUNS}
    require_nothing_left(judge, [f"{run}_noised" for run in RUNS])
    require_result_stays(judge, "main_noised/value", "later/value", "add_noise")
    return states


def sigma_of_noise(judge: Judge, run: str) -> Tensor | None:
    """Return the sigma(t) with which the noised state of a run was made: the student's own, or the stub's."""
    for name in (f"{run}_sigma/value", f"{run}_stub/value"):
        if name in judge.evidence.tensors:
            return judge.evidence.tensors[name].double()
    return None


def require_repeatable(judge: Judge) -> None:
    """Fail if two calls with the same noise returned different states."""
    first, again = (judge.tensor(f"{name}/value", what="The noised state") for name in ("main_noised", "again"))
    require_given_noise(judge, first, again, "your method")


def require_samples_apart(judge: Judge) -> None:
    """Fail if a sample gets another noised state in a batch of its copies. A wrong sigma is not blamed here again."""
    inputs, sigma = Inputs.of(judge.challenge, "main"), sigma_of_noise(judge, "main")
    ends = torch.tensor([[inputs.sigma_min], [inputs.sigma_max]], dtype=torch.float64)
    if sigma is None or sigma.shape != inputs.t.shape or not judge.close(sigma[list(ALIKE)], ends, ROUNDING):
        return
    whole = judge.tensor("main_noised/value", what="The noised state")
    for row in ALIKE:
        require_alike(judge, f"alike{row}/value", whole, row, "add_noise")


def check_sigma(judge: Judge, run: str) -> None:
    """Test the known properties of the schedule: its ends, and that its logarithm is linear in time."""
    inputs = Inputs.of(judge.challenge, run)
    sigma = require_sigma(judge, run)
    if len(inputs.t) <= 2 or run == "shared":
        return
    low, high = inputs.sigma_min, inputs.sigma_max
    first, last = float(sigma[0]), float(sigma[1])
    right = abs(first / low - 1) < ROUNDING and abs(last / high - 1) < ROUNDING
    judge.require(
        right or run != "above",
        "schedules_mixed",
        f"At t = 0 and t = 1 your sigma is {first:.6g} and {last:.6g}, where self.sigma_min and self.sigma_max are "
        f"{low:.6g} and {high:.6g}. It was right for an object with other noise levels that got the same times: keep "
        "nothing of an earlier call.",
    )
    judge.require(
        right,
        "ends_swapped"
        if abs(first / high - 1) < ROUNDING
        else ("start_too_large" if first > low else "start_too_small")
        if abs(first / low - 1) >= ROUNDING
        else "wrong_end",
        f"At t = 0 and t = 1 your sigma is {first:.6g} and {last:.6g}. "
        f"It should be self.sigma_min and self.sigma_max, here {low:.6g} and {high:.6g}.",
    )
    times = inputs.t.detach().double().flatten()
    order = times.argsort()
    t, logs = times[order], sigma.flatten()[order].clamp(min=1e-300).log()
    apart = t.diff() > 1e-3
    slopes = (logs.diff() / t.diff())[apart]
    judge.require(
        slopes.min() > 0 and float(slopes.max() / slopes.min()) < 1.01,
        "not_exponential",
        "The logarithm of your sigma does not rise linearly with time.",
    )


def check_noised(judge: Judge, run: str, noised: Tensor) -> None:
    """Compare the noised state with the clean one plus the sigma times the noise."""
    inputs = Inputs.of(judge.challenge, run)
    require_repeatable(judge)
    require_in_cell(judge, noised, "Your noised state")
    sigma = sigma_of_noise(judge, run)
    judge.require(
        sigma is not None and sigma.shape == inputs.t.shape,
        "wrong_shape",
        f"sigma(t) should have the shape {tuple(inputs.t.shape)}, so that it broadcasts against the noise.",
    )
    assert sigma is not None
    x0, noise = inputs.x0.double(), inputs.noise.double()
    tolerance = PLACE_ROUNDING + ROUNDING * sigma.abs() * noise.abs()
    if same_place(noised, x0 + sigma * noise, tolerance):
        return
    judge.require(
        not same_place(noised, x0 - sigma * noise, tolerance),
        "noise_subtracted",
        "The noise is subtracted. Add it: the result with the given noise is tested.",
    )
    judge.require(
        int((((noised == 0) | (noised == 1)) & (noise != 0)).sum()) < 3,
        "walls",
        "Several atoms end at 0 or at 1 exactly, where they seem to stop. A ring has no edge.",
    )
    judge.require(
        run != "wide",
        "wrong_in_a_square_batch",
        "Your noised states are right for 40 samples of 2 atoms, and wrong for 5 samples of 5 atoms. Each sample has "
        "its own sigma, and all its atoms share it.",
    )
    fail_by_move(judge, on_ring(noised - x0), sigma * noise)
    judge.fail(
        "wrong_noise",
        "The noised state is not x0 plus your sigma(t) times the noise, even up to whole turns of the ring.",
    )


def fail_by_move(judge: Judge, moved: Tensor, noise: Tensor) -> None:
    """Fail if atoms with little noise move by a multiple of it, or not along with it at all.

    Args:
        judge: The judge of the exercise.
        moved: How far the atoms moved, the shorter way around the ring, (b, n).
        noise: How far they should have moved, (b, n).
    """
    largest = noise.abs().amax(1)
    rows = (largest > 0) & (largest < LITTLE_NOISE)
    if not rows.any():
        return
    moved, noise = moved[rows], noise[rows]
    ratios = (moved * noise).sum(1) / noise.square().sum(1).clamp(min=1e-300)  # of each sample
    judge.require(
        ((moved - ratios[:, None] * noise).abs() <= 1e-5 + SAME_RATIO * moved.abs()).all(),
        "moves_not_along_the_noise",
        f"Where your sigma(t) times the noise is below {LITTLE_NOISE}, the atoms of a sample do not move in "
        "proportion to their noise. They move by something else, or much farther than that.",
    )
    ratio = float(ratios[(ratios - 1).abs().argmax()])
    judge.require(
        abs(ratio - 1) <= SAME_RATIO,
        "moves_too_far" if ratio > 1 else "moves_too_little",
        f"Where the noise is small, one of your states moves by {ratio:.4g} times your sigma(t) times the noise.",
    )


def check(judge: Judge) -> None:
    """Test the known properties of schedule and noise on the public challenge."""
    with judge.part("sigma", 1):
        for run in RUNS:
            check_sigma(judge, run)
        require_nothing_left(judge, SIGMA_ATTEMPTS)
        judge.device()
    with judge.part("noise", 1):
        for run, noised in require_noised_states(judge).items():
            check_noised(judge, run, noised)
        require_samples_apart(judge)


EXERCISE = Exercise(
    "lab2.add_noise",
    points=2,
    title="Noise on a ring",
    names=("ExponentialNoise",),
    probe=probe,
    public=check,
    version=9,
)
