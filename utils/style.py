"""One look for all figures: colours, matplotlib's defaults, and axes without a frame.

The colours are those of Okabe and Ito (2008), which colour-blind readers can tell apart. The background is light and
opaque, so that figures are legible in dark themes too.
"""

from __future__ import annotations

import itertools

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.rcsetup import cycler
from torch import Tensor

from utils.alternative_text import store_descriptions

BLUE, ORANGE, GREEN, PINK, SKY, RED, YELLOW, GREY = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#6B6B6B",
)  # fmt: skip
PALETTE = [BLUE, ORANGE, GREEN, PINK, SKY, RED, GREY]
PAPER = "#FAFAF7"
GAP = "#D9D9D3"  # between pictures


def use_style() -> None:
    """Set matplotlib's defaults for this session, and let figures carry their descriptions."""
    store_descriptions()
    mpl.rcParams.update(
        {
            "figure.facecolor": PAPER, "axes.facecolor": PAPER, "savefig.facecolor": PAPER, "figure.dpi": 100,
            "axes.prop_cycle": cycler(color=PALETTE), "axes.spines.top": False, "axes.spines.right": False,
            "axes.edgecolor": "#444444", "axes.labelcolor": "#222222", "text.color": "#222222", "axes.titlesize": 11,
            "axes.titlelocation": "left", "axes.labelsize": 10, "xtick.labelsize": 9, "ytick.labelsize": 9,
            "xtick.color": "#444444", "ytick.color": "#444444", "axes.grid": True, "axes.grid.axis": "y",
            "grid.color": "#DDDDDD", "grid.linewidth": 0.7, "axes.axisbelow": True, "legend.frameon": False,
            "legend.fontsize": 9, "lines.linewidth": 1.8, "lines.markersize": 5, "image.cmap": "gray_r",
            "image.interpolation": "nearest", "font.size": 10, "figure.constrained_layout.use": True,
        }
    )  # fmt: skip


def bare(ax: plt.Axes) -> None:
    """Remove frame, ticks and grid.

    Args:
        ax: the axes to clear.
    """
    ax.grid(False)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)


def letter_colors(letters: int):
    """Return a colour map for letters 0, 1, …, with one flat colour for each.

    Args:
        letters: the number of letters, at least 1.

    Returns:
        A colour map of `letters` colours. With more than seven letters, colours repeat.

    Example:
        >>> letter_colors(4).N
        4
    """
    colors = itertools.islice(itertools.cycle(PALETTE), letters)
    return mpl.colors.ListedColormap(list(colors))


def point(x: Tensor) -> tuple[float, float]:
    """Return a point of the plane as matplotlib's annotations need it.

    Args:
        x: shape (2,).

    Returns:
        Its two coordinates.

    Example:
        >>> point(Tensor([1.0, 2.0]))
        (1.0, 2.0)
    """
    return float(x[0]), float(x[1])
