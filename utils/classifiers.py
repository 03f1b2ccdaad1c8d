"""Classifiers of clean digits, noisy digits and noisy words."""

from __future__ import annotations

from itertools import pairwise

import torch
from jaxtyping import Float, Int, jaxtyped
from torch import Tensor, nn
from typeguard import typechecked

from utils.layers import MLP, FourierFeatures, adapter


class NoisyDigitClassifier(nn.Module):
    """A classifier of noisy digits. The step t enters at every resolution.

    Args:
        steps: the number of steps of the schedule, T.
        channels: the number of channels at each of the three resolutions, multiples of 8.
        classes: the number of classes.
        dim: the width of the embedding of the time, even.
        image_channels: 1 for grey images, 3 for colour images.
    """

    def __init__(
        self,
        steps: int = 1000,
        channels: tuple[int, ...] = (24, 48, 96),
        classes: int = 10,
        dim: int = 32,
        image_channels: int = 1,
    ):
        super().__init__()
        self.steps = steps
        self.time = FourierFeatures(dim)
        ends = (image_channels, *channels)  # 32 pixels, halved three times: 4×4 are left for the head
        self.convolutions = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(ends))
        self.adapters = nn.ModuleList(adapter(dim, 2 * c) for c in channels)
        self.refine = nn.ModuleList(
            nn.Sequential(nn.GroupNorm(8, c), nn.SiLU(), nn.Conv2d(c, c, 3, padding=1)) for c in channels
        )
        self.head = nn.Sequential(
            nn.GroupNorm(8, channels[-1]), nn.SiLU(), nn.Flatten(), nn.Linear(16 * channels[-1], classes)
        )

    @jaxtyped(typechecker=typechecked)
    def forward(self, x: Float[Tensor, "b c 32 32"], t: Int[Tensor, " b"]) -> Float[Tensor, "b classes"]:
        """Return the logits of the classes.

        Args:
            x: noisy images, shape (b, c, 32, 32).
            t: steps in [0, T - 1], integers of shape (b,).

        Returns:
            Logits, shape (b, classes).
        """
        time = self.time((t + 1).to(x.dtype) / self.steps).to(x.dtype)
        for convolve, adapt, refine in zip(self.convolutions, self.adapters, self.refine):
            x = convolve(x)
            scale, shift = adapt(time)[:, :, None, None].chunk(2, dim=1)
            x = nn.functional.avg_pool2d(refine(x * (1 + scale) + shift), 2)
        return self.head(x)


class DigitClassifier(nn.Module):
    """The reference classifier of clean digits. Distances between sets of images use its 64 features.

    Args:
        num_classes: the number of classes.
        image_channels: 1 for grey images, 3 for colour images.
    """

    def __init__(self, num_classes: int = 10, image_channels: int = 1):
        super().__init__()

        def block(a: int, b: int) -> list[nn.Module]:
            return [nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU()]

        self.features = nn.Sequential(
            *block(image_channels, 16), *block(16, 32), nn.MaxPool2d(2),
            *block(32, 48), nn.MaxPool2d(2),
            *block(48, 64), nn.MaxPool2d(2),
            *block(64, 64), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )  # fmt: skip
        self.head = nn.Linear(64, num_classes)

    @jaxtyped(typechecker=typechecked)
    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b classes"]:
        """Return the logits of the classes.

        Args:
            x: images in [-1, 1], shape (b, c, 32, 32).

        Returns:
            Logits, shape (b, num_classes).
        """
        return self.head(self.features(x))


class WordClassifier(nn.Module):
    """A classifier of noisy words or lattices, which sees all sites at once and the time.

    Args:
        sites: the number of sites.
        d: the numbers per site: 1 for spins, the size of the alphabet for letters.
        classes: the number of classes.
        width: the width of the two hidden layers.
        dim: the number of features of the time, even.
    """

    def __init__(self, sites: int, d: int, classes: int = 2, width: int = 128, dim: int = 16):
        super().__init__()
        self.time = FourierFeatures(dim)
        self.body = MLP(sites * d + dim, width, width, classes)

    @jaxtyped(typechecker=typechecked)
    def forward(self, x: Float[Tensor, "b sites d"], t: Float[Tensor, "b 1 1"]) -> Float[Tensor, "b classes"]:
        """Return the logits of the classes.

        Args:
            x: noisy words, shape (b, sites, d).
            t: times in [0, 1], shape (b, 1, 1).

        Returns:
            Logits, shape (b, classes).
        """
        return self.body(torch.cat([x.flatten(1), self.time(t)], dim=1))
