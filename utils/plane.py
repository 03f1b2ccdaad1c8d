"""Points and arrows in the plane, as the figures of several labs draw them."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
from torch import Tensor

from utils.style import PALETTE, point

MARKERS = "o^s"  # of the classes 0 to 2, whose colours are the first of the palette


def scatter_classes(ax: plt.Axes, x: Tensor, y: Tensor, size: float = 4, alpha: float = 0.5) -> None:
    """Draw points in the colour and with the marker of their class.

    Args:
        ax: where to draw.
        x: points, shape (n, 2).
        y: classes 0 to 2, shape (n,).
        size: the area of a marker.
        alpha: the opacity, in [0, 1].
    """
    for k, (color, marker) in enumerate(zip(PALETTE, MARKERS)):
        ax.scatter(x[y == k, 0], x[y == k, 1], s=size, color=color, marker=marker, alpha=alpha, linewidths=0)


def draw_arrow(ax: plt.Axes, start: Tensor, tip: Tensor, color: str, linewidth: float = 2.4, **look: Any) -> None:
    """Draw an arrow that begins and ends exactly at two points.

    Args:
        ax: where to draw.
        start: shape (2,).
        tip: shape (2,).
        color: of the arrow.
        linewidth: of the arrow, in points.
        **look: further properties of the arrow, such as `mutation_scale`.
    """
    arrow = dict(arrowstyle="-|>", color=color, linewidth=linewidth, shrinkA=0, shrinkB=0, **look)
    ax.annotate("", xy=point(tip), xytext=point(start), arrowprops=arrow)
