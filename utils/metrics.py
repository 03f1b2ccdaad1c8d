"""Distances and coverages between sets of generated and real images, with their uncertainty."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, jaxtyped
from torch import Tensor, nn
from typeguard import typechecked

from utils.data import LabelledImages
from utils.uncertainty import with_error


@torch.no_grad()
def in_batches(function: Callable[[Tensor], Tensor], x: Tensor, batch: int = 250) -> Tensor:
    """Compute function(x) a few rows at a time, without gradients. A module is in eval mode meanwhile.

    Args:
        function: maps (k, …) to a tensor with k rows.
        x: inputs, shape (n, …).
        batch: rows at a time, at least 1.

    Returns:
        The joined results, n rows.

    Example:
        >>> in_batches(lambda rows: rows * 2, torch.arange(5.0), batch=2).tolist()
        [0.0, 2.0, 4.0, 6.0, 8.0]
    """
    trained = function if isinstance(function, nn.Module) and function.training else None
    if trained is not None:
        trained.eval()
    try:
        return torch.cat([function(part) for part in x.split(batch)])
    finally:
        if trained is not None:
            trained.train()


@jaxtyped(typechecker=typechecked)
def frechet_distance(a: Float[Tensor, "n d"], b: Float[Tensor, "m d"]) -> float:
    """Return the squared Fréchet distance between the Gaussians fitted to two sets of features.

    It shrinks as the number of images grows. Compare it only at equal numbers of images, and show the distance of real
    images beside it.

    Args:
        a: features of one set of images, shape (n, d), n at least 2.
        b: features of the other set, shape (m, d), m at least 2.

    Returns:
        A number that is at least 0 up to rounding; infinity if a feature is not finite.

    Raises:
        ValueError: a set has fewer than two images.

    References:
        Heusel et al. (2017), "GANs trained by a two time-scale update rule", equation 6.

    Example:
        >>> a = torch.tensor([[0.0], [2.0]])
        >>> round(frechet_distance(a, a + 3), 6)
        9.0
    """
    a, b = a.double().cpu(), b.double().cpu()
    if len(a) < 2 or len(b) < 2:
        raise ValueError(f"a covariance needs at least two images on each side, got {len(a)} and {len(b)}")
    if not (a.isfinite().all() and b.isfinite().all()):
        return math.inf
    return gaussian_distance(a.mean(0), a.T.cov(), b.mean(0), b.T.cov())


@jaxtyped(typechecker=typechecked)
def gaussian_distance(
    mean_a: Float[Tensor, " d"], cov_a: Float[Tensor, "*d_d"], mean_b: Float[Tensor, " d"], cov_b: Float[Tensor, "*d_d"]
) -> float:
    """Return the squared Fréchet (2-Wasserstein) distance between N(mean_a, cov_a) and N(mean_b, cov_b).

    With A and B the covariances, it is |mean_a - mean_b|² + tr(A + B - 2 (A^½ B A^½)^½).

    Args:
        mean_a: shape (d,).
        cov_a: shape (d, d), symmetric, no negative eigenvalue.
        mean_b: shape (d,).
        cov_b: shape (d, d), symmetric, no negative eigenvalue.

    Returns:
        A number that is at least 0 up to rounding.

    References:
        Dowson and Landau (1982), "The Fréchet distance between multivariate normal distributions".
    """
    cov_a, cov_b = torch.atleast_2d(cov_a), torch.atleast_2d(cov_b)
    values, vectors = torch.linalg.eigh(cov_a)
    root_a = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    cross = torch.linalg.eigvalsh(root_a @ cov_b @ root_a).clamp(min=0).sqrt().sum()
    return float(((mean_a - mean_b) ** 2).sum() + cov_a.trace() + cov_b.trace() - 2 * cross)


@jaxtyped(typechecker=typechecked)
def precision_recall(real: Float[Tensor, "n d"], fake: Float[Tensor, "m d"], k: int = 3) -> tuple[float, float]:
    """Return the share of generated images near real ones (precision), and of real images near generated ones (recall).

    A point is near a set if at least one point of the set is no farther away than that point's own k-th nearest
    neighbour. Precision measures quality, recall diversity; guidance trades the second for the first.

    Args:
        real: features of real images, shape (n, d), n above k.
        fake: features of generated images, shape (m, d), m above k.
        k: which neighbour sets the radius, at least 1.

    Returns:
        Precision and recall, both in [0, 1].

    Raises:
        ValueError: a set has k images or fewer.

    References:
        Kynkäänniemi et al. (2019), "Improved precision and recall metric for assessing generative models", equations 1
        and 2.
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
    """Return the Fréchet distance of real images to a reference: the level that generated images should reach.

    The real images are drawn with equally many of each class, as generated ones are. Without that, some classes appear
    too often by chance, and the distance is too large: twice as large with 200 digits.

    Args:
        features: maps images (k, c, h, w) to features (k, d).
        real: images with labels.
        reference: features of other real images, shape (m, d).
        images: how many to draw. What remains when it is divided by the number of classes is not drawn.
        draws: how often to repeat the drawing, at least 1.

    Returns:
        The mean distance over the draws, and its standard error.
    """
    classes = [(real.labels == label).nonzero().flatten() for label in real.labels.unique()]

    def one_draw() -> float:
        shares = [rows[torch.randperm(len(rows), device=rows.device)[: images // len(classes)]] for rows in classes]
        return frechet_distance(in_batches(features, real[torch.cat(shares)][0]), reference)

    return over_seeds([one_draw() for _ in range(draws)])


@dataclass(frozen=True)
class Estimate:
    """A number with its standard error.

    Args:
        value: the estimate.
        error: its standard error, at least 0, or NaN if it is unknown.

    Example:
        >>> print(Estimate(3.14159, 0.0216))
        3.14 ± 0.02
    """

    value: float
    error: float

    def __str__(self) -> str:
        error = 0.0 if self.error < 1e-9 * abs(self.value) else self.error  # equal numbers, but for rounding
        return f"{self.value:.3g} ± nan" if math.isnan(error) else with_error(self.value, error)


def over_seeds(values: Sequence[float]) -> Estimate:
    """Return the mean over independent runs, and the standard error of that mean.

    Args:
        values: one number for each run, at least one.

    Returns:
        The estimate. Its error is NaN if there is a single run.

    Example:
        >>> print(over_seeds([1.0, 2.0, 3.0]))
        2.0 ± 0.6
    """
    runs = torch.tensor(list(values), dtype=torch.float64)
    return Estimate(float(runs.mean()), float(runs.std() / math.sqrt(len(runs))) if len(runs) > 1 else math.nan)
