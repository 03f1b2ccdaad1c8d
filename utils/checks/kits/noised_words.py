"""The inputs of the exercises about p_t(x | y): noised words of random toy problems. Lab 1's 1.3 and 1.4 use them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.judging import Judge
from utils.checks.kits.left_behind import watching
from utils.checks.kits.other_device import other_device, put_device
from utils.checks.kits.random_problems import CLASSES, COMPONENTS, random_problem, same_problem, with_probs
from utils.checks.kits.random_problems import WHERE as WHERE_ELSEWHERE
from utils.checks.kits.same_answer import alike, require_alike, strided
from utils.toy_problems import ToyProblem
from utils.vp import T_MIN, alpha, sigma

ODDS = 640.0  # the log odds of an x of the run `odds`, at the place of the data: exp(-640) is still a float64
NEARER = 100  # another x of this run is so much nearer to 0 than the first one
NUDGE = 1e-7  # float64 resolves it a million times over, and float32 hardly
SMOOTH = 1e-4  # of a step's change, two equal steps may differ by this share; in float64 they differ by 3e-6
FARTHEST = 100.0  # so large an x can be
# An x between the two letters of a spin: at T_MIN both are about as likely, so every error of sigma shows.
HALFWAY = 1e-4
WHERE = WHERE_ELSEWHERE | {"equal": "where b and all sizes of the setting are 6"}

# Runs in which every density underflows to 0, so that the logarithms must be kept to the end.
UNDERFLOWING = ("clear", "far", "long", "impossible", "balanced")


@dataclass(frozen=True)
class Sizes:
    """The sizes of one run, where its x lies, and what its classes are.

    x lies near the data, anywhere, near impossible words, or as far from all words as it can, but as near to one word
    as to another. A class is a mixture, or has one component; in `fixed` the classes also have one letter each, and
    equal shares; in `two words` they are mixtures of two words; in `equal` there are as many classes and components as
    letters, and half of the letters and some components are impossible.
    """

    sites: int
    letters: int
    low: float  # the lowest and the highest time
    high: float
    batch: int
    where: str = "data"
    kind: str = "mixture"
    dtype: torch.dtype = torch.float64

    @property
    def classes(self) -> int:
        """The number of classes."""
        return {"fixed": 2, "equal": self.letters}.get(self.kind, CLASSES)


RUNS = {
    "odds": Sizes(1, 2, 0.0134, 0.6, 12, kind="fixed"),
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
    "equal": Sizes(6, 6, 0.1, 0.9, 6, kind="equal"),
    "single": Sizes(6, 2, 0.2, 0.9, 12, dtype=torch.float32),
    "balanced": Sizes(80, 2, T_MIN, 1.0, 6, where="balanced", kind="two words"),
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
        y = challenge.randint(f"{run} labels", 0, setting.classes, (batch,))
        y[0], y[-1] = 0, setting.classes - 1
        if sizes.where == "balanced":
            t[1] = t[0]
            return cls(balanced_words(challenge, run, t), t, y, setting)
        noise = challenge.randn(f"{run} noise", (batch, sites, setting.points.shape[1]), dtype)
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
            t[1:4] = t[0]
            y[2], y[3] = 0, 1  # the classes whose spins are the farther ones from the x below
        x = (1 - t) * setting.embed(words) + 0.5 * t.sqrt() * noise
        if run == "clear":
            t[1], x[1] = T_MIN, HALFWAY * noise[1]
        if sizes.kind == "equal":  # where a distance is exactly 0, its square root has no derivative
            x[0] = alpha(t[0]) * setting.embed(words[0])
        if sizes.kind == "fixed":  # four x at one time, so that log odds that stop growing with x show
            x[2:4] = ODDS * (sigma(t) ** 2 / (2 * alpha(t)))[2:4]
            x[3] *= -1
            x[0], x[1] = x[3] / 2, x[3] / (2 * NEARER)
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
    if sizes.kind == "two words":
        return two_words_problem(challenge, run, setting)
    if sizes.kind == "equal":
        return equal_sizes_problem(challenge, run, setting)
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


def equal_sizes_problem(challenge: Challenge, run: str, setting: ToyProblem) -> ToyProblem:
    """Return a toy problem with as many sites, components and classes as letters.

    Half of the letters of each site are impossible, and two components of each class: the first ones, the last ones or
    those between, so that every sum over letters or components begins or ends with several log(0) somewhere.
    """
    size, cpu = len(setting.points), challenge.on("cpu")
    probs = cpu.rand(f"{run} letters", (size, size, size), 0.1, 1.0)
    weights = cpu.rand(f"{run} shares", (size, size), 0.1, 1.0)
    prior = cpu.rand(f"{run} priors", (size,), 0.2, 1.2)
    row, column = torch.arange(size)[:, None], torch.arange(size)
    for step in range(size // 2):
        probs[row, column, (row + column + step) % size] = 0
    for step in range(2):
        weights[column, (column + step) % size] = 0
    shares = [numbers / numbers.sum(-1, keepdim=True) for numbers in (probs, weights, prior)]
    probs, weights, prior = (numbers.to(setting.probs) for numbers in shares)
    return replace(setting, probs=probs, weights=weights, prior=prior)


def two_words_problem(challenge: Challenge, run: str, setting: ToyProblem) -> ToyProblem:
    """Return a toy problem whose classes are mixtures of the words "all down" and "all up".

    Two more components, which no class has, are down in one half of the sites and up in the other.
    """
    low = challenge.on("cpu").rand(f"{run} shares", (CLASSES, 1), 0.1, 0.3) + 0.3 * torch.arange(CLASSES)[:, None]
    weights = torch.cat([low, 1 - low, torch.zeros(CLASSES, COMPONENTS - 2)], dim=1)
    second = torch.arange(setting.sites) >= setting.sites // 2
    words = torch.stack([torch.zeros_like(second), torch.ones_like(second), second, ~second]).long()
    probs = torch.eye(2)[words]
    return replace(setting, probs=probs.to(setting.probs), weights=weights.to(setting.weights))


def balanced_words(challenge: Challenge, run: str, t: Tensor) -> Tensor:
    """Return x that are far from all words of `two_words_problem`, and about as near to "all down" as to "all up".

    In one half of the sites x is negative, and in the other positive. In every third sample all of them are large; in
    the others it is one, which the small ones of the other half outweigh together.

    Args:
        challenge: Fixes the numbers.
        run: The run.
        t: The times, (b, 1, 1).

    Returns:
        (b, sites, 1), where no number exceeds `FARTHEST`.
    """
    sizes = RUNS[run]
    half, rows = sizes.sites // 2, torch.arange(sizes.batch, device=t.device)
    x = challenge.rand(f"{run} x", (sizes.batch, sizes.sites, 1), -0.1, 0.1)
    x[:, half:] += FARTHEST / half
    x[:, 0] = -FARTHEST
    all_large = rows % 3 == 1
    x[all_large, :half] = -0.75 * FARTHEST
    x[all_large, half:-1] = 0.75 * FARTHEST
    size = challenge.rand(f"{run} log odds", (sizes.batch, 1, 1), 0.5, 2.0) * sigma(t) ** 2 / (2 * alpha(t))
    x[:, -1:] = size.clamp(max=0.2 * FARTHEST) - x[:, :-1].sum(1, keepdim=True)  # log odds are 2 alpha sum(x) / sigma²
    x[rows >= sizes.batch // 2] *= -1
    return x


def tilted(probs: Tensor, step: float) -> Tensor:
    """Return probabilities that are moved by relative steps of about this size; those of 0 stay 0.

    Args:
        probs: The last axis adds up to 1.
        step: Relative size of the moves.
    """
    moved = probs ** (1 + 30 * step)  # by 30 times the differences of the logarithms, which can be small
    return moved / moved.sum(-1, keepdim=True)


def nudged(inputs: Inputs, step: float) -> Inputs:
    """Return inputs of which every number that is not 0 is moved by a relative step."""
    old = inputs.setting
    probs, weights, prior = (tilted(old_probs, step) for old_probs in (old.probs, old.weights, old.prior))
    setting = replace(old, points=old.points * (1 + step), probs=probs, weights=weights, prior=prior)
    return replace(inputs, x=inputs.x * (1 + step), t=inputs.t * (1 + step), setting=setting)


def probe_words(evidence: Evidence, challenge: Challenge, call) -> None:
    """Call the student's function in every run, on strided inputs, and on another device.

    Args:
        evidence: Receives `RUN/value` and `RUN/inputs_kept`, and `nudged0/value`, … for inputs moved a little.
        challenge: Fixes the inputs.
        call: Calls the student's function with an `Inputs`.
    """
    for run in RUNS:
        inputs = Inputs.of(challenge, run)
        copies = inputs.copies()
        with evidence.attempt(run), watching(evidence, run, x=copies.x, t=copies.t):
            evidence.put(f"{run}/value", call(copies))
        evidence.put(f"{run}/inputs_kept", copies.equals(Inputs.of(challenge, run)))
    inputs = Inputs.of(challenge, "letters")
    for step in range(3):
        with evidence.attempt(f"nudged{step}"):
            evidence.put(f"nudged{step}/value", call(nudged(inputs, step * NUDGE)))
    with evidence.attempt("strided"):
        evidence.put("strided/value", call(inputs.strided()))
    for row in last_rows(inputs.y):
        with evidence.attempt(f"alike{row}"), watching(evidence, f"alike{row}"):
            x, t, y = (alike(value, row) for value in (inputs.x, inputs.t, inputs.y))
            repeated = Inputs(x, t, y, inputs.setting)
            evidence.put(f"alike{row}/value", call(repeated))
    with other_device(evidence, challenge) as there:
        put_device(evidence, call(Inputs.of(there, "single")))


def require_letters(judge: Judge, is_right: Callable[[str, Tensor], bool], finding: tuple[str, str]) -> None:
    """Fail if results contain NaN in some run, and are wrong already, but finite, for words of one letter.

    Then the NaN has a simpler reason: in `letter` there are three letters, but hardly any zero.

    Args:
        judge: The judge of the exercise.
        is_right: Returns whether the result of a run, `odds` or `letter`, is right.
        finding: Code and message of what is wrong for one letter.
    """
    results = {run: judge.tensor(f"{run}/value", finite=False) for run in RUNS}
    broken = [run for run, result in results.items() if not bool(result.isfinite().all())]
    if broken and broken[0] not in ("odds", "letter"):
        judge.require(not is_right("odds", results["odds"]) or is_right("letter", results["letter"]), *finding)


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
    """Fail if a result does not follow the inputs smoothly over tiny steps: then one was converted to float32.

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
        float(bend.abs().max()) <= SMOOTH * float(slope.abs().max()),
        "digits_lost",
        f"Your result has fewer digits than its float64 inputs: when all of these move by {NUDGE:g} of themselves, one "
        f"of your numbers {moves}. Densities of size exp(-10,000) need all digits: "
        "convert nothing to float32, and create new tensors in the dtype of x.",
    )
