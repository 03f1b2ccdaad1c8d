"""Draw the picture that messengers and social networks show beside a link to the site: `python -m docs.site.preview`.

Ten digits form from noise, from left to right, drawn by lab 4's checkpoint and its model answers at w = 3.
"""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import matplotlib.pyplot as plt
import torch

from autograder.validation.kill_matrix import solved_lab
from docs.site.live.export import NULL, checkpoint
from utils.plotting import tile
from utils.style import GREY, PAPER, bare

TARGET = Path(__file__).parent / "static" / "preview.png"
DIGITS, STEPS = (3, 8, 0), 20
SHOWN = (0, 6, 9, 11, 13, 15, 17, 20)  # the steps of the walk; eight pictures fill the width
SIZE = (12.0, 6.3)  # at 100 dots per inch: 1200 × 630 pixels, which all networks show in full


@torch.no_grad()
def walks() -> torch.Tensor:
    """Return the states on the way from noise to the digits, shape (digits, times, 1, 32, 32)."""
    names = solved_lab("lab4").namespace
    noise = torch.randn(10, 1, 32, 32, generator=torch.Generator().manual_seed(7))[list(DIGITS)]
    simulator = names["EulerSimulator"](names["CFGVectorFieldODE"](checkpoint(), 3.0, NULL))
    times, y = torch.linspace(0, 1, STEPS + 1), torch.tensor(DIGITS)
    with contextlib.redirect_stdout(io.StringIO()):
        return simulator.simulate_with_trajectory(noise, times, y=y)[:, list(SHOWN)]


def main() -> None:
    """Write the picture."""
    fig = plt.figure(figsize=SIZE, dpi=100, facecolor=PAPER, layout="none")
    ax = fig.add_axes((0.05, 0.27, 0.9, 0.67), facecolor=PAPER)
    sheet = tile(walks().flatten(0, 1), columns=len(SHOWN), gap=3)
    ax.set_anchor("W")
    ax.imshow(sheet, cmap="gray_r", vmin=-1, vmax=1, interpolation="nearest")
    bare(ax)
    fig.text(0.05, 0.13, "Guidance Labs", fontsize=40, fontweight="bold", color="#222222")
    fig.text(
        0.05, 0.06, "Write guided diffusion yourself, in notebooks that name your mistakes", fontsize=20, color=GREY
    )
    fig.savefig(TARGET, facecolor=PAPER)
    print(TARGET)


if __name__ == "__main__":
    main()
