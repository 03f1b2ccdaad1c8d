"""Exercise 1.2: mix data and noise at each sample's time."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge
from utils.checks.kits.left_behind import require_nothing_left, watching
from utils.checks.kits.other_device import other_device, put_device
from utils.checks.kits.random_problems import WHERE as WHERE_ELSEWHERE
from utils.checks.kits.requirements import require_unchanged
from utils.checks.kits.same_answer import (
    alike,
    require_alike,
    require_given_noise,
    require_layout_ignored,
    require_own_rows,
    strided,
)
from utils.checks.student import Student
from utils.vp import T_MIN


@dataclass(frozen=True)
class Sizes:
    """The shape of x0 in one run, what x0 holds, and the type of t and noise.

    x0 holds `spins` or `letters` in that type, letters as `integers`, or letters in `float32`.
    """

    shape: tuple[int, int, int]
    kind: str
    dtype: torch.dtype = torch.float64


ENDS = 0.0, T_MIN, 0.00157, 0.99957, 1.0  # times at which a factor that is limited, or never quite 0, is wrong
END_ATOL = 5e-6  # of a factor there: sqrt(1 - alpha²) in float32 differs by 3e-6
ALIKE = 0, 1  # rows of the run `spins`, at T_MIN and at 1, of which batches of copies are made
RARE = 5.5  # the lab's own noise goes so far

WHERE = WHERE_ELSEWHERE | {"equal": "where b, sites and d are all 6"}
RUNS = {
    "spins": Sizes((12, 9, 1), "spins"),
    "letters": Sizes((10, 5, 4), "letters"),
    "one": Sizes((1, 4, 1), "spins"),
    "integers": Sizes((8, 6, 3), "integers"),
    "single": Sizes((6, 4, 1), "spins", torch.float32),
    "equal": Sizes((6, 6, 6), "float32"),
}


@dataclass(frozen=True)
class Inputs:
    """The inputs of one run, all fixed by the challenge. The first two times are the ends of the exercise's range."""

    x0: Tensor  # (b, sites, d), integers in the run `integers`
    t: Tensor  # (b, 1, 1)
    noise: Tensor  # (b, sites, d)

    @classmethod
    def of(cls, challenge: Challenge, run: str) -> Inputs:
        """Return random spins or letters, times and noise."""
        shape, kind, dtype = RUNS[run].shape, RUNS[run].kind, RUNS[run].dtype
        if kind == "spins":
            x0 = (2 * challenge.randint(f"{run} x0", 0, 2, shape) - 1).to(dtype)
        else:
            corners = torch.eye(shape[2], dtype=torch.int64, device=challenge.device)
            x0 = corners[challenge.randint(f"{run} x0", 0, shape[2], shape[:2])]
            x0 = x0.to({"integers": torch.int64, "float32": torch.float32}.get(kind, dtype))
        t = challenge.rand(f"{run} t", (shape[0], 1, 1), T_MIN, 1.0, dtype=dtype)
        if shape[0] > 2:
            t[0], t[1], t[2] = T_MIN, 1.0, 0.3
        noise = challenge.randn(f"{run} noise", shape, dtype)
        if shape[0] > 3:
            noise[3, 0, 0], noise[3, 1, 0] = RARE, -RARE
        return cls(x0, t, noise)

    def tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return the arguments of `add_noise` in their order."""
        return self.x0, self.t, self.noise


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Call `add_noise` in every run, again, in reverse order, on strided inputs, at the ends, and on another device."""
    add_noise = student.function("add_noise", "x0", "t", "noise")
    for run in RUNS:
        originals = Inputs.of(challenge, run).tensors()
        copies = [tensor.clone() for tensor in originals]
        with evidence.attempt(run), watching(evidence, run, x0=copies[0], t=copies[1], noise=copies[2]):
            evidence.put(f"{run}/value", add_noise(*copies))
        evidence.put(f"{run}/inputs_kept", all(torch.equal(a, b) for a, b in zip(copies, originals)))
        if run == "spins":
            with evidence.attempt("backwards"):  # in the same tensors, so that a value kept under their name shows
                for tensor, original in zip(copies, originals):
                    tensor.copy_(original.flip(0))
                evidence.put("backwards/value", add_noise(*copies))
    with evidence.attempt("again"):
        evidence.put("again/value", add_noise(*Inputs.of(challenge, "spins").tensors()))
    with evidence.attempt("strided"):
        inputs = Inputs.of(challenge, "letters").tensors()
        evidence.put("strided/value", add_noise(*(strided(tensor) for tensor in inputs)))
    for row in ALIKE:
        with evidence.attempt(f"alike{row}"), watching(evidence, f"alike{row}"):
            inputs = Inputs.of(challenge, "spins").tensors()
            evidence.put(f"alike{row}/value", add_noise(*(alike(tensor, row) for tensor in inputs)))
    ends = torch.tensor(ENDS, dtype=torch.float64).reshape(-1, 1, 1)
    one = torch.ones_like(ends)
    with evidence.attempt("ends"):
        evidence.put("ends/data", add_noise(one, ends, 0 * one))
        evidence.put("ends/noise", add_noise(0 * one, ends, one))
    with other_device(evidence, challenge) as there:
        put_device(evidence, add_noise(*Inputs.of(there, "single").tensors()))


def require_sample(judge: Judge, run: str, inputs: Inputs) -> Tensor:
    """Return the noised sample of a run; fail unless it has the right shape and dtype, and uses the given noise."""
    shape = inputs.noise.shape
    judge.attempt(run)
    require_nothing_left(judge, [run])
    sample = judge.tensor(f"{run}/value", shape, "The noised sample")
    require_shared_dtype(judge, run, inputs)
    if run == "spins":
        require_given_noise(judge, sample, judge.tensor("again/value", shape, "The noised sample"))
    return sample


def require_shared_dtype(judge: Judge, run: str, inputs: Inputs) -> None:
    """Fail unless the noised sample of a run has the dtype of t and noise."""
    actual = judge.evidence.tensors[f"{run}/value"].dtype
    x0, shared, returned = (str(d).removeprefix("torch.") for d in (inputs.x0.dtype, inputs.noise.dtype, actual))
    judge.require(
        actual == inputs.noise.dtype,
        "wrong_dtype",
        f"x0 is {x0}, and t and noise are {shared}, but the noised sample came back as {returned}.",
    )


def check(judge: Judge) -> None:
    """Check the requirements, both factors, and the public numbers."""
    with judge.part("noise", 2):
        for run in RUNS:
            inputs = Inputs.of(judge.challenge, run)
            sample = require_sample(judge, run, inputs)
            if run == "spins":
                require_rows_apart(judge)  # first, because mixed samples give wrong factors, too
            if len(inputs.t) > 2:
                require_both_ends(judge, run, sample, inputs)
                require_factors(judge, run, sample, inputs)
            require_unchanged(judge, f"{run}/inputs_kept")
        require_factors_at_the_ends(judge)
        for run, number in PUBLIC_NUMBERS.items():
            directions = judge.challenge.randn(f"{run} noised probe", RUNS[run].shape)
            mean = float(judge.tensor(f"{run}/value").mul(directions).mean())
            judge.require(
                abs(mean - number) < 2e-6,
                "wrong_mixture",
                "Data and noise have the right factors at t = 0.3 and at both ends, but the sample is not right "
                f"everywhere (seen {WHERE[run]}). Is a number limited or rounded, or is there a special case?",
            )
        require_layout_ignored(judge, "letters")
        judge.device()


def require_rows_apart(judge: Judge) -> None:
    """Fail if the order of the samples changes their results."""
    first, backwards = (judge.tensor(f"{run}/value", RUNS["spins"].shape) for run in ("spins", "backwards"))
    require_own_rows(judge, first, backwards, "add_noise")
    for row in ALIKE:
        require_alike(judge, f"alike{row}/value", first, row, "add_noise")


def require_both_ends(judge: Judge, run: str, sample: Tensor, inputs: Inputs) -> None:
    """Fail unless the first sample is nearly the data, and the second nearly the noise."""
    data, noise, rest = factors(sample, inputs, 0)
    actual = f"At t = {T_MIN:g} your sample is {data:.3g} times the data and {noise:.3g} times the noise"
    judge.require(rest < 1e-3, "not_a_mixture", f"{actual}, and something else of size {rest:.2g} (seen {WHERE[run]}).")
    judge.require(data > 0.8, "no_data_at_zero", f"{actual}, but hardly anything has happened to the data yet.")
    judge.require(abs(noise) < 0.1, "noise_at_zero", f"{actual}, but hardly any noise has come in yet.")
    judge.require(
        (sample[0] - inputs.x0[0]).abs().max() < 0.2,
        "not_data_at_zero",
        f"At t = {T_MIN:g} your function changes the data a lot, but there is hardly any noise yet.",
    )
    judge.require(
        (sample[1] - inputs.noise[1]).abs().max() < 0.2,
        "not_noise_at_one",
        "At t = 1 your function returns something else than the noise that it was given, but hardly any data is left.",
    )


def require_factors_at_the_ends(judge: Judge) -> None:
    """Fail if a factor is wrong near an end of time, where one of the two is smallest."""
    for name, numbers in PUBLIC_ENDS.items():
        factors_there = judge.tensor(f"ends/{name}", (len(ENDS), 1, 1), "The noised sample").flatten().tolist()
        for t, factor, expected in zip(ENDS, factors_there, numbers):
            relation = f"{factor / expected:.6g} times what is right" if expected else "but there is no noise yet"
            judge.require(
                abs(factor - expected) < END_ATOL,
                f"{name}_at_the_ends",
                f"At t = {t:g} your function multiplies the {name} by {factor:.6g}, {relation}. "
                "Limit and round neither t nor a factor, and add no constant.",
            )


def factors(sample: Tensor, inputs: Inputs, row: int) -> tuple[float, float, float]:
    """Return the factors of data and noise in one row, by least squares, and the largest number that is left over."""
    parts = torch.stack([inputs.x0[row].double().flatten(), inputs.noise[row].double().flatten()], dim=1)
    both = torch.linalg.lstsq(parts, sample[row].double().flatten()[:, None]).solution
    rest = (sample[row].double().flatten() - (parts @ both).flatten()).abs().max()
    return float(both[0]), float(both[1]), float(rest)


def require_factors(judge: Judge, run: str, sample: Tensor, inputs: Inputs) -> None:
    """Fail unless data and noise have the right factors at t = 0.3: those of least squares are compared."""
    data, noise, rest = factors(sample, inputs, 2)
    actual = f"At t = 0.3 your sample is {data:.5g} times the data and {noise:.5g} times the noise"
    judge.require(rest < 1e-3, "not_a_mixture", f"{actual}, and something else of size {rest:.2g} (seen {WHERE[run]}).")
    own, other = data / PUBLIC_FACTORS[0], noise / PUBLIC_FACTORS[1]
    message = f"{actual}. These are {own:.5g} and {other:.5g} times what is right."
    judge.require(abs(other) > 1e-6, "noise_missing", message)
    judge.require(noise > 0, "noise_reversed", message)
    judge.require(other < 1 + 1e-4, "noise_too_large", message)
    judge.require(other > 1 - 1e-4, "noise_too_small", message)
    judge.require(own < 1 + 1e-4, "data_too_large", message)
    judge.require(own > 1 - 1e-4, "data_too_small", message)


# The mean of x_t times random directions on the public challenge. The equations of mean and variance,
# da/dt = -beta a / 2 and dv/dt = beta (1 - v), were solved numerically. tests/exercises/lab1 computes them again.
PUBLIC_NUMBERS = {
    "spins": -0.1581379,
    "letters": 0.0354795,
    "one": 0.3994621,
    "integers": -0.0512229,
    "single": -0.2125231,
    "equal": -0.0446133,
}
PUBLIC_ENDS = {
    "data": (1.0, 0.99994503, 0.99990924, 0.00659990, 0.00657159),
    "noise": (0.0, 0.01048542, 0.01347254, 0.99997822, 0.99997841),
}  # the factors at the times ENDS
PUBLIC_FACTORS = 0.6295500, 0.7769600  # of the data and of the noise at t = 0.3


EXERCISE = Exercise(
    "lab1.add_noise",
    points=2,
    title="Noise that forgets slowly",
    version=9,
    names=("add_noise",),
    probe=probe,
    public=check,
)
