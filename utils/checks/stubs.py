"""Recording stubs for the model, the path and the data: functions without meaning, which a judge can rebuild."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor, nn

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence


class RandomField:
    """The sine of a random combination of the inputs, plus a phase for each coordinate. Smooth, bounded, not linear.

    `RandomField(challenge, "model")(x, t, y)` has the shape of x, and the widest floating-point dtype of the inputs.
    The other inputs have one value for each sample, (b,) or (b, 1, …, 1), or the shape of x. Rows do not influence
    each other: one call with 8 rows and eight calls with one row agree.

    Args:
        challenge: fixes the coefficients.
        name: the stub's name; another name has other coefficients.
        amplitude: the size of the sine.
    """

    def __init__(self, challenge: Challenge, name: str, amplitude: float = 1.0):
        numbers = coefficients(challenge.on("cpu"), name)
        self.weights = numbers[:8]
        self.phase, self.stride, self.tilt = numbers[8], numbers[9], 0.3 * numbers[10]
        self.amplitude = amplitude

    def __call__(self, x: Tensor, *others: Tensor) -> Tensor:
        """Return the field's value, with the shape of x."""
        angle = self.weights[0] * x
        for weight, other in zip(self.weights[1:], others, strict=False):
            angle = torch.add(angle, per_sample(other, x), alpha=weight)
        angle = angle + phases(self.phase, self.stride, x.shape[1:], angle.dtype).to(x.device)
        return torch.add(self.amplitude * torch.sin(angle), x, alpha=self.tilt)


@lru_cache(maxsize=256)
def phases(first: float, stride: float, shape: torch.Size, dtype: torch.dtype) -> Tensor:
    """Return a phase for each coordinate: small numbers, of which float32 keeps seven digits. They are shared."""
    angles = first + stride * torch.arange(math.prod(shape), dtype=torch.float64)
    return (angles % (2 * math.pi)).to(dtype).reshape(shape)


@lru_cache(maxsize=256)  # a judge rebuilds the same stub for every run of an exercise
def coefficients(challenge: Challenge, name: str) -> list[float]:
    """Return a stub's 16 coefficients.

    Args:
        challenge: fixes them.
        name: the stub's name.

    Returns:
        Numbers in [0.5, 1.5).
    """
    return challenge.rand(f"nonsense {name}", (16,), 0.5, 1.5).tolist()


def per_sample(value: Tensor, x: Tensor) -> Tensor:
    """Give a value for each sample as many axes as x, and at least the precision of x.

    A value with the shape of x stays as it is.

    Args:
        value: shape (b,), (b, 1, …, 1), () or the shape of x.
        x: samples, shape (b, …).

    Returns:
        The values, shape (b, 1, …, 1).

    Raises:
        TypeError: the value is not a tensor.
        ValueError: it has a shape that fits neither.

    Example:
        >>> per_sample(torch.zeros(5), torch.zeros(5, 3, 4)).shape
        torch.Size([5, 1, 1])
    """
    if not isinstance(value, Tensor):
        raise TypeError(
            f"called with a Python {type(value).__name__} where a tensor with one value for each sample belongs"
        )
    value = value.to(torch.promote_types(x.dtype, value.dtype))  # before it is multiplied: the judge has no float32 t
    if value.shape == x.shape or value.dim() == 0:
        return value
    if value.numel() == x.shape[0]:
        return value.reshape(-1, *[1] * (x.dim() - 1))
    if value.dim() > x.dim() or any(a not in (1, b) for a, b in zip(value.shape[::-1], x.shape[::-1])):
        given, samples = tuple(value.shape), x.shape[0]
        raise ValueError(f"called with an input of shape {given} where one value for each of {samples} samples belongs")
    return value


class Recorder:
    """A function that records its calls: copies of the inputs and of the output, which later changes do not affect.

    Args:
        function: what it computes.
        arguments: the names of its arguments, in their order. `model(x, t, y)` and `model(x=x, y=y, t=t)` are the same
            call.

    Attributes:
        calls: the inputs and the output of each call.
    """

    def __init__(self, function: Callable[..., object], arguments: tuple[str, ...]):
        self.function = function
        self.arguments = arguments
        self.calls: list[tuple[list[object], object]] = []

    def __call__(self, *inputs: object, **named: object):
        """Call the function, and record its inputs and its output."""
        values = bind(self.arguments, inputs, named)
        before = [keep(value) for value in values]
        output = self.function(*values)
        self.calls.append((before, keep(output)))
        return output

    def report(self, evidence: Evidence, name: str, output: str | None = None) -> None:
        """Store the calls as evidence.

        `name/count` is their number, and `name/argument` is an argument of all calls, joined along the batch. Arguments
        that cannot be joined are stored call by call, as `name/argument.0`, …

        Args:
            evidence: where to store them.
            name: the stub's name in the evidence.
            output: the name for the outputs. None stores no outputs.
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
    """Drop calls that repeat the inputs of the previous call. A second call for a print is no mistake.

    Args:
        recorder: whose calls are reduced, in place.
    """
    calls: list[tuple[list[object], object]] = []
    for call in recorder.calls:
        if not calls or not same_inputs(call[0], calls[-1][0]):
            calls.append(call)
    recorder.calls = calls


def same_inputs(first: list[object], second: list[object]) -> bool:
    """Return whether two calls have equal tensors as inputs.

    Args:
        first: the inputs of a call.
        second: the inputs of another call.

    Returns:
        True if values and dtypes are equal.
    """
    return len(first) == len(second) and all(
        isinstance(a, Tensor) and isinstance(b, Tensor) and a.dtype == b.dtype and torch.equal(a, b)
        for a, b in zip(first, second, strict=True)
    )


def bind(arguments: tuple[str, ...], inputs: tuple, named: dict) -> list[object]:
    """Return the values of a call in the order of its arguments. Trailing arguments may be missing.

    Args:
        arguments: the names of the arguments.
        inputs: the values that were passed by position.
        named: the values that were passed by name.

    Returns:
        The values.

    Raises:
        TypeError: there are too many values, or a name is unknown or given twice.

    Example:
        >>> bind(("x", "t"), (1,), {"t": 2})
        [1, 2]
    """
    if len(inputs) > len(arguments):
        raise TypeError(f"called with {len(inputs)} arguments, but it takes {', '.join(arguments)}")
    values = dict(zip(arguments, inputs, strict=False))
    for label, value in named.items():
        if label not in arguments or label in values:
            raise TypeError(f"called with an unexpected argument '{label}'; it takes {', '.join(arguments)}")
        values[label] = value
    return [values[label] for label in arguments if label in values]


def keep(thing: object) -> object:
    """Copy a tensor without its graph.

    Args:
        thing: any object.

    Returns:
        The copy, or the object itself if it is no tensor.
    """
    return thing.detach().clone() if isinstance(thing, Tensor) else thing


def as_batch(thing: object) -> Tensor:
    """Return a tensor with at least one axis.

    Args:
        thing: a tensor.

    Returns:
        The tensor; a scalar gets shape (1,).

    Raises:
        TypeError: it is not a tensor.
    """
    if not isinstance(thing, Tensor):
        raise TypeError("not a tensor")
    return thing.reshape(1) if thing.dim() == 0 else thing


class StubModel(nn.Module):
    """A model without meaning: gradients must reach its parameter `gain`, which is 1, and leave `frozen` as it is.

    Called as `model(x, t, y)`, or as `arguments` say. Every call is recorded in `record`.

    Args:
        challenge: fixes its coefficients.
        name: the stub's name.
        dtype: the dtype of `gain`.
        arguments: the names of its inputs.
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
        self.frozen = nn.Parameter(torch.ones_like(self.gain), requires_grad=False)
        self.field = RandomField(challenge, name)
        self.record = Recorder(self.compute, arguments)

    def compute(self, x: Tensor, *others: Tensor) -> Tensor:
        """Return the output, unrecorded.

        Args:
            x: samples, shape (b, …).
            *others: one value for each sample, or the shape of x.

        Returns:
            The shape of x.
        """
        return self.gain * self.field(x, *others)

    def forward(self, *inputs: Tensor, **named: Tensor) -> Tensor:
        """Return the output and record the call.

        Args:
            *inputs: the inputs by position.
            **named: the inputs by name.

        Returns:
            The shape of the first input.
        """
        return self.record(*inputs, **named)


class StubClassifier(nn.Module):
    """A classifier without meaning: logits (b, classes), a parameter `gain`, equal to 1, and a frozen one.

    Every call is recorded. Each logit depends on its own coordinate of x; with `mixed`, all depend on all.

    Args:
        challenge: fixes its coefficients.
        classes: the number of classes.
        dtype: the dtype of `gain`.
        mixed: mix the coordinates.
        amplitude: the size of the logits.
    """

    def __init__(
        self, challenge: Challenge, classes: int, dtype: torch.dtype, mixed: bool = False, amplitude: float = 2.0
    ):
        super().__init__()
        self.gain = nn.Parameter(torch.ones((), dtype=dtype, device=challenge.device))
        self.frozen = nn.Parameter(torch.ones_like(self.gain), requires_grad=False)
        self.field = RandomField(challenge, "classifier", amplitude=amplitude)
        self.challenge, self.classes, self.mixed = challenge, classes, mixed
        self.record = Recorder(self.compute, ("x", "t"))

    def compute(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the logits, unrecorded.

        Args:
            x: samples, shape (b, …).
            t: times, shape (b,) or (b, 1, …, 1).

        Returns:
            Logits, shape (b, classes).
        """
        values = self.field(x, t).flatten(1)
        if self.mixed:
            values = values @ self.challenge.randn("mixing", (values.shape[1], self.classes), values.dtype)
        return self.gain * values[:, : self.classes]

    def forward(self, *inputs: Tensor, **named: Tensor) -> Tensor:
        """Return the logits and record the call.

        Args:
            *inputs: the inputs by position.
            **named: the inputs by name.

        Returns:
            Logits, shape (b, classes).
        """
        return self.record(*inputs, **named)
