"""What lab 1's text says of the learned gradient, for a network with another seed than the notebook's."""

from __future__ import annotations

import pytest
import torch

from autograder.course.labs import find_lab
from autograder.course.solved import SolvedLab

SAMPLES, STEPS = 2000, 120


@pytest.fixture(scope="module")
def lab():
    """The answers, and the functions of the cells between them."""
    return SolvedLab(find_lab("lab1")).namespace


def in_class_1(lab, world, scores) -> float:
    """The share of samples of class 0, at w = 1, that the exact posterior puts into class 1."""
    x = lab["sample_guided"](world, 0, SAMPLES, 1.0, STEPS, scores=scores)
    t = torch.full((SAMPLES, 1, 1), lab["T_MIN"], dtype=torch.float64)
    return float(lab["class_posterior"](x.double(), t, world)[:, 1].mean())


@pytest.mark.slow
def test_the_learned_gradient_loses_samples_below_the_middle_of_the_window(lab, monkeypatch):
    """A share of 0.5 % of 2,000 samples scatters by 0.16 %: the bounds are six of these away."""
    world, seed = lab["FM"], torch.manual_seed
    monkeypatch.setattr(torch, "manual_seed", lambda _: seed(1))
    data = lab["FreshWords"](world, lab["sample_ensemble"])
    classifier, _ = lab["train_classifier"](data, 1500, world)

    def learned_above(bound):
        def scores(x, t, y, setting):
            whole, of_class = lab["both_scores"](x, t, y, setting)
            return whole, whole + lab["learned_gradient"](classifier, x, t, y) if float(t[0]) > bound else of_class

        return scores

    assert in_class_1(lab, world, lab["both_scores"]) < 0.015
    assert in_class_1(lab, world, learned_above(0.0)) > 0.04
    assert in_class_1(lab, world, learned_above(0.4)) < 0.015
