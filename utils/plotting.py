"""Figures for all labs, and helpers for grids of images.

The notebooks write `plotting.BLUE` and `plotting.draw_unet()`; colours, diagrams and films live in `utils.style`,
`utils.diagrams` and `utils.films`. seaborn is imported by the functions that draw with it: with pandas and SciPy it
takes as long as PyTorch, and a set-up cell need not wait for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import matplotlib.ticker
import numpy as np
import torch
from torch import Tensor

from utils.alternative_text import describe, describe_table
from utils.diagrams import draw_rosetta, draw_unet
from utils.films import save_gif, show_gif
from utils.style import (
    BLUE,
    GAP,
    GREEN,
    GREY,
    ORANGE,
    PALETTE,
    PAPER,
    PINK,
    RED,
    SKY,
    YELLOW,
    bare,
    letter_colors,
    use_style,
)
from utils.tiling import tile

__all__ = [
    "BLUE", "GAP", "GREEN", "GREY", "ORANGE", "PALETTE", "PAPER", "PINK", "RED", "SKY", "YELLOW", "bare",
    "draw_rosetta", "draw_sheet", "draw_sweep", "draw_unet", "letter_colors", "plot_loss", "print_leaderboard",
    "save_gif", "show_gif", "show_images", "show_table", "smooth", "tile", "use_style",
]  # fmt: skip

LARGEST_LATTICE = 12  # up to this side, a picture is drawn as a heat map with lines between its sites


def show_images(images: Tensor, columns: int = 10, ax: plt.Axes | None = None, title: str = "") -> plt.Axes:
    """Draw a grid of images, with dark ink on light paper.

    Args:
        images: shape (n, 1, h, w), values in [-1, 1].
        columns: images in a row, at least 1.
        ax: where to draw. None makes a new figure.
        title: the title above.

    Returns:
        The axes.
    """
    sheet = tile(images, columns)
    if ax is None:
        _, ax = plt.subplots(figsize=(0.6 * columns, 0.6 * sheet.shape[0] / sheet.shape[1] * columns + 0.3))
    draw_sheet(ax, sheet, images.shape[-1])
    ax.set_title(title)
    bare(ax)
    return ax


def show_table(
    rows: Sequence[Tensor],
    row_names: Sequence[str],
    column_names: Sequence[str] = (),
    title: str = "",
    scale: float = 0.6,
) -> plt.Figure:
    """Draw rows of images, with names at the left and above.

    Args:
        rows: one tensor of shape (columns, 1, h, w) for each row, values in [-1, 1].
        row_names: one name for each row.
        column_names: one name for each column, or nothing.
        title: the title above.
        scale: the size of an image in inches.

    Returns:
        The figure.
    """
    columns, (h, w) = len(rows[0]), rows[0].shape[-2:]
    sheet = tile(torch.cat(list(rows)), columns)
    fig, ax = plt.subplots(figsize=(scale * columns + 0.9, scale * len(rows) + (0.6 if title or column_names else 0.2)))
    draw_sheet(ax, sheet, w)
    bare(ax)
    ax.set_facecolor(GAP)  # or a white picture could not be seen
    ax.set_yticks([i * (h + 2) + h / 2 for i in range(len(rows))], row_names)
    if column_names:
        ax.set_xticks([i * (w + 2) + w / 2 for i in range(columns)], column_names)
        ax.xaxis.tick_top()
    ax.set_title(title)
    describe(describe_table(title or "Pictures in a table", row_names, column_names), fig)
    return fig


def draw_sheet(ax: plt.Axes, sheet: np.ndarray, side: int) -> None:
    """Draw a picture made by `tile`. Lattices are drawn as a heat map, with lines between their sites.

    Args:
        ax: where to draw.
        sheet: the picture, values in [-1, 1], NaN where nothing is drawn.
        side: the width of one image. Up to `LARGEST_LATTICE` it is a lattice.
    """
    import seaborn as sns

    if side > LARGEST_LATTICE:
        rows, columns = sheet.shape
        extent = (0, columns, rows, 0)
        ax.imshow(np.ma.masked_invalid(sheet), vmin=-1, vmax=1, cmap="gray_r", extent=extent)
        return
    look = dict(vmin=-1, vmax=1, cmap="gray_r", cbar=False, square=True, linewidths=0.25, linecolor=GAP)
    sns.heatmap(sheet, mask=np.isnan(sheet), xticklabels=False, yticklabels=False, ax=ax, **look)


def smooth(values: Sequence[float], window: int) -> np.ndarray:
    """Return the running mean.

    Args:
        values: any numbers, at least one.
        window: how many to average, at least 1.

    Returns:
        The means, shorter than `values` by window - 1.

    Example:
        >>> smooth([1, 2, 3, 4], 2).tolist()
        [1.5, 2.5, 3.5]
    """
    numbers = np.asarray(values, dtype=float)
    window = max(1, min(window, len(numbers)))
    return np.convolve(numbers, np.ones(window) / window, mode="valid")


def plot_loss(
    history: Sequence[float],
    ax: plt.Axes | None = None,
    window: int = 50,
    label: str = "loss",
    limits: tuple[float, float] | None = None,
) -> plt.Axes:
    """Plot the loss of every step, and its running mean, each mean at the middle of its window.

    Args:
        history: the losses.
        ax: where to draw. None makes a new figure.
        window: how many losses to average.
        label: the mean's name in a legend.
        limits: the ends of the vertical axis for a loss that is right. A wrong one that ends outside is shown, too.

    Returns:
        The axes.
    """
    ax = ax or plt.subplots(figsize=(6, 3))[1]
    running = smooth(history, window)
    if limits:
        (low, high), end = limits, running[-1]
        if np.isfinite(end):
            low, high = min(low, end - 0.2 * abs(end)), max(high, end + 0.2 * abs(end))
        ax.set_ylim(low, high)
    ax.plot(history, color=SKY, alpha=0.35, linewidth=0.8)
    ax.plot(np.arange(len(running)) + (len(history) - len(running)) / 2, running, color=BLUE, label=label)
    ax.set_xlabel("training step")
    ax.set_ylabel("loss")
    return ax


FAR = 5  # scales that differ by a larger factor are joined by dots: nothing was measured between them


def draw_sweep(sweep: dict) -> plt.Figure:
    """Draw accuracy, Fréchet distance, precision and recall by guidance scale.

    The bands are standard errors over seeds. A dotted line leads to a scale far beyond the others.

    Args:
        sweep: `sweep["by scale"][w]` holds a list for each metric, with one number for each seed; `sweep["floor"]` is
            the distance of real images.

    Returns:
        The figure.
    """
    import seaborn as sns

    scales = sorted(sweep["by scale"], key=float)
    w = [float(s) for s in scales]

    def draw_curve(ax: plt.Axes, metric: str, color: str, marker: str, **label) -> None:
        values = [sweep["by scale"][s][metric] for s in scales]
        near = len(w) - 1 if min(w) > 0 and w[-1] > FAR * w[-2] else len(w)  # the points that a line joins
        place = [v for v, seeds in zip(w[:near], values) for _ in seeds]
        look: dict[str, Any] = dict(color=color, marker=marker, markeredgewidth=0)
        band = {"linewidth": 0, "alpha": 0.25}
        sns.lineplot(x=place, y=np.concatenate(values[:near]), errorbar="se", ax=ax, err_kws=band, **look, **label)
        ax.plot(w[near - 1 :], [np.mean(seeds) for seeds in values[near - 1 :]], ":", linewidth=1, **look)
        ax.set_ylabel("")

    fig, axes = plt.subplots(1, 3, figsize=(11, 3.3))
    draw_curve(axes[0], "accuracy", BLUE, "o")
    axes[0].set(title="Conditional accuracy", ylim=(0, 1.03))
    draw_curve(axes[1], "distance", ORANGE, "s")
    axes[1].set(title="Fréchet distance (log scale)", yscale="log")
    axes[1].yaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1, 2, 5)))
    axes[1].yaxis.set_major_formatter(mpl.ticker.FormatStrFormatter("%g"))
    axes[1].axhline(sweep["floor"], color=GREY, linestyle="--", linewidth=1.2)
    above = dict(xytext=(0, 3), textcoords="offset points", ha="right", va="bottom")
    axes[1].annotate("real images ", (w[-1], sweep["floor"]), color=GREY, fontsize=9, **above)
    for metric, color, marker in (("precision", GREEN, "^"), ("recall", PINK, "v")):
        draw_curve(axes[2], metric, color, marker, label=metric)
    axes[2].set(title="Precision and recall", ylim=(0, 1.03))
    axes[2].legend()
    for ax in axes:
        if min(w) > 0:
            ax.set_xscale("log")
        ax.set_xticks([v for v in (0.5, 1, 2, 3, 5, 10, 100) if min(w) <= v <= max(w)] if min(w) > 0 else w)
        ax.set_xticklabels([f"{v:g}" for v in ax.get_xticks()])
        ax.minorticks_off()
        ax.set_xlabel("guidance scale w")
    describe(
        "Three panels against the guidance scale w: the accuracy, the Fréchet distance on a logarithmic scale with "
        "a dashed line for real images, and precision and recall."
    )
    return fig


def print_leaderboard(board: dict[str, dict[int, float]], floor: float, images: int) -> None:
    """Print the Fréchet distance of each sampler by its number of calls, the best sampler first.

    The score is the mean of log2(distance / floor) over the numbers of calls; lower is better.

    Args:
        board: the distance by sampler and by number of calls, positive.
        floor: the distance of real images, positive.
        images: the number of images behind each distance.

    Example:
        >>> print_leaderboard({"euler": {2: 8.0, 4: 4.0}, "heun": {2: 4.0, 4: 2.0}}, floor=2.0, images=500)
        Fréchet distance of 500 images; as many real ones: 2.00
        sampler       2 calls  4 calls    score
        heun             4.00     2.00     0.50
        euler            8.00     4.00     1.50
    """
    from utils.few_steps import few_step_score  # here, because it imports the images, which labs 1 and 2 do not use

    calls = sorted(next(iter(board.values())))
    print(f"Fréchet distance of {images:,} images; as many real ones: {floor:.2f}")
    print("sampler".ljust(12) + "".join(f"{c:>3} call{'s' if c > 1 else ' '}" for c in calls) + "    score")
    scores = {name: few_step_score(row, floor) for name, row in board.items()}
    for name in sorted(board, key=scores.__getitem__):
        print(name.ljust(12) + "".join(f"{board[name][c]:>9.2f}" for c in calls) + f"{scores[name]:>9.2f}")
