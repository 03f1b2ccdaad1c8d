"""One look for all figures: a light, opaque background (legible in dark themes too), colours that colour-blind readers
can tell apart (Okabe and Ito, 2008), and helpers for grids of images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import matplotlib.ticker
import numpy as np
import seaborn as sns
import torch
from torch import Tensor

BLUE, ORANGE, GREEN, PINK, SKY, RED, YELLOW, GREY = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#6B6B6B",
)  # fmt: skip
PALETTE = [BLUE, ORANGE, GREEN, PINK, SKY, RED, GREY]
PAPER = "#FAFAF7"
GAP = "#D9D9D3"  # between pictures
LARGEST_LATTICE = 12  # up to this side, a picture is drawn as a heat map with lines between its sites


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
    """One row of images (columns, 1, h, w) for each name, with names at the left and above."""
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
    return fig


def draw_sheet(ax: plt.Axes, sheet: np.ndarray, side: int) -> None:
    """x"""
    if side > LARGEST_LATTICE:
        rows, columns = sheet.shape
        look = dict(vmin=-1, vmax=1, cmap="gray_r", extent=(0, columns, rows, 0))
        ax.imshow(np.ma.masked_invalid(sheet), **look)
        return
    look = dict(vmin=-1, vmax=1, cmap="gray_r", cbar=False, square=True, linewidths=0.25, linecolor=GAP)
    sns.heatmap(sheet, mask=np.isnan(sheet), xticklabels=False, yticklabels=False, ax=ax, **look)


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
        large = grey.resize((grey.width * zoom, grey.height * zoom), Image.Resampling.NEAREST)
        pictures.append(large.quantize(16, dither=Image.Dither.NONE))  # 16 greys: a quarter of the size
    duration = [int(1000 * seconds / len(pictures))] * (len(pictures) - 1) + [1500]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=duration, loop=0, optimize=True)
    return Path(path)


def show_gif(frames: Tensor, columns: int, seconds: float = 3.0):
    """An animation (time, n, 1, h, w) as the output of a cell, embedded in the notebook."""
    import tempfile

    from IPython.display import Image

    with tempfile.TemporaryDirectory() as folder:
        return Image(
            data=save_gif(list(frames), Path(folder) / "film.gif", columns, seconds).read_bytes(), format="gif"
        )


def draw_unet() -> plt.Figure:
    """The course's U-Net as a diagram: levels from fine to coarse, skips, and where time and label enter."""
    fig, ax = plt.subplots(figsize=(9.5, 4.2))
    levels = [("32 channels\n32×32", 1.7), ("64 channels\n16×16", 1.15), ("128 channels\n8×8", 0.7)]
    spots = [(1.6, 3.2), (3.2, 1.8), (5.0, 0.4), (6.8, 1.8), (8.4, 3.2)]
    for (x, y), level, color in zip(spots, (0, 1, 2, 1, 0), (BLUE, BLUE, GREEN, ORANGE, ORANGE)):
        label, height = levels[level]
        ax.add_patch(plt.Rectangle((x - 0.55, y - height / 2), 1.1, height, color=color, alpha=0.85, zorder=2))
        ink = "#222222" if color == ORANGE else "white"
        ax.text(x, y, label, ha="center", va="center", color=ink, fontsize=8.5, fontweight="bold", zorder=3)
    arrow = dict(arrowstyle="-|>", color="#333333", linewidth=1.4, shrinkA=0, shrinkB=0)

    def connect(a, b, text="", at=(0.0, 0.0)):
        ax.annotate("", xy=b, xytext=a, arrowprops=arrow)
        ax.text((a[0] + b[0]) / 2 + at[0], (a[1] + b[1]) / 2 + at[1], text, fontsize=8.5, ha="center", va="center")

    connect((0.1, 3.2), (1.05, 3.2), "x\n(1, 32, 32)", (-0.05, 0.42))
    connect((8.95, 3.2), (9.9, 3.2), "velocity\n(1, 32, 32)", (0.1, 0.42))
    connect((1.9, 2.35), (2.75, 1.95), "halve", (-0.3, -0.12))
    connect((3.6, 1.22), (4.45, 0.55), "halve", (-0.25, -0.15))
    connect((5.55, 0.55), (6.4, 1.22), "double", (0.32, -0.15))
    connect((7.25, 1.95), (8.1, 2.35), "double", (0.35, -0.12))
    for left, right, y in ((1.6, 8.4, 3.5), (3.2, 6.8, 1.8)):
        ax.annotate(
            "", xy=(right - 0.55, y), xytext=(left + 0.55, y), arrowprops=dict(arrow, linestyle=(0, (4, 2)), color=GREY)
        )
        ax.text((left + right) / 2, y + 0.14, "skip: added", fontsize=8.5, ha="center", color=GREY)
    ax.text(5.0, 2.75, "time features (40) and label embedding (40)\nenter every residual layer: one number a channel",
            ha="center", va="center", fontsize=8.5, bbox=dict(boxstyle="round,pad=0.5", facecolor="white", edgecolor=PINK))  # fmt: skip
    ax.text(1.6, 0.35, "down: what is it?", ha="center", color=BLUE, fontsize=9)
    ax.text(8.5, 0.35, "up: where is it?", ha="center", color="#9A6700", fontsize=9)
    ax.set_xlim(-0.2, 10.2)
    ax.set_ylim(-0.1, 4.2)
    bare(ax)
    return fig


def draw_sweep(sweep: dict) -> plt.Figure:
    """x"""
    scales = sorted(sweep["by scale"], key=float)
    w = [float(s) for s in scales]

    def draw_curve(ax: plt.Axes, metric: str, color: str, marker: str, **label) -> None:
        values = [sweep["by scale"][s][metric] for s in scales]
        place = [v for v, seeds in zip(w, values) for _ in seeds]
        look = dict(color=color, marker=marker, markeredgewidth=0, err_kws={"linewidth": 0, "alpha": 0.25})
        sns.lineplot(x=place, y=np.concatenate(values), errorbar="se", ax=ax, **look, **label)
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
        ax.set_xticks([v for v in (0.5, 1, 2, 5, 10, 100) if min(w) <= v <= max(w)] if min(w) > 0 else w)
        ax.set_xticklabels([f"{v:g}" for v in ax.get_xticks()])
        ax.minorticks_off()
        ax.set_xlabel("guidance scale w")
    return fig


def print_leaderboard(board: dict[str, dict[int, float]], floor: float, images: int) -> None:
    """Fréchet distance by number of calls, and the mean of log2(distance / floor): lower is better."""
    calls = sorted(next(iter(board.values())))
    print(f"Fréchet distance of {images:,} images; as many real ones: {floor:.2f}")
    print("sampler".ljust(12) + "".join(f"{c:>3} call{'s' if c > 1 else ' '}" for c in calls) + "    score")
    scores = {name: float(np.mean([np.log2(row[c] / floor) for c in calls])) for name, row in board.items()}
    for name in sorted(board, key=scores.get):
        print(name.ljust(12) + "".join(f"{board[name][c]:>9.2f}" for c in calls) + f"{scores[name]:>9.2f}")


def letter_colors(letters: int):
    """A colour map for letters 0, 1, …, one flat colour each."""
    return mpl.colors.ListedColormap(sns.color_palette(PALETTE, letters))  # repeats when there are more letters


def draw_rosetta() -> plt.Figure:
    """The four noising processes of the course side by side: the law of a ±1 spin, or of a letter, through time."""
    from scipy import stats

    from utils import vp

    fig, axes = plt.subplots(1, 4, figsize=(12, 3))
    t = torch.linspace(0, 1, 120, dtype=torch.float64)
    x = np.linspace(-2.6, 2.6, 160)

    def spins(ax, mean, spread, title, label):
        law = sum(stats.norm.pdf(x[:, None], s * mean.numpy(), np.maximum(spread.numpy(), 0.04)) for s in (-1, 1)) / 2
        ax.imshow(law**0.5, origin="lower", extent=(0, 1, x[0], x[-1]), aspect="auto", cmap="Blues", vmax=1.3)
        ax.set(title=title, xlabel=label, yticks=[-1, 1])

    spins(axes[0], vp.a(t), vp.sigma(t), "variance preserving\nlabs 1 and 3", "t, data → noise")
    spins(axes[2], t, 1 - t, "flow, straight path\nlab 4", "t, noise → data")
    ring, widths = np.linspace(0, 1, 160), 0.001 * 200 ** t.numpy()
    law = (
        sum(stats.norm.pdf(ring[:, None], c + k, np.maximum(widths, 0.012)) for c in (0.25, 0.75) for k in (-1, 0, 1))
        / 2
    )
    axes[1].imshow(law**0.5, origin="lower", extent=(0, 1, 0, 1), aspect="auto", cmap="Blues", vmax=4)
    axes[1].set(title="variance exploding, ring\nlab 2", xlabel="t, data → noise", yticks=[0.25, 0.75])
    alpha, at = np.linspace(1, 12, 120), np.linspace(0.004, 0.996, 160)
    # two letters: Dir(alpha, 1) and Dir(1, alpha)
    law = sum(stats.beta.pdf(v[:, None], alpha, 1) for v in (at, 1 - at)) / 2
    axes[3].imshow(law**0.5, origin="lower", extent=(1, 12, 0, 1), aspect="auto", cmap="Blues", vmax=2)
    axes[3].set(title="Dirichlet, simplex\nbeyond lab 1", xlabel="α, noise → data", yticks=[0, 1])
    for ax in axes:
        ax.grid(False)
    return fig
