"""Many images as one picture."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Shaped, jaxtyped
from torch import Tensor
from typeguard import typechecked

GAP = 2  # pixels between two images


@jaxtyped(typechecker=typechecked)
def tile(images: Shaped[Tensor, "n c h w"], columns: int, gap: int = GAP) -> np.ndarray:
    """Arrange images in one picture, from left to right and from top to bottom.

    Args:
        images: shape (n, 1, h, w). Values outside [-1, 1] are clipped.
        columns: images in a row, at least 1.
        gap: pixels between two images.

    Returns:
        The picture, floats in [-1, 1], with NaN in the gaps.

    Example:
        >>> tile(torch.zeros(3, 1, 4, 4), columns=2).shape
        (10, 10)
    """
    images = images.detach().float().cpu().clamp(-1, 1)[:, 0]
    n, h, w = images.shape
    rows = -(-n // columns)
    sheet = torch.full((rows * (h + gap) - gap, columns * (w + gap) - gap), float("nan"))
    for i, picture in enumerate(images):
        top, left = (i // columns) * (h + gap), (i % columns) * (w + gap)
        sheet[top : top + h, left : left + w] = picture
    return sheet.numpy()
