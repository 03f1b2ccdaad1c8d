"""The networks of the course. Each treats every sample on its own.

Where time or labels enter, they use GroupNorm and never BatchNorm: the statistics of a batch would mix samples, times
and the two evaluations of guidance.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from jaxtyping import Float, Int, jaxtyped
from torch import Tensor, nn
from typeguard import typechecked

from utils.classifiers import DigitClassifier, NoisyDigitClassifier, WordClassifier
from utils.layers import MLP, FourierFeatures, adapter

__all__ = [
    "MLP", "DigitClassifier", "EquivariantMLP", "FourierFeatures", "LabelledMLP", "NoiseUNet", "NoisyDigitClassifier",
    "ResidualLayer", "ResidualStack", "UNet", "WordClassifier", "adapter", "count_parameters",
]  # fmt: skip


class ResidualLayer(nn.Module):
    """Two convolutions with a residual connection around them.

    Time and label are added between the two, as one number for each channel.

    Args:
        channels: the number of channels, a multiple of 8.
        t_dim: the width of the embedding of the time.
        y_dim: the width of the embedding of the label.
    """

    def __init__(self, channels: int, t_dim: int, y_dim: int):
        super().__init__()
        self.block1 = nn.Sequential(nn.GroupNorm(8, channels), nn.SiLU(), nn.Conv2d(channels, channels, 3, padding=1))
        last = nn.Conv2d(channels, channels, 3, padding=1)
        self.block2 = nn.Sequential(nn.GroupNorm(8, channels), nn.SiLU(), last)
        self.t_adapter = adapter(t_dim, channels)
        self.y_adapter = adapter(y_dim, channels)
        nn.init.zeros_(last.weight)  # the layer starts as the identity
        if last.bias is not None:
            nn.init.zeros_(last.bias)

    def forward(self, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        """Return the transformed images.

        Args:
            x: shape (b, channels, h, w).
            t: embedded times, shape (b, t_dim).
            y: embedded labels, shape (b, y_dim).

        Returns:
            The shape of x.
        """
        shift = (self.t_adapter(t) + self.y_adapter(y))[:, :, None, None]
        return x + self.block2(self.block1(x) + shift)


class ResidualStack(nn.ModuleList):
    """Several residual layers in a row, which all receive the same time and label.

    Args:
        layers: the number of layers.
        channels: the number of channels, a multiple of 8.
        t_dim: the width of the embedding of the time.
        y_dim: the width of the embedding of the label.
    """

    def __init__(self, layers: int, channels: int, t_dim: int, y_dim: int):
        super().__init__(ResidualLayer(channels, t_dim, y_dim) for _ in range(layers))

    def forward(self, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        """Return the transformed images.

        Args:
            x: shape (b, channels, h, w).
            t: embedded times, shape (b, t_dim).
            y: embedded labels, shape (b, y_dim).

        Returns:
            The shape of x.
        """
        for layer in self:
            x = layer(x, t, y)
        return x


class UNet(nn.Module):
    """A velocity network u(x, t, y) for images: down to a coarse grid and up again, with a long skip at each finer one.

    With the default sizes it has 1.2 million parameters.

    Args:
        channels: the number of channels at each resolution, from fine to coarse, multiples of 8. Each further entry
            halves the sides of the grid, which must be divisible by 2 that often.
        layers: the number of residual layers at each resolution.
        t_dim: the width of the embedding of the time, even.
        y_dim: the width of the embedding of the label.
        num_labels: the number of labels, the null label included.
        image_channels: 1 for grey images, 3 for colour images.
        patch: the side of the square patches of pixels. The network treats each patch as one place of its grid. With 2,
            an image of 32×32 pixels becomes a grid of 16×16 places.

    References:
        Ronneberger et al. (2015), "U-Net: convolutional networks for biomedical image segmentation".
        Shi et al. (2016), "Real-time single image and video super-resolution using an efficient sub-pixel convolutional
        neural network", for moving the pixels of a patch into channels and back.
    """

    def __init__(
        self,
        channels: tuple[int, ...] = (32, 64, 128),
        layers: int = 2,
        t_dim: int = 40,
        y_dim: int = 40,
        num_labels: int = 11,
        image_channels: int = 1,
        patch: int = 2,
    ):
        super().__init__()
        self.settings = dict(channels=list(channels), layers=layers, t_dim=t_dim, y_dim=y_dim, num_labels=num_labels,
                             image_channels=image_channels, patch=patch)  # fmt: skip
        self.patch = patch
        self.t_features = FourierFeatures(t_dim)
        self.y_embedding = nn.Embedding(num_labels, y_dim)
        values = image_channels * patch**2  # the numbers of one patch
        self.stem = nn.Conv2d(values, channels[0], 3, padding=1)
        levels = list(pairwise(channels))  # from fine to coarse
        self.encoders = nn.ModuleList(ResidualStack(layers, fine, t_dim, y_dim) for fine, _ in levels)
        self.down = nn.ModuleList(nn.Conv2d(fine, coarse, 3, stride=2, padding=1) for fine, coarse in levels)
        self.middle = ResidualStack(layers, channels[-1], t_dim, y_dim)
        self.up = nn.ModuleList(nn.Conv2d(coarse, fine, 3, padding=1) for fine, coarse in levels)
        self.decoders = nn.ModuleList(ResidualStack(layers, fine, t_dim, y_dim) for fine, _ in levels)
        self.head = nn.Sequential(nn.GroupNorm(8, channels[0]), nn.SiLU(), nn.Conv2d(channels[0], values, 3, padding=1))

    @jaxtyped(typechecker=typechecked)
    def forward(
        self, x: Float[Tensor, "b c h w"], t: Float[Tensor, "b 1 1 1"], y: Int[Tensor, " b"]
    ) -> Float[Tensor, "b c h w"]:
        """Return the velocity at x.

        Args:
            x: images, shape (b, image_channels, h, w), with sides divisible by `patch`.
            t: times in [0, 1], shape (b, 1, 1, 1).
            y: labels in [0, num_labels - 1], integers of shape (b,).

        Returns:
            The velocities, shape and dtype of x.
        """
        t, y = self.t_features(t), self.y_embedding(y)
        skips = []
        out = self.stem(nn.functional.pixel_unshuffle(x, self.patch))
        for encoder, down in zip(self.encoders, self.down):
            out = encoder(out, t, y)
            skips.append(out)
            out = down(out)
        out = self.middle(out, t, y)
        for decoder, up, skip in reversed(list(zip(self.decoders, self.up, skips))):
            out = up(nn.functional.interpolate(out, scale_factor=2, mode="nearest"))
            out = decoder(out + skip, t, y)
        return nn.functional.pixel_shuffle(self.head(out), self.patch).to(x.dtype)


class NoiseUNet(nn.Module):
    """A network that estimates the noise in x_t without a label, built around lab 4's U-Net.

    With a = sqrt(alpha_bar_t) and b = sqrt(1 - alpha_bar_t), x_t / (a + b) = s x_0 + (1 - s) noise, where s = a / (a +
    b). This is a point on lab 4's straight path. The U-Net estimates the velocity x_0 - noise there, and the noise
    follows from it.

    Args:
        alpha_bars: the schedule's alpha_bars, shape (T,), in (0, 1).
        channels: as in `UNet`.
        layers: as in `UNet`.
        image_channels: 1 for grey images, 3 for colour images.
    """

    alpha_bars: Tensor

    def __init__(
        self, alpha_bars: Tensor, channels: tuple[int, ...] = (32, 64, 128), layers: int = 2, image_channels: int = 1
    ):
        super().__init__()
        self.register_buffer("alpha_bars", alpha_bars.float().clone())
        self.unet = UNet(channels, layers, num_labels=1, image_channels=image_channels, patch=1)

    @jaxtyped(typechecker=typechecked)
    def forward(self, x: Float[Tensor, "b c h w"], t: Int[Tensor, " b"]) -> Float[Tensor, "b c h w"]:
        """Return the estimated noise.

        Args:
            x: noisy images, shape (b, c, h, w).
            t: steps in [0, T - 1], integers of shape (b,).

        Returns:
            The noise, shape of x.
        """
        data, noise = (v.sqrt()[:, None, None, None] for v in (self.alpha_bars[t], 1 - self.alpha_bars[t]))
        share = data / (data + noise)
        x = x / (data + noise)
        return x - share * self.unet(x, share, torch.zeros_like(t))


class LabelledMLP(nn.Module):
    """A small velocity network u(x, t, y) for points that consist of a few numbers.

    Args:
        shape: the shape of one point, without the batch axis.
        num_labels: the number of labels, the null label included.
        width: the width of the three hidden layers.
        dim: the number of features of the time and of the label, even.
    """

    def __init__(self, shape: tuple[int, ...], num_labels: int, width: int = 128, dim: int = 16):
        super().__init__()
        size = math.prod(shape)
        self.t_features = FourierFeatures(dim)
        self.y_embedding = nn.Embedding(num_labels, dim)
        self.layers = MLP(size + 2 * dim, width, width, width, size)

    @jaxtyped(typechecker=typechecked)
    def forward(self, x: Float[Tensor, b * n], t: Float[Tensor, b * one], y: Int[Tensor, " b"]) -> Float[Tensor, b * n]:
        """Return the velocity at x.

        Args:
            x: points, shape (b, …).
            t: times in [0, 1], shape (b, 1, …, 1).
            y: labels in [0, num_labels - 1], integers of shape (b,).

        Returns:
            The velocities, shape of x.
        """
        inputs = [x.flatten(1), self.t_features(t).to(x.dtype), self.y_embedding(y)]
        return self.layers(torch.cat(inputs, dim=1)).reshape(x.shape)


class EquivariantMLP(nn.Module):
    """The product sigma * score of two atoms on a ring. Swapping the atoms swaps the outputs.

    A plain network sees time and the cosines and sines of the coordinates, which make it periodic. Averaging over both
    orders of the atoms, with each result swapped back, makes it equivariant.

    Args:
        atoms: 2.
        x_dim: the width of the embedding of the coordinates.
        t_dim: the width of the embedding of the time.
        width: the width of the hidden layers.
        layers: the number of hidden layers.

    Raises:
        ValueError: `atoms` is not 2.

    Example:
        >>> net, x, t = EquivariantMLP(), torch.rand(4, 2), torch.rand(4, 1)
        >>> torch.allclose(net(x.flip(-1), t), net(x, t).flip(-1), atol=1e-6)
        True
    """

    def __init__(self, atoms: int = 2, x_dim: int = 32, t_dim: int = 32, width: int = 64, layers: int = 3):
        super().__init__()
        if atoms != 2:
            raise ValueError(f"the average is over the two orders of two atoms, not of {atoms}")
        self.x_embedding = nn.Linear(2 * atoms, x_dim)
        self.t_embedding = nn.Linear(2, t_dim)
        self.layers = MLP(x_dim + t_dim, *[width] * layers, atoms)

    def plain(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the output of the network before the average. It depends on the order of the atoms.

        Args:
            x: states in [0, 1), shape (b, 2).
            t: times in [0, 1], shape (b, 1).

        Returns:
            One number for each atom, shape (b, 2).
        """
        angle = 2 * math.pi * x
        features = self.x_embedding(torch.cat([angle.cos(), angle.sin()], dim=-1))
        return self.layers(torch.cat([features, self.t_embedding(torch.cat([t, t**2], dim=-1))], dim=-1))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Return sigma * score.

        Args:
            x: states in [0, 1), shape (b, 2).
            t: times in [0, 1], shape (b, 1).

        Returns:
            One number for each atom, shape (b, 2).
        """
        return (self.plain(x, t) + self.plain(x.flip(-1), t).flip(-1)) / 2


def count_parameters(model: nn.Module) -> int:
    """Count the numbers that training can change.

    Args:
        model: any module.

    Returns:
        The number of entries of all parameters.

    Example:
        >>> count_parameters(nn.Linear(3, 2))
        8
    """
    return sum(p.numel() for p in model.parameters())
