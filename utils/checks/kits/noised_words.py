"""The inputs of the exercises about p_t(x | y): noised words of random toy problems. Lab 1's 1.3 and 1.4 use them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.judging import Judge
from utils.checks.kits.left_behind import watching
from utils.checks.kits.other_device import other_device, put_device
from utils.checks.kits.random_problems import CLASSES, COMPONENTS, random_problem, same_problem, with_probs
from utils.checks.kits.same_answer import alike, require_alike, strided
from utils.toy_problems import ToyProblem
from utils.vp import T_MIN

NEARER = 10  # the second x of the run `odds` is so much nearer to 0 than the first
NUDGE = 1e-7  # float64 resolves it a million times over, and float32 not at all

# Runs in which every density underflows to 0, so that the logarithms must be kept to the end.
UNDERFLOWING = ("clear", "far", "long", "impossible")


@dataclass(frozen=True)
class Sizes:
    """The sizes of one run, where its x lies, and what its classes are.

    x lies near the data, anywhere, or near impossible words. A class is a mixture, or has one component; in `fixed` the
    classes also have one letter each, and equal shares.
    """

    sites: int
    letters: int
    low: float  # the lowest and the highest time
    high: float
    batch: int
    where: str = "data"
    kind: str = "mixture"
    dtype: torch.dtype = torch.float64


RUNS = {
    "odds": Sizes(1, 2, 0.05, 0.6, 12, kind="fixed"),
    "letter": Sizes(1, 3, 0.05, 0.9, 24, kind="one component"),
    "word": Sizes(5, 3, 0.05, 0.9, 24, kind="one component"),
    "spins": Sizes(9, 2, 0.05, 0.9, 24),
    "letters": Sizes(5, 3, 0.05, 0.9, 24),
    "clear": Sizes(9, 2, T_MIN, 0.01, 12),
    "far": Sizes(9, 2, T_MIN, 0.005, 12, where="anywhere"),
    "long": Sizes(80, 2, 0.01, 0.2, 4),
    "impossible": Sizes(6, 3, T_MIN, 0.005, 12, where="impossible"),
    "late": Sizes(5, 3, 0.999, 1.0, 12),
    "one": Sizes(6, 4, 0.1, 0.6, 1),
    "single": Sizes(6, 2, 0.2, 0.9, 12, dtype=torch.float32),
}


@dataclass(frozen=True)
class Inputs:
    """The inputs of one run, all fixed by the challenge."""

    x: Tensor  # (b, sites, d)
    t: Tensor  # (b, 1, 1)
    y: Tensor  # (b,) labels, int64
    setting: ToyProblem

    @classmethod
    def of(cls, challenge: Challenge, run: str) -> Inputs:
        """Return noised random words with their times, labels and toy problem."""
        sizes = RUNS[run]
        batch, sites, dtype = sizes.batch, sizes.sites, sizes.dtype
        setting = problem_of(challenge, run, sizes)
        t = challenge.rand(f"{run} t", (batch, 1, 1), sizes.low, sizes.high, dtype=dtype)
        if batch > 1:  # both ends of the times, the first label and the last one are in every challenge
            t[0], t[-1] = sizes.low, sizes.high
        if run == "long":
            t = t[:1].expand(batch, 1, 1)  # as the lab's sampler passes it
        noise = challenge.randn(f"{run} noise", (batch, sites, setting.points.shape[1]), dtype)
        y = challenge.randint(f"{run} labels", 0, setting.classes, (batch,))
        if batch > 1:
            y[0], y[-1] = 0, setting.classes - 1
        if sizes.where == "anywhere":
            noise[:3] *= 20
            return cls(1.5 * noise, t, y, setting)
        words = challenge.randint(f"{run} words", 0, sizes.letters, (batch, sites))
        if sizes.where == "impossible":  # every component must make equally many letters that are forbidden to it
            setting = forbidding_problem(challenge, run, setting)
            words = (2 * torch.arange(sites, device=words.device) + words[:, :1]) % 3
        else:
            words[: batch // 3] = 0  # the word of component 0, which cannot make another
        if sizes.kind == "fixed":
            t[1] = t[0]
        x = (1 - t) * setting.embed(words) + 0.5 * t.sqrt() * noise
        if sizes.kind == "fixed":  # two x at one time, so that log odds that stop growing with x show
            x[1] = x[0] / NEARER
        return cls(x, t, y, setting)

    def strided(self) -> Inputs:
        """Return the same numbers, but not contiguous in memory."""
        return Inputs(strided(self.x), strided(self.t), strided(self.y), self.setting)

    def copies(self) -> Inputs:
        """Return copies of the tensors; the toy problem stays the same object."""
        t = self.t.clone() if self.t.is_contiguous() else self.t[:1].clone().expand(self.t.shape)
        return Inputs(self.x.clone(), t, self.y.clone(), self.setting)

    def equals(self, other: Inputs) -> bool:
        """Return whether all numbers of two runs are equal."""
        tensors = ((self.x, other.x), (self.t, other.t), (self.y, other.y))
        return all(torch.equal(a, b) for a, b in tensors) and same_problem(self.setting, other.setting)


def problem_of(challenge: Challenge, run: str, sizes: Sizes) -> ToyProblem:
    """Return the toy problem of a run."""
    setting = random_problem(challenge, run, sizes.sites, sizes.letters, sizes.dtype)
    if sizes.kind == "mixture":
        return setting
    own = torch.eye(CLASSES).to(setting.weights)
    if sizes.kind == "one component":
        probs = setting.probs[1 : CLASSES + 1]
        return replace(setting, probs=probs, weights=own)
    two, half = own[:2, :2].clone(), torch.full((2,), 0.5).to(setting.prior)
    return replace(setting, probs=two[:, None, :], weights=two, prior=half)


def forbidding_problem(challenge: Challenge, run: str, setting: ToyProblem) -> ToyProblem:
    """Return the toy problem with one of its three letters forbidden at each site: letter (site + component) mod 3."""
    sites = setting.sites
    probs = challenge.on("cpu").rand(f"{run} allowed", (COMPONENTS, sites, 3), 0.1, 1.0)
    component, site = torch.arange(COMPONENTS)[:, None], torch.arange(sites)
    probs[component, site, (site + component) % 3] = 0
    return with_probs(setting, (probs / probs.sum(-1, keepdim=True)).to(setting.probs))


def probe_words(evidence: Evidence, challenge: Challenge, call) -> None:
    """Call the student's function in every run, on strided inputs, and on another device.

    Args:
        evidence: Receives `RUN/value` and `RUN/inputs_kept`, and `nudged0/value`, … for x that are moved a little.
        challenge: Fixes the inputs.
        call: Calls the student's function with an `Inputs`.
    """
    for run in RUNS:
        inputs = Inputs.of(challenge, run)
        copies = inputs.copies()
        with evidence.attempt(run), watching(evidence, run, x=copies.x, t=copies.t):
            evidence.put(f"{run}/value", call(copies))
        evidence.put(f"{run}/inputs_kept", copies.equals(Inputs.of(challenge, run)))
    for step in range(3):
        with evidence.attempt(f"nudged{step}"):
            inputs = Inputs.of(challenge, "letters")
            evidence.put(f"nudged{step}/value", call(replace(inputs, x=inputs.x * (1 + step * NUDGE))))
    with evidence.attempt("strided"):
        evidence.put("strided/value", call(Inputs.of(challenge, "letters").strided()))
    inputs = Inputs.of(challenge, "letters")
    for row in last_rows(inputs.y):
        with evidence.attempt(f"alike{row}"), watching(evidence, f"alike{row}"):
            x, t, y = (alike(value, row) for value in (inputs.x, inputs.t, inputs.y))
            repeated = Inputs(x, t, y, inputs.setting)
            evidence.put(f"alike{row}/value", call(repeated))
    with other_device(evidence, challenge) as there:
        put_device(evidence, call(Inputs.of(there, "single")))


def last_rows(y: Tensor) -> list[int]:
    """Return the last row of each label, of which batches of copies are made."""
    return [int((y == label).nonzero()[-1]) for label in y.unique()]


def require_samples_apart(judge: Judge, function: str) -> None:
    """Fail if a sample gets another result in a batch of its copies.

    Args:
        judge: The judge of the exercise.
        function: The name of the graded function.
    """
    for row in last_rows(Inputs.of(judge.challenge, "letters").y):
        require_alike(judge, f"alike{row}/value", judge.tensor("letters/value"), row, function)


def require_digits(judge: Judge) -> None:
    """Fail if a result does not follow x smoothly over tiny steps: then it was computed in float32.

    Args:
        judge: The judge of the exercise.
    """
    first, second, third = (judge.tensor(f"nudged{step}/value") for step in range(3))
    slope, bend = second - first, third - 2 * second + first
    place = int(bend.abs().argmax())
    before, after = (float(value.flatten()[place]) for value in (first, second))
    same = f"{before:.12g}" == f"{after:.12g}"
    moves = f"stays at {before:.12g}" if same else f"goes from {before:.12g} to {after:.12g}"
    judge.require(
        float(bend.abs().max()) <= 0.01 * float(slope.abs().max()),
        "digits_lost",
        f"Your result has fewer digits than x, which is float64: when x grows by {NUDGE:g} of itself, one of your "
        f"numbers {moves}, and does not follow x smoothly. "
        "Densities of size exp(-10,000) need all digits: "
        "convert nothing to float32, and create new tensors in the dtype of x.",
    )
