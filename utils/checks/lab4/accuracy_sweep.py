"""Exercise 4.6: conditional accuracy for every guidance scale."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge
from utils.checks.kits.inputs import same_tensors
from utils.checks.kits.left_behind import require_nothing_left, watching
from utils.checks.kits.listing import shorten
from utils.checks.kits.other_device import other_device
from utils.checks.kits.requirements import require_unchanged
from utils.checks.lab4.accuracy_sweep_inputs import RUNS, Inputs, StubClassifier, stub_sample
from utils.checks.stubs import Recorder
from utils.checks.student import Student

SHARE = 1e-5  # how far an accuracy may be from a share: float32 rounds it to 6e-8, and float16 to 2e-4
DECIMALS = range(1, 5)  # accuracies that are shares at so many decimals are rounded
SAME_IMAGE = 1e-4  # relative: float32's precision is enough for an image, and 256 grey levels are not

ALIKE = 0.8  # the cosine between a row of noise and what is left of it when its numbers are limited to 3, say
UNSURE = 1e-4  # a sample whose two largest logits are nearer than this may be classified either way, by rounding

# How many samples are classified as their label on the public challenge, for each scale in the order of the list.
# An oracle made the numbers, one image at a time. tests/exercises/lab4/test_accuracy_sweep.py computes them again.
PUBLIC_HITS = {
    "main": (28, 28, 25, 31, 13, 18),
    "no_null": (19, 18, 15),
    "mostly_null": (0, 0),
    "single": (6, 4),
    "many_classes": (20, 8, 17),
    "one": (0,),
}


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Call the student's function in every run, and record what the sampler is given."""
    arguments = ("sample", "classify", "labels", "scales", "noise", "null_label")
    conditional_accuracy = student.function("conditional_accuracy", *arguments)
    for run in RUNS:
        inputs, before = Inputs.of(challenge, run), Inputs.of(challenge, run)
        sampler = Recorder(lambda *given: stub_sample(challenge, *given), ("noise", "labels", "w"))
        classifier = StubClassifier(challenge, inputs.bias)
        with evidence.attempt(run), watching(evidence, run, noise=inputs.noise):
            result = conditional_accuracy(
                lambda noise, labels, w, sampler=sampler: sampler(noise, labels, w),  # plain functions, as in the lab
                lambda images, classifier=classifier: classifier(images),
                inputs.labels,
                inputs.scales,
                inputs.noise,
                inputs.null_label,
            )
            evidence.put(f"{run}/result", result if not isinstance(result, dict) else None)
            evidence.put(f"{run}/type", "dict" if isinstance(result, dict) else type(result).__name__)
            if isinstance(result, dict):
                evidence.put(f"{run}/scales", [key if isinstance(key, str) else float(key) for key in result][:64])
                evidence.put(f"{run}/accuracy", list(result.values())[:64])
                evidence.put(f"{run}/found", sum(w in result for w in before.scales))
        sampler.report(evidence, f"{run}/sample", "images")
        classifier.record.report(evidence, f"{run}/classify")
        evidence.put(f"{run}/used_scales", sorted({as_number(call[0][2]) for call in sampler.calls})[:64])
        evidence.put(f"{run}/inputs_kept", same_tensors(inputs, before) and inputs.scales == before.scales)
    probe_device(conditional_accuracy, challenge, evidence)


def probe_device(conditional_accuracy: Callable, challenge: Challenge, evidence: Evidence) -> None:
    """Call the student's function with inputs on another device; record what it raises."""
    with other_device(evidence, challenge) as there:
        inputs = Inputs.of(there, "single")
        conditional_accuracy(
            lambda noise, labels, w: noise.clone(),
            lambda images: images.flatten(1),  # the logits are the pixels
            inputs.labels,
            inputs.scales[:1],
            inputs.noise,
            inputs.null_label,
        )


def as_number(scale: object) -> float:
    """Return a scale that the sampler was given as a number; NaN if it is none."""
    try:
        return float(scale)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError):
        return math.nan


def require_accuracies(judge: Judge, run: str, inputs: Inputs) -> dict[float, float]:
    """Return the recorded accuracy by scale; fail unless keys, noise and labels are what the exercise asks for.

    Args:
        judge: The judge of the exercise.
        run: A run of `RUNS`.
        inputs: The inputs of this run.
    """
    judge.attempt(run)
    kind = judge.value(f"{run}/type", str)
    judge.require(kind != "NoneType", "returned_none", "Your function returns None. Does it end in a `return`?")
    judge.require(kind == "dict", "not_a_dict", f"Return a dictionary from scale to accuracy; yours is a {kind}.")
    judge.require(
        judge.value(f"{run}/sample/count", int) > 0,
        "sampler_not_called",
        "In one of its calls your function never calls `sample`. Draw new images in every call.",
    )
    keys = require_scales(judge, run, inputs.scales)
    require_samples(judge, run, inputs)
    require_used_scales(judge, run, inputs.scales)
    return {w: judge.number(f"{run}/accuracy.{i}", f"The accuracy at w = {w:g}") for i, w in enumerate(keys)}


def require_scales(judge: Judge, run: str, scales: list[float]) -> list[float]:
    """Return the keys of the student's dictionary in their order; fail unless they are the scales."""
    length = judge.value(f"{run}/scales.length", int)
    keys = [judge.number(f"{run}/scales.{i}", "A key of your dictionary") for i in range(length)]
    judge.require(
        len(keys) >= len(scales) or not set(keys) <= set(scales),
        "scales_missing",
        f"Your dictionary has {len(keys)} of the {len(scales)} scales: {shorten(sorted(keys))}.",
    )
    judge.require(
        sorted(keys) == sorted(scales),
        "wrong_scales",
        f"The keys of your dictionary are {shorten(sorted(keys))}, and the scales were {shorten(sorted(scales))}.",
    )
    judge.require(
        judge.value(f"{run}/found", int) == len(scales),
        "keys_not_found",
        "The keys of your dictionary look like the scales, but looking up a scale finds nothing. "
        "A string or a tensor is another key than the number.",
    )
    return keys


def require_used_scales(judge: Judge, run: str, scales: list[float]) -> None:
    """Fail unless the sampler was called with every scale. Two scales may give equal accuracies by chance."""
    length = judge.value(f"{run}/used_scales.length", int)
    used = [judge.number(f"{run}/used_scales.{i}", "A scale that the sampler is given") for i in range(length)]

    def is_used(w: float) -> bool:
        return any(abs(w - other) <= 1e-6 * abs(w) for other in used)

    judge.require(
        len(used) > 1 or len(scales) == 1,
        "one_scale",
        f"All your samples are drawn with w = {used[0] if used else math.nan:g}. Every scale of the list has its own.",
    )
    for w in scales:
        judge.require(
            is_used(w) or not is_used(-w),
            "scale_sign",
            f"`sample` is called with w = {-w:g} where the list has {w:g}. Pass each w with its sign.",
        )
        judge.require(
            is_used(w),
            "scale_not_used",
            f"In one of its calls your function never calls `sample` with w = {w:g}, which is in the list. It passes "
            f"{shorten(used)}. Pass each w as it is, and keep nothing from an earlier call.",
        )


def require_samples(judge: Judge, run: str, inputs: Inputs) -> None:
    """Fail unless every row that the sampler was given is a row of the noise with the label of that row."""
    noise = inputs.noise
    used = judge.tensor(f"{run}/sample/noise", what="The noise that the sampler is given")
    judge.require(
        used.dim() == noise.dim() and used.shape[1:] == noise.shape[1:],
        "noise_shape",
        f"The noise that the sampler is given has the shape {tuple(used.shape)}, all calls joined, and that of the "
        f"argument the shape {tuple(noise.shape)}. Keep all its axes, also where there is one sample.",
    )
    distance, row = torch.cdist(used.double().flatten(1), noise.double().flatten(1)).min(dim=1)
    judge.require(
        bool((distance < 1e-4).all()) or not are_altered(used, noise),
        "noise_altered",
        "The sampler is given the noise of the argument, but not as it is: scaled, limited, or with something added.",
    )
    judge.require(
        bool((distance < 1e-4).all()),
        "fresh_noise",
        "The sampler is given other noise than that of the argument. Draw none, and do not start from the images of "
        "another scale: with the same noise for every scale, w is the only difference.",
    )
    labels = judge.tensor(f"{run}/sample/labels", (len(used),), "The labels that the sampler is given")
    judge.require(
        not bool((labels == inputs.null_label).all()),
        "labels_not_passed",
        "The samples were drawn with the null label. Give the sampler the labels.",
    )
    judge.require(
        len(noise) == 1 or row.unique().numel() > 1,
        "one_noise_for_all",
        "All samples start from the same noise. Each has its own row.",
    )
    judge.require(
        torch.equal(labels.long(), inputs.labels[row])
        or not torch.equal(labels.long().sort().values, inputs.labels[row].sort().values),
        "rows_in_another_order",
        "The sampler is given the noise in one order and the labels in another. They belong together row by row.",
    )
    every_row = torch.arange(len(noise)).repeat(-(-len(used) // len(noise)))[: len(used)]
    judge.require(
        torch.equal(labels.long(), inputs.labels[row]) or len(used) % len(noise) or not torch.equal(row, every_row),
        "labels_altered",
        "The sampler is given all rows of the noise, and other labels for some of them than those of the argument. "
        "Pass the labels as they are.",
    )
    judge.require(
        torch.equal(labels.long(), inputs.labels[row]),
        "rows_mixed",
        "The sampler is given noise and labels that do not belong together. "
        "If you drop rows of one, drop the same rows of the other.",
    )
    judge.require(
        set(inputs.asked.nonzero().flatten().tolist()) <= set(row.tolist()),
        "rows_left_out",
        "Some samples that have a class are never drawn. Leave out those whose label is null_label, and no others.",
    )


def require_images(judge: Judge, run: str, inputs: Inputs) -> None:
    """Fail unless every image that was drawn for a sample with a class is classified, as it is, and no other one."""
    drawn = judge.tensor(f"{run}/sample/images", what="What the sampler draws").double().flatten(1)
    seen = judge.tensor(f"{run}/classify/images", what="What the classifier is given").double().flatten(1)
    tolerance = SAME_IMAGE * float(drawn.abs().max())
    if seen.shape == drawn.shape and bool(((seen - drawn).abs() < tolerance).all()):
        return
    asked = judge.tensor(f"{run}/sample/labels", (len(drawn),), "The labels") != inputs.null_label
    judge.require(
        seen.shape[1:] == drawn.shape[1:],
        "image_shape",
        "The classifier is given images of another shape than those that `sample` returns.",
    )
    distance = torch.cdist(seen, drawn)
    judge.require(
        bool((distance.min(dim=1).values < tolerance).all()),
        "images_altered",
        "The classifier is given other images than those that `sample` returns. Pass them as they are: not rounded, "
        "not limited, not rescaled.",
    )
    judge.require(
        bool((distance.min(dim=0).values[asked] < tolerance).all()),
        "images_not_classified",
        "Some images that `sample` draws for samples with a class are never classified. Every w has its own images.",
    )


def are_altered(used: Tensor, noise: Tensor) -> bool:
    """Return whether every row that was used is 0 or has nearly the direction of some row of the noise, up to sign."""
    directions = [torch.nn.functional.normalize(rows.double().flatten(1), dim=1) for rows in (used, noise)]
    likeness = (directions[0] @ directions[1].T).abs().max(dim=1).values
    return bool(((likeness > ALIKE) | (used.flatten(1) == 0).all(dim=1)).all())


def require_inputs_kept(judge: Judge, run: str) -> None:
    """Fail if the function changed noise, labels or scales in place."""
    require_unchanged(judge, f"{run}/inputs_kept")


def require_sweep(judge: Judge) -> dict[str, dict[float, float]]:
    """Return the accuracies of every run by scale; fail unless all requirements hold."""
    accuracies = {}
    for run in RUNS:
        inputs = Inputs.of(judge.challenge, run)
        judge.attempt(run)
        require_inputs_kept(judge, run)
        accuracies[run] = require_accuracies(judge, run, inputs)
        require_images(judge, run, inputs)
        require_shares(judge, inputs, list(accuracies[run].values()))
    require_nothing_left(judge, RUNS)
    judge.require(
        any(value for values in accuracies.values() for value in values.values()),
        "never_a_hit",
        "All your accuracies are 0, but some samples are classified as their label. A prediction is the number of the "
        "class with the largest logit.",
    )
    return accuracies


def require_shares(judge: Judge, inputs: Inputs, values: list[float]) -> None:
    """Fail unless every accuracy is a share of the samples that have a class."""
    rows, everything = int(inputs.asked.sum()), len(inputs.labels)

    def are_shares_of(total: int) -> bool:
        return all(abs(value * total - round(value * total)) < SHARE * total for value in values)

    for value in values:
        judge.require(
            0 <= value <= 1,
            "not_a_fraction",
            f"An accuracy is {value:g}; it is a share of samples and lies between 0 and 1.",
        )
    if are_shares_of(rows):
        return
    judge.require(
        are_rounded(values, rows) or not are_shares_of(everything),
        "null_rows_counted",
        f"Your accuracies are shares of all {everything} samples. Those whose label is `null_label`, "
        f"here {inputs.null_label}, ask for no class. Leave them out: they are no errors.",
    )
    judge.require(
        not are_rounded(values, rows),
        "rounded",
        f"Your accuracies are shares of {rows} samples, but rounded. Compute the mean in float32 or float64, and round "
        "nothing.",
    )
    judge.fail(
        "wrong_rows",
        f"{rows} of {everything} samples have a class, so an accuracy is a multiple of 1/{rows}. Yours are not: "
        f"{shorten(values)}.",
    )


def are_rounded(values: list[float], rows: int) -> bool:
    """Return whether all numbers are shares of so many samples, rounded to decimals or to a dtype with 16 bits."""
    exact = torch.tensor(values, dtype=torch.float64)
    shares = (exact * rows).round() / rows  # the nearest ones
    rounded = [shares.round(decimals=decimals) for decimals in DECIMALS]
    rounded += [shares.to(short).double() for short in (torch.half, torch.bfloat16)]
    return any(torch.allclose(exact, other, rtol=0, atol=1e-9) for other in rounded)


def check(judge: Judge) -> None:
    """Run all requirements, and compare the accuracies with the oracle's counts."""
    with judge.part("properties", 2):
        accuracies = require_sweep(judge)
        check_main(judge, accuracies["main"])
        for run, hits in PUBLIC_HITS.items():
            inputs = Inputs.of(judge.challenge, run)
            rows = int(inputs.asked.sum())
            for w, count in zip(inputs.scales, hits, strict=True):
                value = accuracies[run][w]
                judge.require(abs(value * rows - count) < 1e-4 * rows, *wrong_accuracy(w, value))
        judge.device()


def check_main(judge: Judge, accuracies: dict[float, float]) -> None:
    """Say what the accuracies of the longest run look like if they are wrong."""
    inputs = Inputs.of(judge.challenge, "main")
    rows = int(inputs.asked.sum())
    right = {w: hits / rows for w, hits in zip(inputs.scales, PUBLIC_HITS["main"], strict=True)}
    judge.require(
        len({round(value, 6) for value in accuracies.values()}) > 1,
        "same_for_all_scales",
        "All scales have the same accuracy, although their images differ. Is the prediction of every image compared "
        "with its own label?",
    )
    judge.require(
        any(abs(1 - accuracies[w] - value) > 1e-4 for w, value in right.items()),
        "error_rate",
        "Your numbers are the shares of errors. Accuracy is the share of hits.",
    )
    wrong = [w for w, value in right.items() if abs(accuracies[w] - value) > 1e-4]
    if 0 < len(wrong) < len(right) - 1:
        judge.fail(
            "negative_scale" if max(wrong) < 0 else "scale_altered",
            f"Your accuracies are right for some scales, but not at w = {shorten(sorted(wrong))}. "
            "One rule holds for every w.",
        )


def wrong_accuracy(w: float, accuracy: float) -> tuple[str, str]:
    """Return code and message for a wrong accuracy that nothing else explains."""
    return (
        "wrong_accuracy",
        f"At w = {w:g} your accuracy is {accuracy:.4f}, which is not the share of samples with a class that are "
        "classified as their own label. `sample` and `classify` get the right inputs. What comes after them is wrong: "
        "the prediction, the comparison or the mean.",
    )


EXERCISE = Exercise(
    "lab4.accuracy_sweep",
    points=2,
    title="Accuracy by guidance scale",
    names=("conditional_accuracy",),
    probe=probe,
    version=10,
    public=check,
)
