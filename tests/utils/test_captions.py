"""Captions, their loss, and the adapter for open_clip."""

from __future__ import annotations

import sys

import pytest
import torch

from utils import captions


def test_captions_describe_ink_and_slant():
    picture = torch.full((3, 1, 32, 32), -1.0)
    picture[0, 0, 4:28, 15:17] = 1  # upright
    for i in range(24):
        picture[1, 0, 4 + i, 20 - i // 3 : 22 - i // 3] = 1  # leans to the right
        picture[2, 0, 4 + i, 10 + i // 3 : 16 + i // 3] = 1  # leans to the left, and is bold
    lean = captions.slant(picture)
    assert float(lean[0]) == pytest.approx(0, abs=1e-6)
    assert float(lean[1]) == pytest.approx(1 / 3, abs=0.02)
    assert float(lean[2]) == pytest.approx(-1 / 3, abs=0.02)
    assert captions.captions(picture, torch.tensor([1, 7, 3])) == [
        "a fine upright one", "a fine slanted seven", "a bold upright three",
    ]  # fmt: skip


def test_contrastive_loss_of_known_points():
    """Two captions, perfectly told apart by unit vectors: log(1 + exp(-2 sharpness)) each way."""
    points = torch.tensor([[1.0, 0.0], [-1.0, 0.0]]).double()
    loss = captions.contrastive_loss(points, points, torch.eye(2).double(), sharpness=3.0)
    assert float(loss) == pytest.approx(float(torch.log1p(torch.exp(torch.tensor(-6.0).double()))))
    alike = torch.ones(2, 2).double()  # one caption for both: nothing to tell apart
    same = captions.contrastive_loss(points[:1].expand(2, 2), points[:1].expand(2, 2), alike)
    assert float(same) == pytest.approx(float(torch.log(torch.tensor(2.0))))


def test_unknown_words_are_named():
    with pytest.raises(ValueError, match="'cat'"):
        captions.TinyCLIP().encode_text(["a bold cat"])


class StandIn(torch.nn.Module):
    """As much of open_clip as the adapter uses."""

    class visual:
        image_size = (16, 16)

    def encode_image(self, x):
        assert x.shape[1:] == (3, 16, 16)
        return x.flatten(1)[:, :6]

    def encode_text(self, tokens):
        return tokens.float()


def test_open_clip_fits_the_two_methods(monkeypatch):
    import types

    stand_in = types.SimpleNamespace(
        create_model=lambda name, pretrained: StandIn(),
        get_tokenizer=lambda name: lambda texts: torch.tensor([[len(t)] * 6 for t in texts]),
        OPENAI_DATASET_MEAN=(0.5, 0.5, 0.5), OPENAI_DATASET_STD=(0.25, 0.25, 0.25),
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "open_clip", stand_in)
    model = captions.OpenCLIP()
    x = torch.rand(2, 1, 32, 32).requires_grad_()
    image, text = model.encode_image(x), model.encode_text(["seven", "a bold one"])
    assert image.shape == text.shape == (2, 6)
    assert torch.allclose(image.norm(dim=1), torch.ones(2))
    assert torch.autograd.grad((image * text).sum(), x)[0].shape == x.shape


def test_without_open_clip_the_adapter_says_what_to_install(monkeypatch):

    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(ImportError, match="pip install open_clip_torch"):
        captions.OpenCLIP()
