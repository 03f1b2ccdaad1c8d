"""Two figures that need no data: the course's U-Net, and its four noise processes side by side."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import torch

from utils.alternative_text import describe
from utils.style import BLUE, GREEN, GREY, ORANGE, PINK, bare


def draw_unet() -> plt.Figure:
    """Draw the course's U-Net as a diagram: its resolutions, its skips, and where time and label enter.

    Returns:
        The figure.
    """
    fig, ax = plt.subplots(figsize=(10, 3.8))
    levels = [("32 channels\n16×16", 1.7), ("64 channels\n8×8", 1.15), ("128 channels\n4×4", 0.7)]
    spots = [(1.6, 3.2), (3.3, 1.8), (5.0, 0.4), (6.7, 1.8), (8.4, 3.2)]
    for (x, y), level, color in zip(spots, (0, 1, 2, 1, 0), (BLUE, BLUE, GREEN, ORANGE, ORANGE)):
        label, height = levels[level]
        ax.add_patch(plt.Rectangle((x - 0.65, y - height / 2), 1.3, height, color=color, alpha=0.85, zorder=2))
        ink = "#222222" if color == ORANGE else "white"
        ax.text(x, y, label, ha="center", va="center", color=ink, fontsize=8.5, fontweight="bold", zorder=3)
    arrow = dict(arrowstyle="-|>", color="#333333", linewidth=1.4, shrinkA=0, shrinkB=0)

    def connect(a, b, text="", at=(0.0, 0.0)):
        ax.annotate("", xy=b, xytext=a, arrowprops=arrow)
        ax.text((a[0] + b[0]) / 2 + at[0], (a[1] + b[1]) / 2 + at[1], text, fontsize=8.5, ha="center", va="center")

    draw_patched_square(ax, -1.0, "x\n(1, 32, 32)")
    draw_patched_square(ax, 10.2, "velocity\n(1, 32, 32)")
    connect((-0.2, 3.2), (0.95, 3.2), "patches\n(4, 16, 16)", (0.0, 0.42))
    connect((9.05, 3.2), (10.2, 3.2), "patches\n(4, 16, 16)", (0.0, 0.42))
    connect((1.6, 2.35), (2.65, 1.8), "halve", (-0.35, -0.12))
    connect((3.3, 1.22), (4.35, 0.4), "halve", (-0.35, -0.12))
    connect((5.65, 0.4), (6.7, 1.22), "double", (0.38, -0.12))
    connect((7.35, 1.8), (8.4, 2.35), "double", (0.38, -0.12))
    for left, right, y, at in ((1.6, 8.4, 3.75, 5.0), (3.3, 6.7, 1.45, 4.45)):
        ax.annotate(
            "", xy=(right - 0.65, y), xytext=(left + 0.65, y), arrowprops=dict(arrow, linestyle=(0, (4, 2)), color=GREY)
        )
        ax.text(at, y + 0.14, "skip: added", fontsize=8.5, ha="center", color=GREY)
    box = dict(boxstyle="round,pad=0.5", facecolor="white", edgecolor=PINK)
    inputs = "time features (40) and label embedding (40)\nenter every residual layer: one number a channel"
    ax.text(5.0, 2.75, inputs, ha="center", va="center", fontsize=8.5, bbox=box, zorder=4)
    enters = dict(arrow, color=PINK, linewidth=1.2)
    for x, y in ((2.25, 2.85), (3.5, 2.375), (5.0, 0.75), (6.5, 2.375), (7.75, 2.85)):  # into each of the five blocks
        ax.annotate("", xy=(x, y), xytext=(5.0 + (x - 5.0) * 0.35, 2.7), arrowprops=enters, zorder=1)
    ax.text(1.6, 0.35, "down: what is it?", ha="center", color=BLUE, fontsize=9)
    ax.text(8.5, 0.35, "up: where is it?", ha="center", color="#9A6700", fontsize=9)
    ax.set_xlim(-1.15, 11.25)
    ax.set_ylim(-0.1, 4.2)
    bare(ax)
    describe(
        "A diagram of the U-Net: the image is cut into patches of 2×2 pixels, their grid is halved twice and doubled "
        "twice, skip connections add each size on the way down to the same size on the way up, and time and label "
        "enter every block."
    )
    return fig


def draw_patched_square(ax: plt.Axes, left: float, label: str) -> None:
    """Draw a square of 4×4 pixels that is divided into patches of 2×2, with a label above.

    Args:
        ax: where to draw.
        left: the left end of the square.
        label: the label.
    """
    side, bottom = 0.2, 2.8  # of a pixel; of the square
    for row in range(4):
        for column in range(4):
            shade = ("#FFFFFF", "#C9C9C9", "#8F8F8F", "#E4E4E4")[2 * (row % 2) + column % 2]  # one for each channel
            ax.add_patch(plt.Rectangle((left + column * side, bottom + row * side), side, side, color=shade, zorder=2))
    for row in range(2):
        for column in range(2):
            corner = (left + 2 * column * side, bottom + 2 * row * side)
            ax.add_patch(plt.Rectangle(corner, 2 * side, 2 * side, fill=False, edgecolor="#333333", zorder=3))
    ax.text(left + 2 * side, bottom + 4 * side + 0.1, label, fontsize=8.5, ha="center", va="bottom")


def draw_rosetta() -> plt.Figure:
    """Draw the four noise processes of the course side by side.

    Each panel shows the distribution of a ±1 spin, of two atoms, or of a letter, over time.

    Returns:
        The figure.
    """
    from scipy import stats

    from utils import vp

    fig, axes = plt.subplots(1, 4, figsize=(12, 3))
    t = torch.linspace(0, 1, 120, dtype=torch.float64)
    x = np.linspace(-2.6, 2.6, 160)

    def show(ax: plt.Axes, density: np.ndarray, extent: tuple[float, float, float, float], largest: float) -> None:
        root = density**0.5  # shows thin parts
        ax.imshow(root, extent=extent, origin="lower", aspect="auto", cmap="Blues", vmax=largest)

    def show_spins(ax: plt.Axes, mean: torch.Tensor, spread: torch.Tensor, title: str, label: str) -> None:
        widths = np.maximum(spread.numpy(), 0.04)
        density = sum(stats.norm.pdf(x[:, None], s * mean.numpy(), widths) for s in (-1, 1)) / 2
        show(ax, density, (0, 1, x[0], x[-1]), 1.3)
        ax.set(title=title, xlabel=label, yticks=[-1, 1])

    show_spins(axes[0], vp.alpha(t), vp.sigma(t), "variance preserving\nlabs 1 and 3", "t, data → noise")
    show_spins(axes[2], t, 1 - t, "flow, straight path\nlab 4", "t, noise → data")
    ring, widths = np.linspace(0, 1, 160), np.maximum(0.001 * 200 ** t.numpy(), 0.012)
    copies = [centre + k for centre in (0.25, 0.75) for k in (-1, 0, 1)]
    show(axes[1], sum(stats.norm.pdf(ring[:, None], copy, widths) for copy in copies) / 2, (0, 1, 0, 1), 4)
    axes[1].set(title="variance exploding, ring\nlab 2", xlabel="t, data → noise", yticks=[0.25, 0.75])
    alpha, places = np.linspace(1, 12, 120), np.linspace(0.004, 0.996, 160)
    # two letters: Dir(alpha, 1) and Dir(1, alpha)
    density = sum(stats.beta.pdf(v[:, None], alpha, 1) for v in (places, 1 - places)) / 2
    show(axes[3], density, (1, 12, 0, 1), 2)
    axes[3].set(title="Dirichlet, simplex\nbeyond lab 1", xlabel="α, noise → data", yticks=[0, 1])
    for ax in axes:
        ax.grid(False)
    describe(
        "Four noise processes, the value of one coordinate against time, darker where it is more probable: two "
        "spins that shrink into one cloud, two atoms that spread on a ring, a cloud that splits into two points, "
        "and letters that leave the uniform distribution for two corners."
    )
    return fig
