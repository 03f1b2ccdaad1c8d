"""How good are generated images? Distances and coverages between clouds of features, with their uncertainty."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, jaxtyped
from torch import Tensor, nn
from typeguard import typechecked

from utils.data import LabelledImages


@torch.no_grad()
def in_batches(function: Callable[[Tensor], Tensor], x: Tensor, batch: int = 250) -> Tensor:
    """function(x) for x of shape (n, …), computed `batch` rows at a time and joined. A module is put in eval mode meanwhile."""
    was_training = isinstance(function, nn.Module) and function.training
    if was_training:
        function.eval()
    try:
        return torch.cat([function(part) for part in x.split(batch)])
    finally:
        if was_training:
            function.train()


@jaxtyped(typechecker=typechecked)
def frechet_distance(a: Float[Tensor, "n d"], b: Float[Tensor, "m d"]) -> float:
    """The squared Fréchet distance between the Gaussians fitted to two clouds of features.

    |mean_a - mean_b|² + tr(A + B - 2 (A^½ B A^½)^½), with A and B the covariances (Dowson and Landau, 1982; used on image
    features by Heusel et al., 2017). It shrinks as the number of images grows: compare only at equal numbers, and beside
    the distance of real images. Infinite where a feature is not finite.

    Raises ValueError where a side has fewer than two images.
    """
    a, b = a.double().cpu(), b.double().cpu()
    if len(a) < 2 or len(b) < 2:
        raise ValueError(f"a covariance needs at least two images on each side, got {len(a)} and {len(b)}")
    if not (a.isfinite().all() and b.isfinite().all()):
        return math.inf
    return gaussian_distance(a.mean(0), a.T.cov(), b.mean(0), b.T.cov())


def gaussian_distance(mean_a: Tensor, cov_a: Tensor, mean_b: Tensor, cov_b: Tensor) -> float:
    """The squared Fréchet (2-Wasserstein) distance between N(mean_a, cov_a) and N(mean_b, cov_b): means (d,), covariances (d, d)."""
    cov_a, cov_b = torch.atleast_2d(cov_a), torch.atleast_2d(cov_b)
    values, vectors = torch.linalg.eigh(cov_a)
    root_a = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    cross = torch.linalg.eigvalsh(root_a @ cov_b @ root_a).clamp(min=0).sqrt().sum()
    return float(((mean_a - mean_b) ** 2).sum() + cov_a.trace() + cov_b.trace() - 2 * cross)


@jaxtyped(typechecker=typechecked)
def precision_recall(real: Float[Tensor, "n d"], fake: Float[Tensor, "m d"], k: int = 3) -> tuple[float, float]:
    """Precision: the fraction of fakes that lie near real images. Recall: the fraction of real images near fakes.

    "Near" is within the distance to the k-th neighbour, in the features (Kynkäänniemi et al., 2019). Precision is quality,
    recall is diversity; guidance trades the second for the first. Both lie between 0 and 1.

    Raises ValueError where a side has k images or fewer.
    """
    real, fake = real.double(), fake.double()

    def covered(points: Tensor, cloud: Tensor) -> float:
        radius = torch.cdist(cloud, cloud).kthvalue(k + 1, dim=1).values  # the nearest neighbour is the point itself
        return float((torch.cdist(points, cloud) <= radius).any(dim=1).double().mean())

    if min(len(real), len(fake)) <= k:
        raise ValueError(f"k = {k} neighbours need more than {k} images on each side")
    return covered(fake, real), covered(real, fake)


def real_distance(
    features: Callable[[Tensor], Tensor], real: LabelledImages, reference: Tensor, images: int, draws: int = 10
) -> Estimate:
    """Fréchet distance of `images` real images, equally many of each class, to the features `reference` (m, d).

    What as many generated images with the same labels should be compared with. Real images drawn without regard to their
    classes have too many of one and too few of another, and come out worse: twice as far with 200 digits. What is left when
    `images` is divided by the number of classes is left out.
    """
    classes = [(real.labels == label).nonzero().flatten() for label in real.labels.unique()]

    def one_draw() -> float:
        shares = [rows[torch.randperm(len(rows), device=rows.device)[: images // len(classes)]] for rows in classes]
        return frechet_distance(in_batches(features, real[torch.cat(shares)][0]), reference)

    return over_seeds([one_draw() for _ in range(draws)])


@dataclass(frozen=True)
class Estimate:
    """A number with its standard error."""

    value: float
    error: float

    def __str__(self) -> str:
        error = 0.0 if self.error < 1e-9 * abs(self.value) else self.error  # equal numbers, but for rounding
        return f"{self.value:.3g} ± {error:.1g}"


def over_seeds(values: Sequence[float]) -> Estimate:
    """Mean over independent runs, and the standard error of that mean (nan from a single run)."""
    values = torch.tensor(list(values), dtype=torch.float64)
    return Estimate(float(values.mean()), float(values.std() / math.sqrt(len(values))) if len(values) > 1 else math.nan)
