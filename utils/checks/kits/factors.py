"""Compare results that are sums of the inputs, each times one number for each sample, and say which factor is wrong.

A finding says how a factor differs from the right one (sign, ratio, square, where), and never the factor itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

SAME = 1e-3  # relative: a difference in a factor that is worth a word
EXACT = 1e-5  # relative: two factors that are one formula differ by rounding alone
RESIDUAL = 1e-3  # relative: what is not explained by factors
Tensors = Mapping[str, Tensor]


@dataclass(frozen=True)
class Place:
    """Some samples of a batch, such as those at t = 0."""

    code: str
    words: str  # "at t = 0"
    rows: Tensor  # (b,) bool


def rows_of(x: Tensor) -> Tensor:
    """Return x, (b, …), as float64 of shape (b, n)."""
    return x.double().reshape(len(x), -1)


def combination(inputs: Tensors, factors: Tensors) -> Tensor:
    """Return the sum of all inputs times their factors, in the shape of an input.

    Args:
        inputs: (b, …) each.
        factors: (b,) each, by the names of the inputs.
    """
    return sum(factors[name].reshape(-1, *[1] * (x.dim() - 1)) * x.double() for name, x in inputs.items())  # type: ignore


def sizes(inputs: Tensors, factors: Tensors) -> Tensor:
    """Return the size of the largest term of each sample, (b,): what rounding errors are relative to."""
    terms = [factors[name].abs() * rows_of(x).abs().amax(1) for name, x in inputs.items()]
    return torch.stack(terms).amax(0)


def agreeing(actual: Tensor, expected: Tensor, size: Tensor, rtol: Tensor | float) -> Tensor:
    """Return which samples of two tensors agree, (b,).

    Args:
        actual: (b, …).
        expected: (b, …).
        size: (b,), the size of the terms of each sample.
        rtol: Tolerance relative to that size, a number or (b,).
    """
    error = (rows_of(actual) - rows_of(expected)).abs().amax(1)
    return error <= rtol * size + 1e-12


def agree(actual: Tensor, expected: Tensor, size: Tensor, rtol: Tensor | float) -> bool:
    """Return whether all samples of two tensors agree; arguments as for `agreeing`."""
    return bool(agreeing(actual, expected, size, rtol).all())


def measured(actual: Tensor, inputs: Tensors) -> tuple[Tensors, Tensor] | None:
    """Return the factors of a result by least squares, and what they leave unexplained, (b,), relative to its size.

    Args:
        actual: (b, …).
        inputs: (b, …) each.

    Returns:
        None where a sample has too few numbers.
    """
    target = rows_of(actual)
    columns = torch.stack([rows_of(x) for x in inputs.values()], dim=2)
    if columns.shape[1] <= columns.shape[2]:
        return None
    solved = torch.linalg.lstsq(columns, target[..., None]).solution
    residual = (target - (columns @ solved)[..., 0]).abs().amax(1) / target.abs().amax(1).clamp(min=1e-12)
    return dict(zip(inputs, solved[..., 0].T)), residual


def finding_of(
    actual: Tensor, inputs: Tensors, factors: Tensors, places: Sequence[Place], where: str
) -> tuple[str, str]:
    """Return code and message for a result that differs from the right one.

    Args:
        actual: (b, …), wrong.
        inputs: (b, …) each, by the names that messages give them.
        factors: The right factors, (b,) each.
        places: Groups of samples that may be special, most special first.
        where: How a message names the run: "on images".
    """
    names = " and ".join(f"`{name}`" for name in inputs)
    found = measured(actual, inputs)
    if found is None:
        return "wrong_here", f"Your result is right elsewhere, and wrong {where}: does it depend on the shape?"
    own, residual = found
    if bool((residual > RESIDUAL).any()):
        if float(actual.abs().max()) <= 1 + 1e-6 and int((actual.abs() > 1 - 1e-6).sum()) > 1:
            return "clamped", f"Your result is cut off at -1 and 1 (seen {where})."
        only = "" if len(inputs) == 1 else ", each"
        return "not_a_sum", (
            f"Your result is not {names}{only} times one number for each sample. Something else enters, "
            f"a part is cut off, or the factor varies inside a sample (seen {where})."
        )
    size = torch.stack([f.abs() for f in factors.values()]).amax(0)
    wrong = {name: ~near(own[name], factors[name], size) for name in inputs}
    for name, rows in wrong.items():
        if not bool(rows.any()):
            continue
        code, sentence = relation(name, own[name], factors, size, places)
        rest = [f"`{other}`" for other in inputs if other != name and bool(wrong[other].any())]
        fine = [f"`{other}`" for other in inputs if other != name and not bool(wrong[other].any())]
        also = factors_of(rest, "wrong, too") + factors_of(fine, "right")
        return f"{name}_{code}", f"{sentence}{also} (Seen {where}.)"
    return "imprecise", (
        f"Your factors of {names} are nearly right, but differ from the right ones by more than float32 rounds "
        f"(seen {where}). Is a small constant added, or a small number cut off?"
    )


def factors_of(names: Sequence[str], what: str) -> str:
    """Return a sentence that says what the factors of some inputs are; nothing if there are none."""
    if not names:
        return ""
    return f" The factor{'s' * (len(names) > 1)} of {' and '.join(names)} {'are' if len(names) > 1 else 'is'} {what}."


def near(one: Tensor, other: Tensor, size: Tensor, rtol: float = SAME) -> Tensor:
    """Return where two factors, (b,), are the same; size, (b,), is that of the sample's largest factor."""
    return (one - other).abs() <= rtol * (other.abs() + 0.01 * size)


def relation(name: str, own: Tensor, factors: Tensors, size: Tensor, places: Sequence[Place]) -> tuple[str, str]:
    """Return code and sentence: how a wrong factor is related to the right one.

    Args:
        name: The input whose factor is wrong.
        own: Its factors in the student's result, (b,).
        factors: The right factors of all inputs, (b,) each.
        size: (b,), the size of the sample's largest factor.
        places: Groups of samples that may be special.
    """
    right = factors[name]
    own = torch.where(own.abs() < 1e-9 * size, 0.0, own)  # the rest is rounding
    if bool(near(own, 0 * right, size).all()):
        return "missing", f"Your result does not contain `{name}`."
    if bool(near(own, -right, size).all()):
        return "sign", f"`{name}` has the wrong sign in your result."
    wrong = ~near(own, right, size)
    if found := whole_places(wrong, places):
        code = "_and_".join(place.code for place in found)
        there = ", and ".join(f"{place.words} ({ratio_at(own, right, place.rows)})" for place in found)
        return f"at_{code}", f"The factor of `{name}` is right except {there}."
    for code, words, other in known_relations(name, factors):
        if bool(near(own.abs(), other.abs(), size, EXACT).all()):
            sign = "" if bool((own * other >= -1e-12).all()) else ", with the wrong sign"
            return code, f"The factor of `{name}` is {words}{sign}."
    code, sentence = by_ratio(name, own, right, size, places)
    zero = next((place for place in places if bool((wrong & place.rows & (right == 0)).any())), None)
    return code, f"{sentence[:-1]}; {zero.words} it should be 0, and is not." if zero else sentence


def whole_places(wrong: Tensor, places: Sequence[Place]) -> list[Place]:
    """Return the places that hold all wrong samples of a batch and no other; none if there are no such places.

    Args:
        wrong: (b,) bool.
        places: Groups of samples that may be special, most special first.
    """
    found: list[Place] = []
    covered = torch.zeros_like(wrong)
    for place in places:
        if bool((place.rows & ~covered).any()) and bool(wrong[place.rows].all()):
            found.append(place)
            covered = covered | place.rows
    return found if torch.equal(covered, wrong) and not bool(wrong.all()) else []


def known_relations(name: str, factors: Tensors) -> list[tuple[str, str, Tensor]]:
    """Return codes, words and factors that are simple functions of the right ones, with the right sign."""
    right = factors[name]
    sign = torch.where(right == 0, torch.ones_like(right), right.sign())
    known = [
        ("full", "1: it enters as it is", sign),
        ("square", "the square of the right one", sign * right.square()),
        ("root", "the square root of the right one", sign * right.abs().sqrt()),
        ("inverse", "one over the right one", sign / right.abs().clamp(min=1e-12)),
    ]
    return known + [
        ("of_another", f"the one that belongs to `{other}`", value) for other, value in factors.items() if other != name
    ]


def by_ratio(name: str, own: Tensor, right: Tensor, size: Tensor, places: Sequence[Place]) -> tuple[str, str]:
    """Return code and sentence from the ratio of the factor to the right one; arguments as for `relation`."""
    there = right.abs() > 1e-9
    ratios = own[there] / right[there]
    if not bool(ratios.any()):
        return "only_where_0", f"The factor of `{name}` is 0 wherever it should not be."
    if bool(((ratios / ratios[0] - 1).abs() < SAME).all()) and bool(near(own, ratios[0] * right, size).all()):
        code = "multiplied" if float(ratios[0]) > 1 else "ratio"
        return code, f"The factor of `{name}` is {float(ratios[0]):.3g} times the right one, in every sample."
    correct = near(own, right, size)
    for place in places:
        if bool(place.rows.any()) and bool((correct == place.rows).all()):
            return f"only_at_{place.code}", f"The factor of `{name}` is right only {place.words}."
    low, high = float(ratios.min()), float(ratios.max())
    factor, ratios_in_words = (
        f"The factor of `{name}`",
        f"between {low:.3g} and {high:.3g} times the right one, by sample",
    )
    if high < 0:
        return "sign_and_size", f"{factor} has the wrong sign and the wrong size: it is {ratios_in_words}."
    if low >= 0 and high <= 1 + SAME:
        return too_small(factor, ratios, right[there], ratios_in_words)
    if low >= 1 - SAME:
        return "too_large", f"{factor} is too large: {ratios_in_words}."
    return "size", f"{factor} is {ratios_in_words}."


def too_small(factor: str, ratios: Tensor, right: Tensor, words: str) -> tuple[str, str]:
    """Return code and sentence for a factor that is too small in one sample, in some, or in all.

    Args:
        factor: How the sentence begins.
        ratios: The factors divided by the right ones, at most 1.
        right: The right factors.
        words: The range of the ratios in words.
    """
    wrong = ratios < 1 - SAME
    if int(wrong.sum()) == 1:
        return (
            "small_in_one",
            f"{factor} is right but in one sample, where it is {float(ratios[wrong]):.3g} times as large.",
        )
    if not bool(wrong.all()):
        if float(right[wrong].abs().min()) > float(right[~wrong].abs().max()):
            return "small_where_large", f"{factor} is too small in the samples where it should be largest: {words}."
        return "small_in_some", f"{factor} is too small in some samples: {words}."
    return "too_small", f"{factor} is too small: {words}."


def ratio_at(own: Tensor, right: Tensor, rows: Tensor) -> str:
    """Say what a factor is in these samples, compared with the right one."""
    if bool((right[rows].abs() < 1e-9).all()):
        return "there it should be 0"
    if bool((own[rows].abs() < 1e-9).all()):
        return "there it is 0"
    return f"there it is {float((own[rows] / right[rows])[0]):.3g} times the right one"
