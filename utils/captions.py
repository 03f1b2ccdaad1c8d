"""Words for digits, and a small model of images and words. Lab 3's last, ungraded part guides with it.

Guidance needs two methods of such a model: `encode_image` and `encode_text`. `TinyCLIP` has them, and so has
`OpenCLIP`, which wraps a large model of the package open_clip.

References:
    Radford et al. (2021), "Learning transferable visual models from natural language supervision".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from jaxtyping import Float, Int, jaxtyped
from torch import Tensor, nn
from typeguard import typechecked

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
WORDS = ("a", "bold", "fine", "upright", "slanted", *DIGITS)


class ImageText(Protocol):
    """A model that maps images and texts to unit vectors. Vectors of matching pairs lie close together."""

    def encode_image(self, x: Tensor) -> Tensor:
        """Return the vectors of images, attached to the graph.

        Args:
            x: images in [-1, 1], shape (b, 1, h, w).

        Returns:
            Unit vectors, shape (b, d).
        """

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """Return the vectors of texts.

        Args:
            texts: captions.

        Returns:
            Unit vectors, shape (texts, d).
        """


@jaxtyped(typechecker=typechecked)
def slant(x: Float[Tensor, "b 1 h w"]) -> Float[Tensor, " b"]:
    """Return how far the strokes lean to the right: the slope of the regression of column on height.

    Args:
        x: images in [-1, 1], shape (b, 1, h, w).

    Returns:
        The slopes, 0 for upright strokes, shape (b,), float64.
    """
    ink = ((x + 1) / 2).clamp(0, 1)[:, 0].double()
    h, w = ink.shape[-2:]
    row, column = torch.arange(h).to(ink)[:, None], torch.arange(w).to(ink)[None]
    total = ink.sum((1, 2)).clamp(min=1e-6)

    def mean(values: Tensor) -> Tensor:
        return (ink * values).sum((1, 2)) / total

    up = -(row - mean(row)[:, None, None])
    right = column - mean(column)[:, None, None]
    return mean(up * right) / mean(up**2).clamp(min=1e-6)


@jaxtyped(typechecker=typechecked)
def captions(x: Float[Tensor, "b 1 h w"], labels: Int[Tensor, " b"]) -> list[str]:
    """Write a caption for each digit from its ink and its slant, each compared with the median of the batch.

    Args:
        x: images in [-1, 1], shape (b, 1, h, w).
        labels: digits from 0 to 9, integers of shape (b,).

    Returns:
        One caption for each image, such as "a bold slanted seven".
    """
    ink, lean = ((x + 1) / 2).mean((1, 2, 3)), slant(x)
    return [
        f"a {'bold' if i > ink.median() else 'fine'} {'slanted' if s > lean.median() else 'upright'} {DIGITS[y]}"
        for i, s, y in zip(ink, lean, labels.tolist())
    ]


class TinyCLIP(nn.Module):
    """A few convolutions for images, and the mean of word vectors for texts.

    Args:
        dim: the dimension of the unit vectors.
        channels: the number of channels of the first convolution, a multiple of 8.
    """

    def __init__(self, dim: int = 32, channels: int = 24):
        super().__init__()

        def block(a: int, b: int) -> list[nn.Module]:
            return [nn.Conv2d(a, b, 3, stride=2, padding=1), nn.GroupNorm(8, b), nn.SiLU()]

        self.image = nn.Sequential(
            *block(1, channels), *block(channels, 2 * channels), *block(2 * channels, 2 * channels), nn.Flatten(),
            nn.Linear(2 * channels * 16, dim),
        )  # fmt: skip
        self.words = nn.Embedding(len(WORDS), dim)

    def encode_image(self, x: Tensor) -> Tensor:
        """Return the vectors of images.

        Args:
            x: images in [-1, 1], shape (b, 1, 32, 32).

        Returns:
            Unit vectors, shape (b, dim).
        """
        return nn.functional.normalize(self.image(x), dim=-1)

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """Return the vectors of texts.

        Args:
            texts: captions made of the words in `WORDS`.

        Returns:
            Unit vectors, shape (texts, dim).

        Raises:
            ValueError: a word is not in `WORDS`.
        """
        rows = []
        for text in texts:
            unknown = [word for word in text.lower().split() if word not in WORDS]
            if unknown:
                raise ValueError(f"no caption has the word {unknown[0]!r}; the words are {', '.join(WORDS)}")
            index = torch.tensor([WORDS.index(word) for word in text.lower().split()], device=self.words.weight.device)
            rows.append(self.words(index).mean(0))
        return nn.functional.normalize(torch.stack(rows), dim=-1)


@jaxtyped(typechecker=typechecked)
def contrastive_loss(
    images: Float[Tensor, "b d"], texts: Float[Tensor, "b d"], same: Float[Tensor, "b b"], sharpness: float = 10.0
) -> Float[Tensor, ""]:
    """Return the loss of CLIP: each image has to find its texts within the batch, and each text its images.

    Several images of a batch may share a caption, so the target is spread over all of them.

    Args:
        images: unit vectors, shape (b, d).
        texts: unit vectors, shape (b, d).
        same: shape (b, b), symmetric; 1 where text j fits image i (so on the diagonal), else 0.
        sharpness: the factor on the cosines, positive.

    Returns:
        The loss, shape ().

    References:
        Radford et al. (2021), "Learning transferable visual models from natural language supervision", figure 3.

    Example:
        >>> points = torch.eye(2)
        >>> round(float(contrastive_loss(points, points, torch.eye(2), sharpness=1.0)), 4)
        0.3133
    """
    scores = sharpness * images @ texts.T
    target = same / same.sum(1, keepdim=True)
    one_way = -(target * scores.log_softmax(1)).sum(1).mean()
    other_way = -(target * scores.T.log_softmax(1)).sum(1).mean()
    return (one_way + other_way) / 2


class OpenCLIP:
    """A model of the package open_clip with the same two methods.

    Digits are enlarged and shown as dark ink on light paper.

    The model needs `pip install open_clip_torch`, which is imported only when an object is created.

    Args:
        name: the architecture's name in open_clip.
        pretrained: the name of its weights.
        device: where the model goes.

    Raises:
        ImportError: open_clip is not installed.
    """

    def __init__(
        self, name: str = "ViT-B-32", pretrained: str = "laion2b_s34b_b79k", device: str | torch.device = "cpu"
    ):
        try:
            import open_clip
        except ImportError as error:
            raise ImportError("this needs the package open_clip: pip install open_clip_torch") from error
        self.model = open_clip.create_model(name, pretrained=pretrained).to(device).eval().requires_grad_(False)
        self.tokenizer = open_clip.get_tokenizer(name)
        self.size = self.model.visual.image_size
        self.size = self.size[0] if isinstance(self.size, (tuple, list)) else self.size
        self.mean = torch.tensor(open_clip.OPENAI_DATASET_MEAN, device=device).reshape(1, 3, 1, 1)
        self.std = torch.tensor(open_clip.OPENAI_DATASET_STD, device=device).reshape(1, 3, 1, 1)
        self.device = device

    def encode_image(self, x: Tensor) -> Tensor:
        """Return the vectors of digits, attached to the graph.

        Args:
            x: images in [-1, 1], shape (b, 1, h, w).

        Returns:
            Unit vectors, shape (b, d).
        """
        paper = (1 - x) / 2  # ink is dark
        large = nn.functional.interpolate(paper.expand(-1, 3, -1, -1), (self.size, self.size), mode="bicubic")
        return nn.functional.normalize(self.model.encode_image((large - self.mean) / self.std), dim=-1)

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """Return the vectors of texts.

        Args:
            texts: what follows "a handwritten digit, " in the caption.

        Returns:
            Unit vectors, shape (texts, d).
        """
        tokens = self.tokenizer([f"a handwritten digit, {text}" for text in texts]).to(self.device)
        return nn.functional.normalize(self.model.encode_text(tokens), dim=-1)
