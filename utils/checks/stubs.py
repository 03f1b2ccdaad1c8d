"""Recording stubs: stand-ins for the model, the path, the data and the other exercises' results.

They compute nonsense. A smooth function that means nothing can be rebuilt by the judge from the challenge and from the
recorded inputs, and gives no hint of any lab's formula.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor, nn

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence


class Nonsense:
    """sin of a random combination of its inputs, plus a phase for each coordinate. Smooth, bounded, not linear.

    `Nonsense(challenge, "model")(x, t, y)` has the shape and dtype of x (the widest float dtype of the inputs).
    The other inputs have one value a sample, (b,) or (b, 1, …, 1), or the shape of x. It is computed row by row:
    one call with 8 rows and eight calls with one row agree.
    """

    def __init__(self, challenge: Challenge, name: str, amplitude: float = 1.0):
        numbers = coefficients(challenge.on("cpu"), name)
        self.weights = numbers[:8]
        self.phase, self.stride, self.tilt = numbers[8], numbers[9], 0.3 * numbers[10]
        self.amplitude = amplitude

    def __call__(self, x: Tensor, *others: Tensor) -> Tensor:
        angle = self.weights[0] * x
        for weight, other in zip(self.weights[1:], others, strict=False):
            angle = angle + weight * per_sample(other, x)
        coordinates = torch.arange(math.prod(x.shape[1:]), device=x.device).to(angle.dtype).reshape(x.shape[1:])
        return self.amplitude * torch.sin(angle + self.phase + self.stride * coordinates) + self.tilt * x


@lru_cache(maxsize=256)  # a judge rebuilds the same stub for every run of an exercise
def coefficients(challenge: Challenge, name: str) -> list[float]:
    """16 numbers in [0.5, 1.5)."""
    return challenge.rand(f"nonsense {name}", (16,), 0.5, 1.5).tolist()


def per_sample(value: Tensor, x: Tensor) -> Tensor:
    """(b,) or (b, 1, …, 1) as (b, 1, …, 1) of x's rank, at least as precise as x; the shape of x stays."""
    if not isinstance(value, Tensor):
        raise TypeError(
            f"called with a Python {type(value).__name__} where a tensor with one value for each sample belongs"
        )
    value = value.to(torch.promote_types(x.dtype, value.dtype))  # before it is multiplied: the judge has no float32 t
    if value.shape == x.shape or value.dim() == 0:
        return value
    if value.numel() == x.shape[0]:
        return value.reshape(-1, *[1] * (x.dim() - 1))
    return value  # left to torch's broadcasting, and to its error message


class Recorder:
    """Notes every call of a stub: copies of the inputs and of the output, so that later changes do not show.

    `arguments` are the names by which a student may pass them, in order: `model(x, t, y)` and `model(x=x, y=y, t=t)`
    are the same call.
    """

    def __init__(self, function: Callable[..., object], arguments: tuple[str, ...]):
        self.function = function
        self.arguments = arguments
        self.calls: list[tuple[list[object], object]] = []

    def __call__(self, *inputs: object, **named: object):
        values = bind(self.arguments, inputs, named)
        before = [keep(value) for value in values]
        output = self.function(*values)
        self.calls.append((before, keep(output)))
        return output

    def report(self, evidence: Evidence, name: str, output: str | None = None) -> None:
        """Write `name/count`, and each argument of all calls joined along the batch as `name/argument`.

        Arguments that cannot be joined are put call by call, as `name/argument.0`, …
        """
        evidence.put(f"{name}/count", len(self.calls))
        columns = {
            label: [call[0][i] for call in self.calls if i < len(call[0])] for i, label in enumerate(self.arguments)
        }
        if output is not None:
            columns[output] = [call[1] for call in self.calls]
        for label, column in columns.items():
            try:
                evidence.put(f"{name}/{label}", torch.cat([as_batch(item) for item in column]))
            except (TypeError, ValueError, RuntimeError):
                evidence.put(f"{name}/{label}", column[:16])


def forget_repeats(recorder: Recorder) -> None:
    """Drop the calls that ask once more for what was just asked: a second call for a print is no mistake."""
    calls: list[tuple[list[object], object]] = []
    for call in recorder.calls:
        if not calls or not same_inputs(call[0], calls[-1][0]):
            calls.append(call)
    recorder.calls = calls


def same_inputs(first: list[object], second: list[object]) -> bool:
    return len(first) == len(second) and all(
        isinstance(a, Tensor) and isinstance(b, Tensor) and a.dtype == b.dtype and torch.equal(a, b)
        for a, b in zip(first, second, strict=True)
    )


def bind(arguments: tuple[str, ...], inputs: tuple, named: dict) -> list[object]:
    """The values of a call in the order of `arguments`; trailing ones may be left out."""
    if len(inputs) > len(arguments):
        raise TypeError(f"called with {len(inputs)} arguments, but it takes {', '.join(arguments)}")
    values = dict(zip(arguments, inputs, strict=False))
    for label, value in named.items():
        if label not in arguments or label in values:
            raise TypeError(f"called with an unexpected argument '{label}'; it takes {', '.join(arguments)}")
        values[label] = value
    return [values[label] for label in arguments if label in values]


def keep(thing: object) -> object:
    return thing.detach().clone() if isinstance(thing, Tensor) else thing


def as_batch(thing: object) -> Tensor:
    if not isinstance(thing, Tensor):
        raise TypeError("not a tensor")
    return thing.reshape(1) if thing.dim() == 0 else thing


class StubModel(nn.Module):
    """A model of nonsense with one parameter, `gain`, equal to 1: gradients must reach it.

    Called as `model(x, t, y)`, or as `arguments` say; every call is recorded in `record`.
    """

    def __init__(
        self,
        challenge: Challenge,
        name: str = "model",
        dtype: torch.dtype = torch.float64,
        arguments: tuple[str, ...] = ("x", "t", "y"),
    ):
        super().__init__()
        self.gain = nn.Parameter(torch.ones((), dtype=dtype, device=challenge.device))
        self.nonsense = Nonsense(challenge, name)
        self.record = Recorder(self.compute, arguments)

    def compute(self, x: Tensor, *others: Tensor) -> Tensor:
        return self.gain * self.nonsense(x, *others)

    def forward(self, *inputs: Tensor, **named: Tensor) -> Tensor:
        return self.record(*inputs, **named)


class StubData:
    """Labelled nonsense points of any shape. `sample` returns views of its own storage, so that a change in place shows."""

    def __init__(self, challenge: Challenge, name: str, shape: tuple[int, ...], classes: int, dtype: torch.dtype):
        self.points = challenge.randn(f"{name} points", (512, *shape), dtype)
        self.labels = challenge.randint(f"{name} labels", 0, classes, (512,))
        self._before = self.points.clone(), self.labels.clone()
        self.next = 0
        self.sample = Recorder(self.draw, ("n",))

    def kept(self) -> tuple[bool, bool]:
        """Are the points, and the labels, still what they were?"""
        points, labels = self._before
        return torch.equal(points, self.points), torch.equal(labels, self.labels)

    def draw(self, n: int) -> tuple[Tensor, Tensor]:
        rows = slice(self.next, self.next + n)
        if rows.stop > len(self.points):
            raise ValueError(f"asked for {rows.stop} samples; {len(self.points)} are enough for this exercise")
        self.next = rows.stop
        return self.points[rows], self.labels[rows]


class StubClassifier(nn.Module):
    """Logits of nonsense, (b, classes), with one parameter, `gain`, equal to 1. Every call is recorded.

    Each logit hangs on its own coordinate of x; with `mixed` all hang on all.
    """

    def __init__(
        self, challenge: Challenge, classes: int, dtype: torch.dtype, mixed: bool = False, amplitude: float = 2.0
    ):
        super().__init__()
        self.gain = nn.Parameter(torch.ones((), dtype=dtype, device=challenge.device))
        self.nonsense = Nonsense(challenge, "classifier", amplitude=amplitude)
        self.challenge, self.classes, self.mixed = challenge, classes, mixed
        self.record = Recorder(self.compute, ("x", "t"))

    def compute(self, x: Tensor, t: Tensor) -> Tensor:
        values = self.nonsense(x, t).flatten(1)
        if self.mixed:
            values = values @ self.challenge.randn("mixing", (values.shape[1], self.classes), values.dtype)
        return self.gain * values[:, : self.classes]

    def forward(self, *inputs: Tensor, **named: Tensor) -> Tensor:
        return self.record(*inputs, **named)


class PreparedClassifier(nn.Module):
    """Gives the label that belongs to each row the logit `certainty` and the other classes 0, whatever x and t are.

    Asked for the same x again, it gives the same rows.
    """

    def __init__(self, labels: Tensor, certainty: float, classes: int):
        super().__init__()
        self.labels, self.certainty, self.classes = labels, certainty, classes
        self.rows, self.last = slice(0, 0), torch.empty(0)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        if not torch.equal(x, self.last):
            self.rows, self.last = slice(self.rows.stop, self.rows.stop + len(x)), x.detach().clone()
        return self.certainty * nn.functional.one_hot(self.labels[self.rows], self.classes).to(x)
