"""Data of a toy problem for training: an endless supply of words, or a set that was stored once."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from utils.toy_problems import ToyProblem

Sampler = Callable[[ToyProblem, int, int, torch.Generator], Tensor]  # the student's `sample_ensemble`


def generator(seed: int) -> torch.Generator:
    """Return a generator of random numbers.

    Args:
        seed: any integer.

    Returns:
        A generator on the CPU.

    Example:
        >>> torch.rand((), generator=generator(1)) == torch.rand((), generator=generator(1))
        tensor(True)
    """
    return torch.Generator().manual_seed(seed)


class FreshWords:
    """An endless supply of words with their classes, embedded, float32.

    Args:
        problem: the toy problem.
        sample_ensemble: sample_ensemble(problem, label, n, generator) draws words, shape (n, sites).
        seed: of the random numbers.
    """

    def __init__(self, problem: ToyProblem, sample_ensemble: Sampler, seed: int = 0):
        self.problem, self.sample_ensemble, self.generator = problem, sample_ensemble, generator(seed)

    def sample(self, n: int) -> tuple[Tensor, Tensor]:
        """Draw new words.

        Args:
            n: how many, at least 1.

        Returns:
            The points, shape (n, sites, d), and the classes, shape (n,).
        """
        y = torch.multinomial(self.problem.prior, n, replacement=True, generator=self.generator)
        words = torch.empty(n, self.problem.sites, dtype=torch.long)
        for k in range(self.problem.classes):
            count = int((y == k).sum())
            words[y == k] = self.sample_ensemble(self.problem, k, max(count, 1), self.generator)[:count]
        return self.problem.embed(words).float(), y


class StoredWords:
    """A data set as in real life: n words of each class, drawn once and used again and again.

    Args:
        problem: the toy problem.
        sample_ensemble: draws words, as in `FreshWords`.
        n: words of each class, at least 1.
        seed: of the random numbers.

    Attributes:
        x0: the points, shape (classes * n, sites, d), float32, class after class.
        y: their classes, shape (classes * n,).
    """

    def __init__(self, problem: ToyProblem, sample_ensemble: Sampler, n: int, seed: int = 0):
        words = [sample_ensemble(problem, k, n, generator(seed + k)) for k in range(problem.classes)]
        self.x0 = problem.embed(torch.cat(words)).float()
        self.y = torch.arange(problem.classes).repeat_interleave(n)
        self.generator = generator(seed + 99)

    def sample(self, n: int) -> tuple[Tensor, Tensor]:
        """Draw words of the set.

        Args:
            n: how many, at least 1.

        Returns:
            The points, shape (n, sites, d), and the classes, shape (n,).
        """
        rows = torch.randint(len(self.y), (n,), generator=self.generator)
        return self.x0[rows], self.y[rows]
