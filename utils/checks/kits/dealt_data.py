"""A stub of a labelled data set that deals new rows at every call, and tells later which rows an answer used."""

from __future__ import annotations

import torch
from torch import Tensor

from utils.checks.challenge import Challenge


class DealtData:
    """Labelled points without meaning. Every call of `sample` deals the next rows.

    The points are not standardised, so that noise of their size shows. They are float32 numbers in every dtype, so a
    cast to float32 changes none. `sample` returns views of the storage, so that changes in place show.

    Args:
        challenge: Fixes points and labels.
        name: The name of the stub.
        shape: The shape of one point.
        classes: The number of labels.
        dtype: The type of the points.
        size: How many points there are.
        label: The label of all points. None draws the labels.
        scale: Multiplies all points. A power of two keeps their digits.

    Attributes:
        next: The first row that was not dealt yet.
    """

    def __init__(
        self,
        challenge: Challenge,
        name: str,
        shape: tuple[int, ...],
        classes: int,
        dtype: torch.dtype,
        size: int,
        label: int | None = None,
        *,
        scale: float = 1.0,
    ):
        self.points = (scale * (0.3 + 1.7 * challenge.randn(f"{name} points", (size, *shape)))).float().to(dtype)
        self.labels = challenge.randint(f"{name} labels", 0, classes, (size,))
        if label is not None:
            self.labels = torch.full_like(self.labels, label)
        self._before = self.points.clone(), self.labels.clone()
        self._dealt: list[Tensor] = []
        self.next = 0

    def sample(self, n: int) -> tuple[Tensor, Tensor]:
        """Return the next points and labels.

        Args:
            n: How many.

        Returns:
            Points, shape (n, …), and labels, int64 of shape (n,).

        Raises:
            ValueError: There are not so many points left.
        """
        rows = slice(self.next, self.next + n)
        if rows.stop > len(self.points):
            raise ValueError(f"self.data was asked for {rows.stop} samples in all, far more than the batches need")
        self.next = rows.stop
        dealt = self.points[rows], self.labels[rows]
        self._dealt += dealt
        return dealt

    def kept(self) -> bool:
        """Return whether the points and labels are unchanged, and none of them was made to require a gradient."""
        points, labels = self._before
        same = torch.equal(points, self.points) and torch.equal(labels, self.labels)
        return same and not any(tensor.requires_grad for tensor in self._dealt)


def find_rows(rows: Tensor, pool: Tensor) -> Tensor | None:
    """Return where each row occurs in a pool, after rounding to float32, or None if one does not occur.

    Args:
        rows: (m, …).
        pool: (n, …), no row twice.
    """
    rows, pool = rows.float().flatten(1), pool.float().flatten(1)
    if rows.shape[1:] != pool.shape[1:] or not len(pool):
        return None
    if len(rows) <= len(pool) and torch.equal(rows, pool[: len(rows)]):
        return torch.arange(len(rows))
    weights = torch.arange(1, rows.shape[1] + 1, dtype=torch.float64).sqrt()
    keys, order = (pool * weights).sum(1).sort()  # products of float32 numbers: the same row gives the same key
    at = torch.searchsorted(keys, (rows * weights).sum(1)).clamp_max(len(pool) - 1)
    found = order[at]
    return found if torch.equal(pool[found], rows) else None
