"""Exercise 1.1, hidden half: which wrong distribution a sample comes from."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from autograder.exercises.kits.mistakes import Mistake, evaluated
from utils.checks.judging import Judge
from utils.checks.kits.random_problems import CLASSES, COMPONENTS
from utils.checks.lab1.majority_down import require_majority
from utils.checks.lab1.sample_ensemble import require_ensemble
from utils.checks.lab1.sample_ensemble_inputs import Inputs


def every_component(inputs: Inputs) -> Tensor:
    """All components equally often, unless the class has them all: then that is `weights_ignored`."""
    if bool((inputs.shares > 0).all()):
        return torch.empty(0, *inputs.setting.probs.shape[1:], dtype=torch.float64)
    return inputs.site_probs(torch.full((COMPONENTS,), 1 / COMPONENTS, dtype=torch.float64))[None]


def own_components(inputs: Inputs) -> Tensor:
    """The components of the class equally often."""
    present = (inputs.shares > 0).double()
    return inputs.site_probs(present / present.sum())[None]


def other_labels(inputs: Inputs) -> Tensor:
    """All classes together, and each of the other classes."""
    setting = inputs.setting
    others = [setting.weights[y] for y in range(CLASSES) if y != inputs.label]
    return torch.stack([inputs.site_probs(shares) for shares in (setting.prior @ setting.weights, *others)])


def sites_alike(inputs: Inputs) -> Tensor:
    """Every site with the probabilities of the first, and every site with the mean of all sites."""
    probs = inputs.site_probs(inputs.shares)
    return torch.stack([probs[:1].expand_as(probs), probs.mean(0, keepdim=True).expand_as(probs)])


# A formula gives the probability of each letter at each site for each way to make the mistake:
# (distributions, sites, letters).
MISTAKES = [
    Mistake(
        "one_component",
        lambda inputs: inputs.setting.probs,
        "Only one component appears in your sample. "
        "Draw a component for every sample, with the shares that the class gives to its components.",
    ),
    Mistake(
        "weights_ignored",
        own_components,
        "Every component of the class appears equally often. Their shares are `setting.weights[label]`.",
    ),
    Mistake(
        "weights_of_all",
        every_component,
        "All components appear, even those that this class does not have. Their shares are `setting.weights[label]`.",
    ),
    Mistake(
        "label_ignored",
        other_labels,
        "Your sample does not come from the class that was asked for. Check where `label` enters.",
    ),
    Mistake(
        "letters_reversed",
        lambda inputs: inputs.site_probs(inputs.shares).flip(-1)[None],
        "Your letters are numbered backwards. Check which column of `probs` belongs to letter 0.",
    ),
    Mistake(
        "sites_ignored",
        sites_alike,
        "All sites follow the same probabilities, but `probs[c, i]` differs from site to site.",
    ),
]


def diagnose(judge: Judge, inputs: Inputs, shares: Tensor) -> None:
    """Fail with the mistake whose distribution is clearly nearest to the share of each letter at each site."""
    near = sorted((distance(shares, probs), code, message) for code, message, probs in evaluated(MISTAKES, inputs))
    (best, code, message), (second, _, _) = near[:2]
    if best < 0.03 and second > 2 * best:  # a share of 4,000 has a standard deviation of 0.008 at most
        judge.fail(code, message)


def distance(shares: Tensor, distributions: Tensor) -> float:
    """The largest difference to the nearest of these distributions; infinite if there is none."""
    return min((float((shares - probs).abs().max()) for probs in distributions), default=math.inf)


def verdict(judge: Judge) -> None:
    """Judge both functions by their requirements; the hidden half names the mistake."""
    with judge.part("ensemble", points=1.5):
        require_ensemble(judge, diagnose)
    with judge.part("majority", points=0.5):
        require_majority(judge)
