"""Accuracy by guidance scale, where the sampler and the classifier are known."""

from __future__ import annotations

import pytest
import torch

from utils.checks.challenge import Challenge
from utils.checks.lab4.accuracy_sweep import PUBLIC_HITS
from utils.checks.lab4.accuracy_sweep_inputs import RUNS, Inputs, StubClassifier, draw_scales, stub_sample


def test_conditional_accuracy_on_a_sampler_that_is_known(lab):
    labels = torch.tensor([0, 1, 2, 3, 9, 9])
    noise = torch.zeros(6, 1, 1, 1)

    def sample(noise, labels, w):  # right from class 2 on where w is small, from class 1 on where it is large
        return torch.where(labels >= (1 if w > 2 else 2), labels, labels + 1).double().reshape(-1, 1, 1, 1)

    def classify(images):
        return torch.nn.functional.one_hot(images.flatten().long(), 10).double()

    assert lab["conditional_accuracy"](sample, classify, labels, [0.5, 3.0], noise, 9) == {0.5: 0.5, 3.0: 0.75}


@pytest.mark.parametrize("run", PUBLIC_HITS)
def test_the_public_counts_come_from_an_oracle(run):
    """Count one image at a time in float64, and without argmax."""
    challenge = Challenge.public("lab4.accuracy_sweep")
    inputs = Inputs.of(challenge, run)
    classifier = StubClassifier(challenge, inputs.bias)

    def is_hit(noise: torch.Tensor, label: int, w: float) -> bool:
        image = stub_sample(challenge, noise[None].double(), torch.tensor([label]), w)
        logits = classifier(image)[0].tolist()
        return all(logits[label] > other for k, other in enumerate(logits) if k != label)

    rows = [(noise, y) for noise, y in zip(inputs.noise, inputs.labels.tolist(), strict=True) if y != inputs.null_label]
    assert PUBLIC_HITS[run] == tuple(sum(is_hit(noise, y, w) for noise, y in rows) for w in inputs.scales)


def test_no_two_scales_are_equal():
    """Two equal scales are one key of the dictionary: with one challenge in a thousand, a right answer lost points."""
    for index in range(4000):
        challenge = Challenge("lab4.accuracy_sweep", index.to_bytes(4, "big"))
        for run, (_, _, count, _) in RUNS.items():
            scales = draw_scales(challenge, run, count)
            assert len(set(scales)) == len(scales) == count, (index, run, scales)
