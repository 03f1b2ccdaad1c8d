"""How a guided sampler moves x along the classifier's gradient, read from its recorded steps."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from utils.checks.judging import Judge
from utils.checks.lab3.spot_the_bugs_inputs import RUNS, STEPS, Inputs, stub_gradient, stub_model, stub_step

READABLE = 0.05  # the least sum of squares of the gradient from which its factor is read
CHANGED = 0.01  # what cuts off x changes some number by more, and rounding changes none by more
LARGE = 0.05  # only gradients of this share of the step's largest tell the factor: beside small ones, rounding counts


@dataclass(frozen=True)
class Guidance:
    """How a sampler moves x along the classifier's gradient: all steps, the noisiest first."""

    moved: Tensor  # (STEPS, b, …) what is added to x after the DDPM step
    inside: bool  # the noise estimate is guided
    size: float  # the largest number of x after a step, and of the noise estimates
    clamped: bool  # x is cut off after a step
    ends: tuple[float, ...]  # where x is cut off, if nothing else happens to it after a step
    start_ends: tuple[float, ...]  # where x is cut off before the first step
    nowhere: bool  # the gradient is neither in the noise estimate nor in what is added to x
    factor: Tensor  # (STEPS,) the factor of the gradient, in units of the noise estimate or else of x
    readable: Tensor  # (STEPS,) whether the factor is known; a step where everything is cut off hides it
    beside: float  # how much of the guidance is not a multiple of the gradient, relative to it
    alignment: float  # the cosine of the angle between the guidance and the gradient, over all steps
    limit: float | None  # where the noise estimates are cut off; None if they are not


def read_guidance(judge: Judge, run: str) -> Guidance:
    """Compute the guidance from the recorded calls and the stubs' outputs."""
    form, challenge = RUNS[run], judge.challenge
    shape = (STEPS, *form.shape)
    estimates = judge.tensor(f"{run}/steps/noise_estimate", form.all_steps, "The noise estimates of all steps")
    x = judge.tensor(f"{run}/steps/x", form.all_steps, "The x of all steps")
    t = judge.tensor(f"{run}/steps/t", form.all_steps[:1], "The t of all steps")
    used = judge.tensor(f"{run}/steps/noise", form.all_steps, "The noise of all steps")
    value = judge.tensor(f"{run}/value", form.shape, "The sample")
    shift = (estimates - stub_model(challenge)(x, t)).reshape(shape)
    gradient = stub_gradient(challenge, run)(x, t, Inputs.of(challenge, run).y.repeat(STEPS)).reshape(shape)
    results = stub_step(challenge)(x, t, estimates, used).reshape(shape)
    after = torch.cat([x.reshape(shape)[1:], value[None]])
    ends = ends_of_cut(results, after, form.blur)
    start_ends = ends_of_cut(Inputs.of(challenge, run).x.double(), x.reshape(shape)[0], form.blur)
    moved = torch.zeros_like(after) if ends else after - results
    inside = float(shift.abs().max()) > form.blur
    clamped = bool(ends) or float(after.abs().max()) <= 1 + 1e-9
    limit = where_cut_off(estimates)
    along = -shift if inside else moved  # a lower noise estimate is a higher x
    along = torch.where(along.abs() > form.blur / 3, along, 0.0)  # the rest is rounding
    free = torch.ones_like(after)  # 1 where nothing is cut off
    if inside and limit is not None:
        free = (estimates.reshape(shape).abs() < limit - 1e-6).double()
    elif not inside:
        free = is_single(after).double()
    weight = (gradient.square() * free).flatten(1).sum(1)
    # the median, because what cuts off an estimate changes few numbers, and those a lot
    sizes = gradient.abs() * free
    told = sizes > LARGE * sizes.flatten(1).amax(1).reshape(-1, *[1] * (len(shape) - 1))
    factor = torch.where(told, along / gradient, torch.nan).flatten(1).nanmedian(1).values.nan_to_num()
    rest = along - factor.reshape(-1, *[1] * (len(shape) - 1)) * gradient
    if not inside:
        along, rest = along * free, rest * free
    size = float(along.abs().max())
    beside = float(rest.abs().max()) / size if size > form.blur else 0.0
    alignment = float(torch.cosine_similarity(along.flatten(), (gradient * free).flatten(), dim=0))
    size_of_numbers = max(float(after.abs().max()), float(estimates.abs().max()))
    nowhere = not inside and float(moved.abs().max()) <= form.blur
    return Guidance(
        moved, inside, size_of_numbers, clamped, ends, start_ends, nowhere, factor, weight > READABLE, beside,
        alignment, limit,
    )  # fmt: skip


def where_cut_off(values: Tensor) -> float | None:
    """Return where the numbers of all steps are cut off, or None: then no two steps have the same largest number."""
    sizes = values.reshape(STEPS, -1).abs().amax(1)
    largest = float(sizes.max())
    again = int((sizes >= largest - 1e-9).sum()) > 1
    return largest if again else 1.0 if largest <= 1 + 1e-9 else None


def is_single(values: Tensor) -> Tensor:
    """Return where a number has a size that no other number has: what is cut off has the size of the end."""
    _, size, count = values.abs().unique(return_inverse=True, return_counts=True)
    return count[size] == 1


def ends_of_cut(before: Tensor, after: Tensor, blur: float) -> tuple[float, ...]:
    """Return the numbers at which x is cut off, the lower one first; none if anything else happens to it, or nothing.

    Args:
        before: x before.
        after: x afterwards, in the same shape.
        blur: A difference that rounding can make.
    """
    raised, lowered = after[after - before > blur], after[before - after > blur]
    ends = [values for values in (raised, lowered) if len(values)]
    only_cut = all(bool((values == values[0]).all()) for values in ends)
    only_cut = only_cut and float((after - before).abs().max()) > CHANGED
    return tuple(float(values[0]) for values in ends) if only_cut else ()
