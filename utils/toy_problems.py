"""Toy problems that are small enough to be known exactly. This module only specifies them.

A class is a mixture of components, and a component draws every site independently. So densities, scores and posteriors
have closed forms. Deriving them, and drawing samples, is the work of lab 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

SPINS = ((-1.0,), (1.0,))  # letter 0 is a spin that points down, letter 1 one that points up


@dataclass(frozen=True)
class ToyProblem:
    """A toy problem: sequences (or lattices) of letters, with classes.

    Args:
        name: for titles.
        probs: shape (components, sites, letters). `probs[c, i, k]` is the probability of letter k at site i in
            component c.
        weights: shape (classes, components). `weights[y, c]` is the share of component c in class y.
        prior: shape (classes,), p(y).
        points: shape (letters, d). Where each letter lies in space before noise is added: -1 and +1 for spins (d = 1),
            the corners of a simplex for letters (one-hot, d = number of letters).
        side: lattices are drawn as squares with this side; 0 for sequences.

    Raises:
        ValueError: shapes do not fit, numbers are negative or NaN, or rows do not add up to 1. The message names the
            argument.
    """

    name: str
    probs: Tensor
    weights: Tensor
    prior: Tensor
    points: Tensor
    side: int = 0

    def __post_init__(self):
        if self.probs.dim() != 3 or self.weights.dim() != 2 or self.points.dim() != 2 or self.prior.dim() != 1:
            raise ValueError("probs needs 3 axes, weights and points 2, prior 1")
        for name, sizes in {
            "weights": (self.weights.shape, (len(self.prior), len(self.probs))),
            "points": (self.points.shape[:1], self.probs.shape[2:]),
        }.items():
            if tuple(sizes[0]) != tuple(sizes[1]):
                raise ValueError(f"{name} has shape {tuple(sizes[0])}, but the other arguments need {tuple(sizes[1])}")
        if self.side and self.side**2 != self.sites:
            raise ValueError(f"side = {self.side}, but there are {self.sites} sites")
        for name in ("probs", "weights", "prior"):
            rows = getattr(self, name)
            if not bool((rows >= 0).all()) or not bool(((rows.sum(-1) - 1).abs() <= 1e-6).all()):  # NaN is neither
                raise ValueError(f"{name}: each row must be probabilities that add up to 1")

    @property
    def sites(self) -> int:
        """The number of letters of a word.

        Returns:
            An integer, at least 1.
        """
        return self.probs.shape[1]

    @property
    def letters(self) -> int:
        """The size of the alphabet.

        Returns:
            An integer, at least 2.
        """
        return self.probs.shape[2]

    @property
    def classes(self) -> int:
        """The number of classes.

        Returns:
            An integer, at least 1.
        """
        return len(self.prior)

    def embed(self, letters: Tensor) -> Tensor:
        """Return the points in space of letters.

        Args:
            letters: integers of any type from 0 to letters - 1, shape (n, sites).

        Returns:
            Points, shape (n, sites, d).

        Example:
            >>> noisy_spins(side=1).embed(torch.tensor([[0], [1]])).flatten().tolist()
            [-1.0, 1.0]
        """
        return self.points.to(letters.device)[letters.long()]  # uint8 would be a mask

    def read(self, x: Tensor) -> Tensor:
        """Return the letter nearest to each point.

        Args:
            x: points, shape (n, sites, d).

        Returns:
            Integers from 0 to letters - 1, shape (n, sites).
        """
        points = self.points.to(x)
        return (x @ points.T - points.square().sum(1) / 2).argmax(-1)

    def to(self, dtype: torch.dtype) -> ToyProblem:
        """Return the same problem with numbers of another type.

        Args:
            dtype: a floating-point type.

        Returns:
            A new problem.
        """
        tensors = {name: getattr(self, name).to(dtype) for name in ("probs", "weights", "prior", "points")}
        return ToyProblem(self.name, side=self.side, **tensors)


# --- lattices of spins


def spin_problem(name: str, ups: list[float], weights: list[list[float]], side: int = 6) -> ToyProblem:
    """Make a problem of side × side spins. In component c, every spin points up with probability `ups[c]`.

    Args:
        name: for titles.
        ups: one probability for each component, in [0, 1].
        weights: the share of each component in each class; one row for each class.
        side: the side of the lattice, at least 1.

    Returns:
        The problem, with equally likely classes.

    Raises:
        ValueError: a number is not a probability, or a row of `weights` does not add up to 1.
    """
    up = torch.tensor(ups, dtype=torch.float64)
    if bool(((up < 0) | (up > 1)).any()):
        raise ValueError(f"ups: probabilities lie between 0 and 1, not {ups}")
    probs = torch.stack([1 - up, up], dim=-1)[:, None, :].expand(-1, side * side, -1).clone()
    shares = torch.tensor(weights, dtype=torch.float64)
    return ToyProblem(
        name, probs, shares, torch.full((len(shares),), 1 / len(shares)).double(), torch.tensor(SPINS).double(), side
    )


def noisy_spins(side: int = 6) -> ToyProblem:
    """Make world 1: both classes are fair coins. They cannot be distinguished, which makes it the negative control.

    Args:
        side: the side of the lattice, at least 1.

    Returns:
        The problem.
    """
    return spin_problem("World 1: noisy / noisy", [0.5], [[1.0], [1.0]], side)


def ferromagnet(side: int = 6, flip: float = 0.1) -> ToyProblem:
    """Make world 2: class 0 is all down or all up, with or without flips; class 1 is fair coins.

    It is called FM after the ferromagnet, but it is a mixture of two states: the spins do not interact.

    Args:
        side: the side of the lattice, at least 1.
        flip: the probability that a spin of a component with flips is flipped, in [0, 1].

    Returns:
        The problem.
    """
    return spin_problem(
        "World 2: FM / noisy",
        [0.0, 1.0, flip, 1 - flip, 0.5],
        [[0.25, 0.25, 0.25, 0.25, 0.0], [0, 0, 0, 0, 1.0]],
        side,
    )


def all_down(side: int = 6, flip: float = 0.1) -> ToyProblem:
    """Make world 3: class 0 is down, with or without flips; class 1 is fair coins, or up with or without flips.

    Args:
        side: the side of the lattice, at least 1.
        flip: the probability that a spin of a component with flips is flipped, in [0, 1].

    Returns:
        The problem.
    """
    return spin_problem(
        "World 3: down / noisy or up",
        [0.0, flip, 0.5, 1.0, 1 - flip],
        [[0.5, 0.5, 0, 0, 0], [0, 0, 0.5, 0.25, 0.25]],
        side,
    )


def majority(side: int = 6, ratio: float | None = None) -> ToyProblem:
    """Make the problem of mostly down against mostly up.

    Args:
        side: the side of the lattice, at least 1.
        ratio: the expected share of the sites in the class's own phase, in [0.5, 1]. None means all of them.

    Returns:
        The problem.

    Raises:
        ValueError: `ratio` lies outside [0.5, 1].
    """
    if ratio is not None and not 0.5 <= ratio <= 1:
        raise ValueError(f"ratio: a majority is at least one half and at most 1, not {ratio}")
    down = 0.0 if ratio is None else 1 - ratio
    return spin_problem("Majority down / majority up", [down, 1 - down], [[1.0, 0.0], [0.0, 1.0]], side)


# --- sequences of letters: four ways to make two classes differ


def letter_problem(name: str, probs: Tensor) -> ToyProblem:
    """Make a problem of two equally likely classes of one component each, with letters as one-hot vectors.

    Args:
        name: for titles.
        probs: the probability of each letter at each site, shape (2, sites, letters), rows that add up to 1.

    Returns:
        The problem.
    """
    letters = probs.shape[-1]
    return ToyProblem(
        name, probs.double(), torch.eye(2).double(), torch.full((2,), 0.5).double(), torch.eye(letters).double()
    )


def disjoint_letters(sites: int = 12, letters: int = 6) -> ToyProblem:
    """Make a problem in which class 0 uses the first letters // 2 letters, and class 1 the others.

    Args:
        sites: the length of a word, at least 1.
        letters: the size of the alphabet, at least 2. If it is odd, class 1 uses one letter more.

    Returns:
        The problem.

    Raises:
        ValueError: `sites` or `letters` is too small.
    """
    require_alphabet(sites, letters)
    probs, half = torch.zeros(2, sites, letters), letters // 2
    probs[0, :, :half], probs[1, :, half:] = 1 / half, 1 / (letters - half)
    return letter_problem("Disjoint letters", probs)


def dirichlet_letters(sites: int = 12, letters: int = 6, seed: int = 0) -> ToyProblem:
    """Make a problem in which each class has its own letter probabilities, drawn once from Dirichlet(1, …, 1).

    Args:
        sites: the length of a word, at least 1.
        letters: the size of the alphabet, at least 2.
        seed: of the random numbers.

    Returns:
        The problem.

    Raises:
        ValueError: `sites` or `letters` is too small.
    """
    require_alphabet(sites, letters)
    waits = -torch.rand(2, letters, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).log()
    return letter_problem("Different letter probabilities", (waits / waits.sum(1, True))[:, None].expand(-1, sites, -1))


def biased_letters(sites: int = 12, letters: int = 6, bias: float = 3.0) -> ToyProblem:
    """Make a problem in which class 0 is uniform, and class 1 prefers the first letters // 2 letters.

    Args:
        sites: the length of a word, at least 1.
        letters: the size of the alphabet, at least 2.
        bias: how much more probable these letters are than the others, a positive factor.

    Returns:
        The problem.

    Raises:
        ValueError: `sites` or `letters` is too small, or `bias` is not positive.
    """
    require_alphabet(sites, letters)
    if not bias > 0:
        raise ValueError(f"bias: a positive factor, not {bias}")
    odds = torch.ones(2, letters, dtype=torch.float64)
    odds[1, : letters // 2] = bias
    return letter_problem("Biased letters", (odds / odds.sum(1, True))[:, None].expand(-1, sites, -1))


def redrawn_letters(sites: int = 12, letters: int = 6, redraw: tuple[float, float] = (0.1, 0.6)) -> ToyProblem:
    """Make a problem of the repeated word 0, 1, 2, … with some letters redrawn uniformly.

    The probability that a letter is redrawn depends on the class.

    Args:
        sites: the length of a word, at least 1.
        letters: the size of the alphabet, at least 2.
        redraw: the probability for class 0 and for class 1, each in [0, 1].

    Returns:
        The problem.

    Raises:
        ValueError: `sites` or `letters` is too small, or a number is not a probability.
    """
    require_alphabet(sites, letters)
    if not all(0 <= p <= 1 for p in redraw):
        raise ValueError(f"redraw: two probabilities between 0 and 1, not {redraw}")
    word = torch.eye(letters, dtype=torch.float64)[torch.arange(sites) % letters]
    return letter_problem("Redrawn letters", torch.stack([(1 - p) * word + p / letters for p in redraw]))


def uniform_letters(sites: int = 12, letters: int = 6) -> ToyProblem:
    """Make world 1 for letters: both classes are uniform.

    Args:
        sites: the length of a word, at least 1.
        letters: the size of the alphabet, at least 2.

    Returns:
        The problem.

    Raises:
        ValueError: `sites` or `letters` is too small.
    """
    require_alphabet(sites, letters)
    return letter_problem("Uniform letters", torch.full((2, sites, letters), 1 / letters, dtype=torch.float64))


def require_alphabet(sites: int, letters: int) -> None:
    """Raise unless there is at least one site and at least two letters.

    Args:
        sites: the length of a word.
        letters: the size of the alphabet.

    Raises:
        ValueError: one of them is too small.
    """
    if sites < 1:
        raise ValueError(f"sites: at least 1, not {sites}")
    if letters < 2:
        raise ValueError(f"letters: an alphabet has at least 2, not {letters}")


# --- the distribution of the number of up spins


def up_spin_pmf(problem: ToyProblem) -> Tensor:
    """Return the exact distribution of the number of up spins in each class, p(number = k | y) for k = 0 … sites.

    All sites of a component must be alike. Then the number is binomial in a component, and a mixture of binomials in a
    class.

    Args:
        problem: a problem of spins.

    Returns:
        Probabilities, shape (classes, sites + 1), float64.

    Raises:
        ValueError: the sites are not alike, or there are more than two letters.

    Example:
        >>> up_spin_pmf(majority(side=1)).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    up = problem.probs[:, :, 1].double()
    if problem.letters != 2 or not torch.equal(up, up[:, :1].expand_as(up)):
        raise ValueError("the number of up spins is binomial only where there are two letters and all sites are alike")
    n, k = problem.sites, torch.arange(problem.sites + 1, dtype=torch.float64)
    ways = math.lgamma(n + 1) - torch.lgamma(k + 1) - torch.lgamma(n - k + 1)
    p = up[:, :1]
    logs = ways + torch.special.xlogy(k, p) + torch.special.xlogy(n - k, 1 - p)
    return problem.weights.double() @ logs.exp()
