"""Exercise 3.4, the gradient of a classifier: `classifier_gradient`."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge
from utils.checks.kits.left_behind import require_nothing_left, watching
from utils.checks.kits.mixed_modes import mix_modes
from utils.checks.kits.mixing_classifier import MixingClassifier
from utils.checks.kits.other_device import other_device, put_device
from utils.checks.kits.projections import require_projection
from utils.checks.kits.requirements import require_unchanged
from utils.checks.kits.same_answer import alike, require_alike
from utils.checks.student import Student

STEPS = 1000  # of the lab
SHIFT = 3.0  # of all logits together, in the run "shifted"
PART = 4  # samples of the run "plain" that are also tried by themselves
SAME = 1e-4
WIDEST = 10.0  # the largest numbers of x in the lab: a noisy image, or a point where a sampler starts

LATER = "later"  # the run that follows "plain" with the same tensors x and y, and with another t


@dataclass(frozen=True)
class Run:
    """The form of one call."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    where: str  # how a message names this run: "(seen …)"
    amplitude: float = 2.0  # of the logits
    no_grad: bool = True  # called under `torch.no_grad()`
    classes: int = 4
    module: bool = False  # the classifier is an nn.Module, as in the lab; else a plain function, as there too
    attached: bool = False  # the caller's x requires gradients, and has one
    like: str | None = None  # the run whose x, t and y it shares
    wide: bool = False  # each x has one number at -WIDEST, and one at WIDEST


RUNS = {
    "plain": Run((9, 1, 3, 3), torch.float64, "with gradients switched on", no_grad=False, module=True, wide=True),
    LATER: Run((9, 1, 3, 3), torch.float64, "at other steps t", no_grad=False, like="plain", module=True),
    "sampling": Run(
        (9, 1, 3, 3), torch.float64, "under `torch.no_grad()`, with a plain function as classifier", wide=True
    ),
    # logits so far apart that a softmax underflows, and labels that it finds impossible
    "sure": Run((8, 5), torch.float32, "with a classifier that is very sure of itself", amplitude=90.0, module=True),
    # so far apart that even a probability in float64 is 0
    "hopeless": Run((6, 4), torch.float64, "with a class whose probability is 0 in float64", amplitude=2000.0),
    "one": Run((1, 2, 3), torch.float64, "on a batch of one, with 10 classes", classes=10),
    "single": Run((6, 1, 3, 2), torch.float32, "in float32", module=True, wide=True),
    "as_many": Run((4, 3), torch.float64, "on as many samples as classes", no_grad=False),
    "attached": Run((5, 4), torch.float64, "where the caller's x requires gradients", no_grad=False, attached=True),
    "part": Run((PART, 1, 3, 3), torch.float64, "on the first samples alone", like="plain"),
    "shifted": Run((9, 1, 3, 3), torch.float64, "with shifted logits", like="plain"),
    "relabelled": Run((9, 1, 3, 3), torch.float64, "with other labels", like="plain"),
    "repeat": Run((9, 1, 3, 3), torch.float64, "on a repeated call", like="plain"),
}
ALIKE = 0, 1  # rows of the run "plain", with the first label and at t = 0, of which batches of copies are made
VALUES = tuple(name for name, run in RUNS.items() if run.like is None)  # the runs whose values are compared


@dataclass(frozen=True)
class Inputs:
    """The inputs of one run."""

    classifier: MixingClassifier
    x: Tensor  # (b, …)
    t: Tensor  # (b,) steps, integers
    y: Tensor  # (b,) labels

    @classmethod
    def of(cls, challenge: Challenge, name: str, dtype: torch.dtype | None = None) -> Inputs:
        """Return the inputs of a run of `RUNS`.

        Args:
            challenge: Fixes the numbers.
            name: A key of `RUNS`.
            dtype: The dtype of the classifier and of x, if not the run's own.
        """
        run = RUNS[name]
        source = run.like or name
        shape, classes = RUNS[source].shape, run.classes
        shift = SHIFT if name == "shifted" else 0.0
        size = math.prod(shape[1:])
        classifier = MixingClassifier(challenge, classes, dtype or run.dtype, size, run.amplitude, shift)
        x = challenge.randn(f"{source} x", shape, run.dtype).to(dtype or run.dtype)
        if RUNS[source].wide:  # alternating signs, so that not all samples look like one class
            sign = 1 - 2 * (torch.arange(len(x), device=x.device) % 2)
            x.flatten(1)[:, 0], x.flatten(1)[:, -1] = -WIDEST * sign, WIDEST * sign
        t = challenge.randint(f"{source} t", 0, STEPS, shape[:1])
        y = challenge.randint(f"{source} y", 0, classes, shape[:1])
        t[-1], y[-1] = STEPS - 1, classes - 1
        if len(t) > 1:
            t[1], y[0] = 0, 0
            t[0] = t[0].clamp(min=1)
        if name in ("sure", "hopeless") and challenge.device == "cpu":
            exact = MixingClassifier(challenge, classes, torch.float64, size, run.amplitude)
            y[::2] = exact.compute(x.double(), t).detach().argmin(1)[::2]
        if name == "relabelled":
            y = (y + 1) % classes
        if name == LATER:
            t = (t + STEPS // 2) % STEPS
        count = run.shape[0]
        return cls(classifier, x[:count], t[:count], y[:count])


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Call the function with gradients on and off, and record the traces that a call leaves."""
    classifier_gradient = student.function("classifier_gradient", "classifier", "x", "t", "y")
    copies: list[Tensor]  # of the call before, until the next one
    for number, (name, run) in enumerate(RUNS.items()):
        inputs = Inputs.of(challenge, name)
        given = inputs.x, inputs.t, inputs.y
        if name == LATER:
            copies[0].data.copy_(inputs.x)  # the call before may have changed it
            copies[1] = inputs.t.clone()
        else:
            copies = [value.clone() for value in given]
        if run.attached:
            copies[0].requires_grad_()
        classifier = inputs.classifier
        mix_modes(classifier, number)
        passed = classifier if run.module else (lambda x, t, model=classifier: model(x, t))
        with evidence.attempt(name), torch.set_grad_enabled(not run.no_grad):
            with watching(evidence, name, classifier=classifier, x=copies[0]):
                value = classifier_gradient(passed, *copies)
            evidence.put(f"{name}/value", value)
        classifier.record.report(evidence, f"{name}/classifier")
        evidence.put(f"{name}/inputs_kept", all(map(torch.equal, copies, given)))
    for row in ALIKE:
        with evidence.attempt(f"alike{row}"), watching(evidence, f"alike{row}"):
            inputs = Inputs.of(challenge, "plain")
            copies = [alike(value, row) for value in (inputs.x, inputs.t, inputs.y)]
            evidence.put(f"alike{row}/value", classifier_gradient(inputs.classifier, *copies))
    with other_device(evidence, challenge) as there:
        put_device(evidence, classifier_gradient(*vars(Inputs.of(there, "single")).values()))


def require_gradient_of_x(judge: Judge, name: str) -> Tensor:
    """Return the gradient of a run; fail unless it is a tensor with the shape of x."""
    error = judge.evidence.errors.get(name)
    words = str(error.get("message", "")) if error else ""
    if RUNS[name].no_grad and "does not require grad" in words:
        judge.fail(
            "needs_enable_grad",
            "Your function raises under `torch.no_grad()`, which samplers use: without gradients no graph is built. "
            "Open a `with` block inside the function that switches gradients on.",
        )
    if error and not RUNS[name].module and "object has no attribute" in words:
        judge.fail(
            "needs_a_module",
            "Your function needs more of `classifier` than the call `classifier(x, t)`. It may be a plain function, "
            f"which has no modes and no parameters: {words[:80]}.",
        )
    what = f"The gradient (seen {RUNS[name].where})"
    if judge.kind(f"{name}/value") == "array":
        judge.fail("not_a_tensor", f"{what} is a NumPy array, where a tensor was asked for.")
    value = judge.tensor(f"{name}/value", RUNS[name].shape, what)
    judge.require_precision(f"{name}/value", torch.float32, what)
    require_same_inputs(judge, name)
    return value


def require_same_inputs(judge: Judge, name: str) -> None:
    """Fail if the classifier was evaluated at another x or t than the given ones."""
    inputs = Inputs.of(judge.challenge, name)
    if judge.value(f"{name}/classifier/count", int) == 0:
        return  # it is called inside a transform of torch.func, or never: the values decide
    x = judge.tensor(f"{name}/classifier/x", what="The x that the classifier receives")
    t = judge.tensor(f"{name}/classifier/t", what="The t that the classifier receives")
    if x.shape != inputs.x.shape or t.numel() != inputs.t.numel():
        require_given_samples(judge, x, inputs.x)
        return  # it was called in pieces, or more than once: the values decide
    judge.require(
        not bool((t == 0).all()) or bool((inputs.t == 0).all()),
        "time_zero",
        "The classifier always receives t = 0, so it takes noisy inputs for clean ones.",
    )
    judge.require(
        torch.equal(t.reshape(-1).double().sort().values, inputs.t.double().sort().values),
        "time_differs",
        "The classifier receives another t than the one given to your function.",
    )
    judge.require(
        judge.close(x.flatten().sort().values, inputs.x.flatten().sort().values, 1e-5),
        "other_x",
        "The classifier receives another x than the one given to your function.",
    )


def require_given_samples(judge: Judge, x: Tensor, given: Tensor) -> None:
    """Fail if a sample that the classifier received is none of the given ones, to float32's precision."""
    if x.numel() % given[0].numel():
        return
    asked, own = (samples.reshape(-1, given[0].numel()).float() for samples in (x, given))
    judge.require(
        bool((asked[:, None] == own).all(2).any(1).all()),
        "other_points",
        "The classifier is also called with an x that is none of the given samples. A difference quotient loses "
        "digits; automatic differentiation needs the classifier at the given x only.",
    )


def require_no_traces(judge: Judge) -> None:
    """Fail if a call left something behind: gradients, a graph, settings, a changed input."""
    for name in RUNS:
        judge.require(
            not judge.evidence.values.get(f"{name}/value.requires_grad"),
            "graph_kept",
            "Your result is still attached to the autograd graph, so memory grows with every step. Detach it.",
        )
        require_unchanged(judge, f"{name}/inputs_kept")
    require_nothing_left(judge, RUNS)


def require_properties(judge: Judge) -> None:
    """Fail unless the gradient has the properties that need no formula."""
    plain, part, shifted, other, again = (
        require_gradient_of_x(judge, name) for name in ("plain", "part", "shifted", "relabelled", "repeat")
    )
    judge.require(
        judge.close(again, plain, SAME),
        "not_repeatable",
        "The same inputs gave another result in a later call. Keep nothing from an earlier call.",
    )
    judge.require(not judge.close(other, plain, SAME), "labels_ignored", "With other labels y your result is the same.")
    judge.require(
        not judge.close(require_gradient_of_x(judge, LATER), plain, SAME),
        "time_ignored",
        "With another t, and the same x and y, your result is that of the call before. Keep nothing from a call, and "
        "pass t on.",
    )
    ratio = float((plain[:PART] * part).sum() / part.square().sum().clamp(min=1e-30))
    judge.require(
        judge.close(ratio * part, plain[:PART], SAME) is False or abs(ratio - 1) < SAME,
        "depends_on_batch_size",
        f"A sample's gradient is {ratio:.3g} times as large in a batch of {len(plain)} as in a batch of {PART}. "
        "Each sample has a gradient of its own, however many there are.",
    )
    judge.require(
        judge.close(part, plain[:PART], SAME),
        "samples_mixed",
        "A sample's gradient changes when other samples of the batch are left out. Each row of the logits belongs to "
        "one sample: normalise over the classes, and pick one label in each row.",
    )
    judge.require(
        judge.close(shifted, plain, SAME),
        "shift_matters",
        "Adding one function of x to all logits changes no probability, but it changes your result.",
    )


def require_sound(judge: Judge) -> None:
    """Fail unless all runs gave a gradient, left nothing behind, and have the properties of one."""
    for name in RUNS:
        require_gradient_of_x(judge, name)
    require_no_traces(judge)
    require_properties(judge)


def check(judge: Judge) -> None:
    """Judge the public challenge by the requirements, and by the projections below."""
    with judge.part("gradient", 3):
        require_own_labels(judge)
        require_sound(judge)
        require_rows(judge, require_gradient_of_x(judge, "plain"))
        for name in VALUES:
            require_projection(
                judge, name, require_gradient_of_x(judge, name), PROJECTIONS[name],
                (f"wrong_{name}", "Your result is not the gradient of log p(y | x, t) of each sample "
                 f"(seen {RUNS[name].where}). Move one number of x a little, "
                 "and compare the change of log p with your gradient."),
            )  # fmt: skip
        require_samples_apart(judge)
        judge.device()


def require_samples_apart(judge: Judge) -> None:
    """Fail if a sample gets another gradient in a batch of its copies."""
    whole = require_gradient_of_x(judge, "plain")
    for row in ALIKE:
        require_alike(judge, f"alike{row}/value", whole, row, "classifier_gradient")


def require_own_labels(judge: Judge) -> None:
    """Fail if the labels change nothing and the gradient is right all the same, in some samples."""
    plain, other = (require_gradient_of_x(judge, name) for name in ("plain", "relabelled"))
    right, own = torch.tensor(ROWS, dtype=torch.float64), along(judge.challenge, plain)
    fits = ((own - right).abs().amax(1) < 1e-3 * right.abs().amax(1)).tolist()
    judge.require(
        not judge.close(other, plain, SAME) or not 0 < sum(fits) < len(fits),
        "right_by_luck",
        f"With other labels y your result is the same. It is right in {sum(fits)} of {len(fits)} samples: those whose "
        "label is the class that you take.",
    )


def along(challenge: Challenge, gradient: Tensor) -> Tensor:
    """Return two projections of the gradient of each sample, (b, 2)."""
    rows = gradient.double().reshape(len(gradient), -1)
    return rows @ challenge.on("cpu").randn("two directions", (rows.shape[1], 2))


def require_rows(judge: Judge, gradient: Tensor) -> None:
    """Fail unless the gradient of each sample in the run "plain" has the right direction and length."""
    right = torch.tensor(ROWS, dtype=torch.float64)
    inputs, own = Inputs.of(judge.challenge, "plain"), along(judge.challenge, gradient)
    ratio = (own * right).sum(1) / right.square().sum(1)
    parallel = bool(((own - ratio[:, None] * right).abs().amax(1) < 1e-3 * own.abs().amax(1) + 1e-9).all())
    low, high = float(ratio.min()), float(ratio.max())
    if not parallel:
        return  # the projections of all runs decide
    judge.require(
        high - low > 1e-3 * abs(high) or abs(high - 1) < 1e-3,
        "wrong_sign" if high < 0 else "wrong_ratio",
        f"Your gradient is {high:.3g} times the right one, in every sample.",
    )
    probability = inputs.classifier.compute(inputs.x, inputs.t).detach().softmax(1).gather(1, inputs.y[:, None])[:, 0]
    judge.require(
        not judge.close(ratio, probability, 1e-3),
        "probability",
        "Your gradient has the right direction, but in each sample it is p(y | x, t) times as long as the right one. "
        "Is it the gradient of the probability, or of its logarithm?",
    )
    wrong = ratio[(ratio - 1).abs() >= 1e-3]
    if len(wrong):
        judge.fail(
            "wrong_length",
            f"Your gradient has the right direction, but not the right length in {len(wrong)} of {len(ratio)} samples: "
            f"there it is between {float(wrong.min()):.3g} and {float(wrong.max()):.3g} times the right one.",
        )


# From the oracle in tests/exercises/lab3: central differences.
PROJECTIONS = {
    "plain": -0.1385792,
    "sampling": 0.1239512,
    "sure": 1.6524219,
    "hopeless": -1198.8964482,
    "one": 0.3917392,
    "single": -0.9035745,
    "as_many": 0.9011063,
    "attached": 0.3291718,
}
# Two projections of the gradient of each sample in the run "plain", from the same oracle.
ROWS = (
    (-7.1630254, -16.5830707),
    (0.3042863, 0.3674213),
    (1.1209223, 4.2884521),
    (-9.6729056, 0.7774139),
    (-12.8849252, -7.4604632),
    (3.8699103, -10.8098832),
    (1.5131554, 6.7531840),
    (-8.5592174, -10.1292783),
    (6.8676002, 4.5207346),
)

EXERCISE = Exercise(
    "lab3.classifier_gradient",
    points=3,
    title="Which way to the class?",
    names=("classifier_gradient",),
    probe=probe,
    public=check,
    version=10,
)
