"""One look for all figures: a light, opaque background (legible in dark themes too), colours that colour-blind readers
can tell apart (Okabe and Ito, 2008), and helpers for grids of images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor

BLUE, ORANGE, GREEN, PINK, SKY, RED, YELLOW, GREY = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#6B6B6B",
)  # fmt: skip
PALETTE = [BLUE, ORANGE, GREEN, PINK, SKY, RED, GREY]
PAPER = "#FAFAF7"


def use_style() -> None:
    """Set matplotlib's defaults for this session."""
    mpl.rcParams.update(
        {
            "figure.facecolor": PAPER, "axes.facecolor": PAPER, "savefig.facecolor": PAPER, "figure.dpi": 100,
            "axes.prop_cycle": mpl.cycler(color=PALETTE), "axes.spines.top": False, "axes.spines.right": False,
            "axes.edgecolor": "#444444", "axes.labelcolor": "#222222", "text.color": "#222222", "axes.titlesize": 11,
            "axes.titlelocation": "left", "axes.labelsize": 10, "xtick.labelsize": 9, "ytick.labelsize": 9,
            "xtick.color": "#444444", "ytick.color": "#444444", "axes.grid": True, "axes.grid.axis": "y",
            "grid.color": "#DDDDDD", "grid.linewidth": 0.7, "axes.axisbelow": True, "legend.frameon": False,
            "legend.fontsize": 9, "lines.linewidth": 1.8, "lines.markersize": 5, "image.cmap": "gray_r",
            "image.interpolation": "nearest", "font.size": 10, "figure.constrained_layout.use": True,
        }
    )  # fmt: skip


def tile(images: Tensor, columns: int, gap: int = 2) -> np.ndarray:
    """(n, 1, h, w) in [-1, 1] as one picture with `columns` a row, float in [-1, 1]; values outside are cut off."""
    images = images.detach().float().cpu().clamp(-1, 1)[:, 0]
    n, h, w = images.shape
    rows = -(-n // columns)
    sheet = torch.full((rows * (h + gap) - gap, columns * (w + gap) - gap), float("nan"))
    for i, picture in enumerate(images):
        top, left = (i // columns) * (h + gap), (i % columns) * (w + gap)
        sheet[top : top + h, left : left + w] = picture
    return sheet.numpy()


def show_images(images: Tensor, columns: int = 10, ax: plt.Axes | None = None, title: str = "") -> plt.Axes:
    """A grid of images (n, 1, h, w) with values in [-1, 1], dark ink on light paper."""
    sheet = tile(images, columns)
    if ax is None:
        _, ax = plt.subplots(figsize=(0.6 * columns, 0.6 * sheet.shape[0] / sheet.shape[1] * columns + 0.3))
    ax.imshow(np.ma.masked_invalid(sheet), vmin=-1, vmax=1, cmap="gray_r")
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
    """One row of images (columns, 1, h, w) for each name, with names at the left and above."""
    columns, (h, w) = len(rows[0]), rows[0].shape[-2:]
    sheet = tile(torch.cat(list(rows)), columns)
    fig, ax = plt.subplots(figsize=(scale * columns + 0.9, scale * len(rows) + (0.6 if title or column_names else 0.2)))
    ax.imshow(np.ma.masked_invalid(sheet), vmin=-1, vmax=1, cmap="gray_r")
    bare(ax)
    ax.set_yticks([i * (h + 2) + h / 2 for i in range(len(rows))], row_names)
    if column_names:
        ax.set_xticks([i * (w + 2) + w / 2 for i in range(columns)], column_names)
        ax.xaxis.tick_top()
    ax.set_title(title)
    return fig


def bare(ax: plt.Axes) -> None:
    """No frame, no ticks, no grid."""
    ax.grid(False)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)


def smooth(values: Sequence[float], window: int) -> np.ndarray:
    """Running mean; shorter than `values` by window - 1."""
    values = np.asarray(values, dtype=float)
    window = max(1, min(window, len(values)))
    return np.convolve(values, np.ones(window) / window, mode="valid")


def plot_loss(history: Sequence[float], ax: plt.Axes | None = None, window: int = 50, label: str = "loss") -> plt.Axes:
    """The loss a step, faint, and its running mean."""
    ax = ax or plt.subplots(figsize=(6, 3))[1]
    running = smooth(history, window)
    ax.plot(history, color=SKY, alpha=0.35, linewidth=0.8)
    ax.plot(np.arange(len(running)) + len(history) - len(running), running, color=BLUE, label=label)
    ax.set_xlabel("training step")
    ax.set_ylabel("loss")
    return ax


def save_gif(frames: Sequence[Tensor], path: str | Path, columns: int, seconds: float = 3.0, zoom: int = 2) -> Path:
    """Grids of images, one (n, 1, h, w) a frame, as an animated GIF that rests on its last frame."""
    from PIL import Image

    pictures = []
    for frame in frames:
        sheet = np.nan_to_num(tile(frame, columns), nan=-1.0)
        grey = Image.fromarray((250 - (sheet + 1) / 2 * 235).astype(np.uint8))
        pictures.append(grey.resize((grey.width * zoom, grey.height * zoom), Image.Resampling.NEAREST))
    duration = [int(1000 * seconds / len(pictures))] * (len(pictures) - 1) + [1500]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=duration, loop=0, optimize=True)
    return Path(path)
