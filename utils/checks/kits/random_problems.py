"""Random toy problems of discrete sequences, which no formula for one special case fits."""

from __future__ import annotations

import torch

from utils.checks.challenge import Challenge
from utils.toy_problems import SPINS, ToyProblem

COMPONENTS, CLASSES = 4, 3
NAME = "A toy problem"  # of all problems, so that what is kept under the name of a problem shows
TENSORS = ("probs", "weights", "prior", "points")  # of a ToyProblem

# What is special about a run, for messages: "(seen on spins)".
WHERE = {
    "odds": "on one spin that each class fixes",
    "letter": "on words of one letter, with one component a class",
    "word": "on words with one component a class",
    "spins": "on spins",
    "letters": "on one-hot letters",
    "integers": "on data of integers",
    "marked": "where the first letter tells the component",
    "clear": "where there is hardly any noise",
    "far": "where x is far from every word",
    "long": "on 80 sites",
    "impossible": "near words that no class can make",
    "late": "near t = 1",
    "one": "in a batch of one",
    "single": "in float32",
    "balanced": "where x is as large as 100, and about as near to one word of the class as to another",
}


def random_problem(
    challenge: Challenge, name: str, sites: int, letters: int, dtype: torch.dtype = torch.float64
) -> ToyProblem:
    """Return a random toy problem, on the device of the challenge.

    Each site has probabilities of its own, some letters are impossible, and the components have unequal shares.

    Args:
        challenge: Fixes all numbers.
        name: The run; each name has its own numbers.
        sites: How many sites a sequence has.
        letters: How many letters there are. Two letters are spins, more are one-hot vectors.
        dtype: The type of all numbers.
    """
    cpu = challenge.on("cpu")
    probs = cpu.rand(f"{name} probs", (COMPONENTS, sites, letters)) ** 2 + 0.02
    probs[0, :, 1:] = 0  # component 0 has one letter only
    probs[1, ::2, 0] = 0
    probs = probs / probs.sum(-1, keepdim=True)
    weights = cpu.rand(f"{name} weights", (CLASSES, COMPONENTS)) + 0.1
    weights[0, 1] = weights[1, 0] = 0  # no class has all components
    prior = cpu.rand(f"{name} prior", (CLASSES,)) + 0.2
    points = torch.tensor(SPINS).double() if letters == 2 else torch.eye(letters).double()
    problem = ToyProblem(NAME, probs, weights / weights.sum(-1, keepdim=True), prior / prior.sum(), points).to(dtype)
    if challenge.device == "cpu":
        return problem
    return ToyProblem(NAME, **{key: getattr(problem, key).to(challenge.device) for key in TENSORS})


def with_probs(problem: ToyProblem, probs: torch.Tensor) -> ToyProblem:
    """Return the same toy problem with other probabilities of the letters, (components, sites, letters)."""
    return ToyProblem(problem.name, probs, problem.weights, problem.prior, problem.points)


def same_problem(one: ToyProblem, other: ToyProblem) -> bool:
    """Return whether all numbers of two toy problems are equal."""
    return all(torch.equal(getattr(one, key), getattr(other, key)) for key in TENSORS)
