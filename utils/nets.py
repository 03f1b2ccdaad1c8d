"""The networks of the course. All of them treat each sample on its own: GroupNorm, never BatchNorm, where time or
labels enter, for a batch statistic would mix samples, times and the two passes of guidance."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from jaxtyping import Float, Int, jaxtyped
from torch import Tensor, nn
from typeguard import typechecked


class FourierFeatures(nn.Module):
    """A number t becomes cosines and sines of t at `dim / 2` frequencies from 1/4 to 32 turns per unit of time.

    After Tancik et al. (2020), "Fourier features let networks learn high frequency functions", with fixed frequencies.
    """

    def __init__(self, dim: int):
        super().__init__()
        if dim % 2:
            raise ValueError(f"dim must be even, for there is a sine to every cosine: {dim}")
        frequencies = 2 * math.pi * torch.logspace(-2, 5, dim // 2, base=2.0)
        self.register_buffer("frequencies", frequencies, persistent=False)

    def forward(self, t: Tensor) -> Tensor:
        """t: one number a sample, (b,) or (b, 1, …, 1). Returns (b, dim)."""
        angle = t.reshape(-1, 1) * self.frequencies
        return math.sqrt(2) * torch.cat([angle.cos(), angle.sin()], dim=-1)


class MLP(nn.Sequential):
    """Linear layers with SiLU between them: `MLP(2, 128, 128, 2)`."""

    def __init__(self, *widths: int):
        layers = [layer for a, b in pairwise(widths) for layer in (nn.Linear(a, b), nn.SiLU())]
        super().__init__(*layers[:-1])


class LabelledMLP(nn.Module):
    """A small velocity u(x, t, y) for points that are few numbers, of any shape."""

    def __init__(self, shape: tuple[int, ...], num_labels: int, width: int = 128, dim: int = 16):
        super().__init__()
        size = math.prod(shape)
        self.t_features = FourierFeatures(dim)
        self.y_embedding = nn.Embedding(num_labels, dim)
        self.layers = MLP(size + 2 * dim, width, width, width, size)

    def forward(self, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        """x: (b, …), t: (b, 1, …), y: (b,) integers. Returns the shape of x."""
        inputs = [x.flatten(1), self.t_features(t).to(x.dtype), self.y_embedding(y)]
        return self.layers(torch.cat(inputs, dim=1)).reshape(x.shape)


class EquivariantMLP(nn.Module):
    """sigma · score of two atoms on a ring: swap the atoms, and the outputs are swapped.

    A plain network sees cosines and sines of the coordinates, which makes it periodic, and time. Averaging over both
    orders of the atoms, each answer put back into the order of the question, makes it equivariant.
    """

    def __init__(self, atoms: int = 2, x_dim: int = 32, t_dim: int = 32, width: int = 64, layers: int = 3):
        super().__init__()
        if atoms != 2:
            raise ValueError(f"the average is over the two orders of two atoms, not of {atoms}")
        self.x_embedding = nn.Linear(2 * atoms, x_dim)
        self.t_embedding = nn.Linear(2, t_dim)
        self.layers = MLP(x_dim + t_dim, *[width] * layers, atoms)

    def plain(self, x: Tensor, t: Tensor) -> Tensor:
        """The network before the average; it prefers an order."""
        angle = 2 * math.pi * x
        features = self.x_embedding(torch.cat([angle.cos(), angle.sin()], dim=-1))
        return self.layers(torch.cat([features, self.t_embedding(torch.cat([t, t**2], dim=-1))], dim=-1))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """x: (b, 2), t: (b, 1). Returns (b, 2)."""
        return (self.plain(x, t) + self.plain(x.flip(-1), t).flip(-1)) / 2


def adapter(dim: int, channels: int) -> nn.Module:
    """From an embedding of time or label to one number a channel."""
    return nn.Sequential(nn.Linear(dim, dim), nn.SiLU(), nn.Linear(dim, channels))


class ResidualLayer(nn.Module):
    """Two convolutions beside a straight path. Time and label are added, as one number a channel, between the two."""

    def __init__(self, channels: int, t_dim: int, y_dim: int):
        super().__init__()
        self.block1 = nn.Sequential(nn.GroupNorm(8, channels), nn.SiLU(), nn.Conv2d(channels, channels, 3, padding=1))
        self.block2 = nn.Sequential(nn.GroupNorm(8, channels), nn.SiLU(), nn.Conv2d(channels, channels, 3, padding=1))
        self.t_adapter = adapter(t_dim, channels)
        self.y_adapter = adapter(y_dim, channels)
        nn.init.zeros_(self.block2[-1].weight)  # the layer starts as the identity
        nn.init.zeros_(self.block2[-1].bias)

    def forward(self, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        """x: (b, c, h, w), t: (b, t_dim), y: (b, y_dim). Returns the shape of x."""
        shift = (self.t_adapter(t) + self.y_adapter(y))[:, :, None, None]
        return x + self.block2(self.block1(x) + shift)


class ResidualStack(nn.ModuleList):
    """Residual layers one after the other, all of them told the same time and label."""

    def __init__(self, layers: int, channels: int, t_dim: int, y_dim: int):
        super().__init__(ResidualLayer(channels, t_dim, y_dim) for _ in range(layers))

    def forward(self, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        """x: (b, c, h, w), t: (b, t_dim), y: (b, y_dim). Returns the shape of x."""
        for layer in self:
            x = layer(x, t, y)
        return x


class UNet(nn.Module):
    """Velocity u(x, t, y): an image goes down to a coarse grid and comes back up, with a skip at every resolution.

    After Ronneberger et al. (2015). Each level halves the sides of the image: they must be divisible by 2 that often.
    `num_labels` counts the null label. With the channels 32, 64, 128 and 2 layers a level it has 1.2 million parameters.
    """

    def __init__(
        self,
        channels: tuple[int, ...] = (32, 64, 128),
        layers: int = 2,
        t_dim: int = 40,
        y_dim: int = 40,
        num_labels: int = 11,
        image_channels: int = 1,
    ):
        super().__init__()
        self.settings = dict(channels=list(channels), layers=layers, t_dim=t_dim, y_dim=y_dim, num_labels=num_labels,
                             image_channels=image_channels)  # fmt: skip
        self.t_features = FourierFeatures(t_dim)
        self.y_embedding = nn.Embedding(num_labels, y_dim)
        self.stem = nn.Conv2d(image_channels, channels[0], 3, padding=1)
        levels = list(pairwise(channels))  # from fine to coarse
        self.encoders = nn.ModuleList(ResidualStack(layers, fine, t_dim, y_dim) for fine, _ in levels)
        self.down = nn.ModuleList(nn.Conv2d(fine, coarse, 3, stride=2, padding=1) for fine, coarse in levels)
        self.middle = ResidualStack(layers, channels[-1], t_dim, y_dim)
        self.up = nn.ModuleList(nn.Conv2d(coarse, fine, 3, padding=1) for fine, coarse in levels)
        self.decoders = nn.ModuleList(ResidualStack(layers, fine, t_dim, y_dim) for fine, _ in levels)
        self.head = nn.Sequential(
            nn.GroupNorm(8, channels[0]), nn.SiLU(), nn.Conv2d(channels[0], image_channels, 3, padding=1)
        )

    @jaxtyped(typechecker=typechecked)
    def forward(
        self, x: Float[Tensor, "b c h w"], t: Float[Tensor, "b 1 1 1"], y: Int[Tensor, " b"]
    ) -> Float[Tensor, "b c h w"]:
        """The velocity at x, at times t in [0, 1], for integer labels y."""
        t, y = self.t_features(t), self.y_embedding(y)
        skips = []
        out = self.stem(x)
        for encoder, down in zip(self.encoders, self.down):
            out = encoder(out, t, y)
            skips.append(out)
            out = down(out)
        out = self.middle(out, t, y)
        for decoder, up, skip in reversed(list(zip(self.decoders, self.up, skips))):
            out = up(nn.functional.interpolate(out, scale_factor=2, mode="nearest"))
            out = decoder(out + skip, t, y)
        return self.head(out).to(x.dtype)


class NoiseUNet(nn.Module):
    """The noise in x_t, estimated without a label: lab 4's U-Net in the clothes of a diffusion model.

    With a = sqrt(alpha_bar_t) and b = sqrt(1 - alpha_bar_t), x_t / (a + b) = s x_0 + (1 - s) noise with s = a / (a + b):
    a point on lab 4's straight path. There the U-Net guesses x_0 - noise, and the noise follows.
    """

    def __init__(
        self, alpha_bars: Tensor, channels: tuple[int, ...] = (32, 64, 128), layers: int = 2, image_channels: int = 1
    ):
        super().__init__()
        self.register_buffer("alpha_bars", alpha_bars.float().clone())
        self.unet = UNet(channels, layers, num_labels=1, image_channels=image_channels)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """x: (b, c, h, w), t: (b,) integers from 0 to T - 1. Returns the shape of x."""
        data, noise = (v.sqrt()[:, None, None, None] for v in (self.alpha_bars[t], 1 - self.alpha_bars[t]))
        share = data / (data + noise)
        x = x / (data + noise)
        return x - share * self.unet(x, share, torch.zeros_like(t))


class NoisyDigitClassifier(nn.Module):
    """Which digit is in this noise? Logits from x_t and t, which enters every level, not only the head."""

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

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """x: (b, c, 32, 32), t: (b,) integers from 0 to T - 1. Returns logits (b, classes)."""
        time = self.time((t + 1).to(x.dtype) / self.steps).to(x.dtype)
        for convolve, adapt, refine in zip(self.convolutions, self.adapters, self.refine):
            x = convolve(x)
            scale, shift = adapt(time)[:, :, None, None].chunk(2, dim=1)
            x = nn.functional.avg_pool2d(refine(x * (1 + scale) + shift), 2)
        return self.head(x)


class DigitClassifier(nn.Module):
    """The yardstick: which digit is on a 32×32 image with values in [-1, 1]? Its 64 features measure distances too."""

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

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, 32, 32) to logits (b, classes)."""
        return self.head(self.features(x))


def count_parameters(model: nn.Module) -> int:
    """How many numbers training can change."""
    return sum(p.numel() for p in model.parameters())


class WordClassifier(nn.Module):
    """Which class is a noisy word (or lattice) from? Logits from all sites at once and the time."""

    def __init__(self, sites: int, d: int, classes: int = 2, width: int = 128, dim: int = 16):
        super().__init__()
        self.time = FourierFeatures(dim)
        self.body = MLP(sites * d + dim, width, width, classes)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """x: (b, sites, d), t: (b, 1, 1). Returns logits (b, classes)."""
        return self.body(torch.cat([x.flatten(1), self.time(t)], dim=1))
