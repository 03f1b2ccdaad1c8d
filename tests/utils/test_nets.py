"""Networks treat samples independently, use time and label, and name wrong shapes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from utils.nets import (
    DigitClassifier,
    FourierFeatures,
    LabelledMLP,
    NoiseUNet,
    NoisyDigitClassifier,
    UNet,
    count_parameters,
)


class First(nn.Module):
    """Return the first argument."""

    def forward(self, x, *others):
        return x


class Nothing(nn.Module):
    """Return zeros."""

    def forward(self, x):
        return torch.zeros_like(x)


@pytest.fixture(scope="module")
def alpha_bars():
    """As long as lab 3's schedule, and as noisy at its end."""
    return torch.linspace(0.9999, 0.98, 1000).cumprod(0)


def test_unet_treats_samples_one_by_one():
    torch.manual_seed(0)
    net = UNet(channels=(8, 16, 16), layers=1).train()
    for p in net.parameters():
        nn.init.normal_(p, std=0.1)  # the zero-initialised layers would hide a mistake
    x, t, y = torch.randn(6, 1, 16, 16), torch.rand(6, 1, 1, 1), torch.arange(6)
    whole = net(x, t, y)
    alone = torch.cat([net(x[i : i + 1], t[i : i + 1], y[i : i + 1]) for i in range(6)])
    assert torch.allclose(whole, alone, atol=1e-5)
    assert not torch.allclose(whole, net(x, t, y.flip(0)), atol=1e-3)
    assert not torch.allclose(whole, net(x, 1 - t, y), atol=1e-3)


def test_unet_has_the_size_of_the_text_and_any_label_width():
    assert 1.15e6 < count_parameters(UNet()) < 1.3e6
    net = UNet(channels=(8, 8), layers=1, t_dim=12, y_dim=20, num_labels=5, image_channels=3)
    assert net(torch.zeros(2, 3, 8, 8), torch.zeros(2, 1, 1, 1), torch.tensor([0, 4])).shape == (2, 3, 8, 8)


@torch.no_grad()
def test_unet_computes_on_the_grid_of_patches_and_returns_every_pixel_to_its_place():
    """Where stem and head hand each number of a patch on, the network returns its image."""
    net = UNet(channels=(8, 8), layers=1, patch=2)
    grids = []
    net.stem.register_forward_hook(lambda module, inputs, output: grids.append(inputs[0].shape))
    x, t, y = torch.randn(2, 1, 8, 12), torch.rand(2, 1, 1, 1), torch.tensor([0, 4])
    assert net(x, t, y).shape == x.shape and grids == [(2, 4, 4, 6)]
    net.encoders, net.decoders = nn.ModuleList([First()]), nn.ModuleList([First()])
    net.head, net.stem = nn.Identity(), nn.Identity()
    net.down, net.middle, net.up = nn.ModuleList([nn.MaxPool2d(2)]), First(), nn.ModuleList([Nothing()])
    assert torch.equal(net(x, t, y), x)


def test_unet_names_a_wrong_shape():
    with pytest.raises(Exception, match="t"):
        UNet(channels=(8, 8), layers=1)(torch.zeros(2, 1, 8, 8), torch.zeros(2), torch.zeros(2, dtype=torch.long))


def test_small_networks():
    x, t, y = torch.zeros(3, 1, 1, 2), torch.zeros(3, 1, 1, 1), torch.zeros(3, dtype=torch.long)
    assert LabelledMLP((1, 1, 2), 4)(x, t, y).shape == x.shape
    assert FourierFeatures(8)(torch.rand(5, 1, 1, 1)).shape == (5, 8)
    assert DigitClassifier()(torch.zeros(2, 1, 32, 32)).shape == (2, 10)


def test_time_reaches_the_classifiers_gradient():
    torch.manual_seed(0)
    classifier = NoisyDigitClassifier(1000)
    x = torch.randn(2, 1, 32, 32).requires_grad_()
    grads = [torch.autograd.grad(classifier(x, torch.full((2,), t))[:, 3].sum(), x)[0] for t in (10, 900)]
    assert float((grads[0] - grads[1]).abs().max()) > 1e-4


@torch.no_grad()
def test_samples_do_not_influence_each_other(alpha_bars):
    torch.manual_seed(0)
    net, classifier = NoiseUNet(alpha_bars, channels=(16, 32), layers=1), NoisyDigitClassifier(1000)
    x, t = torch.randn(3, 1, 32, 32), torch.tensor([1, 500, 999])
    for model in (net, classifier):
        together = model(x, t)
        alone = torch.cat([model(x[i : i + 1], t[i : i + 1]) for i in range(3)])
        assert torch.allclose(together, alone, atol=1e-5)


@torch.no_grad()
def test_the_noise_network_converts_the_velocity(alpha_bars):
    """With a U-Net that returns x_0 - noise exactly, the network returns the noise exactly."""
    net = NoiseUNet(alpha_bars.double())
    x0, noise = torch.randn(4, 1, 8, 8).double(), torch.randn(4, 1, 8, 8).double()
    t = torch.tensor([0, 300, 700, 999])
    bar = net.alpha_bars.double()[t][:, None, None, None]
    net.alpha_bars = net.alpha_bars.double()
    net.unet.forward = lambda x, share, y: x0 - noise
    assert torch.allclose(net(bar.sqrt() * x0 + (1 - bar).sqrt() * noise, t), noise, atol=1e-6)
