"""The inputs of exercise 1.1: the toy problems and classes of which samples are drawn, run by run."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.kits.random_problems import CLASSES, COMPONENTS, random_problem, with_probs
from utils.checks.kits.same_answer import strided
from utils.toy_problems import ToyProblem

SAMPLES = 4000
# run: sites, letters. In `letters` they are as many, and more than in the lab.
SIZES = {"marked": (6, COMPONENTS), "spins": (7, 2), "letters": (5, 5)}
LABELS = {"spins": 0, "letters": CLASSES - 1}  # both ends in every challenge; elsewhere it is 0 or 1
WIDE_SITES, WIDE_SAMPLES = 36, 500  # as many sites as the lab's lattices have, so that no repetition is too long


@dataclass(frozen=True)
class Inputs:
    """The toy problem and the class of one run, fixed by the challenge."""

    setting: ToyProblem
    label: int

    @classmethod
    def of(cls, challenge: Challenge, run: str) -> Inputs:
        """Return a random toy problem.

        In `marked` the first letter of a sample tells its component. In `letters` the probabilities are not contiguous
        in memory.
        """
        setting = random_problem(challenge, run, *SIZES[run])
        if run == "marked":
            probs = setting.probs.clone()
            probs[:, 0] = torch.eye(COMPONENTS, dtype=probs.dtype)
            setting = with_probs(setting, probs)
        if run == "letters":
            setting = with_probs(setting, strided(setting.probs))
        return cls(setting, LABELS.get(run, challenge.integer(f"{run} label", 0, 2)))  # these lack a component

    @classmethod
    def certain(cls, challenge: Challenge) -> Inputs:
        """Return a toy problem with as many classes as components: each class has one of them, and that one word.

        The words differ at all sites.
        """
        sites, letters = SIZES["letters"]
        words = challenge.randint("certain words", 0, letters, (1, sites)) + torch.arange(COMPONENTS)[:, None]
        probs = torch.eye(letters).double()[words % letters]
        setting = with_probs(random_problem(challenge, "certain", sites, letters), probs)
        weights = torch.eye(COMPONENTS).double().roll(1, 0)
        return cls(replace(setting, weights=weights, prior=weights.mean(0)), COMPONENTS - 1)

    @classmethod
    def wide(cls, challenge: Challenge) -> Inputs:
        """Return a toy problem of many sites in which each class has one component, without rare letters."""
        setting = random_problem(challenge, "wide", WIDE_SITES, 2)
        down = challenge.on("cpu").rand("wide down", (COMPONENTS, WIDE_SITES), 0.3, 0.7)
        setting = with_probs(setting, torch.stack([down, 1 - down], dim=-1))
        return cls(replace(setting, weights=torch.eye(CLASSES, COMPONENTS).double()), 1)

    @property
    def shares(self) -> Tensor:
        """The share of each component in the class, (components,)."""
        return self.setting.weights[self.label]

    def site_probs(self, shares: Tensor) -> Tensor:
        """Return each letter's probability at each site, (sites, letters), where components have these shares."""
        return torch.einsum("c,clk->lk", shares, self.setting.probs)
