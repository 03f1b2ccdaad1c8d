"""The figures of lab 2 that show the student's own functions; those of its experiments are in `utils.experiments`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor

from utils.alternative_text import describe
from utils.atoms import CENTRES, SIGMA_D, SIGMA_MIN, NoiseSchedule, TwoAtoms, states_on_a_grid
from utils.experiments.analysis import stored_results
from utils.experiments.figures import draw_field
from utils.plotting import plot_loss
from utils.runtime import seed_everything
from utils.style import BLUE, GREEN, GREY, ORANGE, RED, SKY, bare

Function = Callable[..., Tensor]  # one of the student's answers
SHOWN_SIGMAS = (0.2, 0.1, 0.02)


def add_colour_bar(fig: plt.Figure, arrows, axes, label: str) -> None:
    """Add a colour bar for the size of arrows that `draw_field` drew.

    Args:
        fig: the figure.
        arrows: what `draw_field` returned.
        axes: the axes beside which it is drawn.
        label: its label.
    """
    bar = fig.colorbar(arrows, ax=axes, shrink=0.75, ticks=[-1, 0, 1], extend="both")
    bar.set_ticklabels(["0.1", "1", "10"])
    bar.set_label(label)


def draw_opening() -> None:
    """Draw what lab 2 builds, from stored results: the exact field, a learned one, and generated states."""
    stored = stored_results()
    _, axes = plt.subplots(1, 3, figsize=(11.5, 3.6), sharex=True, sharey=True)
    for ax, name, title in (
        (axes[0], "analytical", "the exact score at t = 0.4"),
        (axes[1], "no_regularizer", "a network's score at t = 0.4"),
    ):
        draw_field(ax, stored[name]["snapshot"], None, title)
    axes[2].scatter(*stored["no_regularizer"]["walk"][-1].T, s=4, color=BLUE, alpha=0.5, linewidths=0)
    axes[2].plot(CENTRES, CENTRES[::-1], "x", color=RED, markersize=8, label="the data")
    axes[2].plot(CENTRES[::-1], CENTRES, "x", color=RED, markersize=8)
    axes[2].set(title="states that the network generates", aspect="equal", xlabel="atom 1")
    axes[2].title.set_fontsize(10)
    axes[2].grid(False)
    for ax in axes:
        ax.label_outer()
    describe(
        "Arrow fields on the square of two atoms: the exact score, and a trained network's, whose arrows are "
        "weaker. Right, states that the network generates: most lie at the two places of the data, some far away."
    )
    plt.show()


def draw_data() -> None:
    """Draw the data, on the ring and on the square."""
    torch.manual_seed(0)
    x, _ = TwoAtoms().sample(300)
    _, (ring, square) = plt.subplots(1, 2, figsize=(8, 3.6))
    turn = 2 * math.pi * torch.linspace(0, 1, 200)
    ring.plot(turn.cos(), turn.sin(), color="#BBBBBB", zorder=0)
    for atom, color in ((0, BLUE), (1, ORANGE)):
        angle, centre = 2 * math.pi * x[:40, atom], 2 * math.pi * CENTRES[atom]
        ring.scatter(angle.cos(), angle.sin(), s=60, color=color, alpha=0.15, linewidths=0)
        look = dict(s=200, color=color, edgecolor="black", label=f"atom {atom + 1}")
        ring.scatter(math.cos(centre), math.sin(centre), **look)
    for place in (0, 0.25, 0.5, 0.75):
        east, north = 1.22 * math.cos(2 * math.pi * place), 1.22 * math.sin(2 * math.pi * place)
        ring.text(east, north, f"{place:g}", ha="center", va="center", fontsize=9)
    ring.set(xlim=(-1.5, 1.5), ylim=(-1.4, 1.4), aspect="equal")
    ring.legend(loc="center", fontsize=9)
    bare(ring)
    square.scatter(*x.T, s=8, color=BLUE, alpha=0.5, linewidths=0, label="data")
    square.scatter(*x.flip(1).T, s=8, color=GREY, alpha=0.3, linewidths=0, label="the same, atoms swapped")
    square.set(xlim=(0, 1), ylim=(0, 1), xlabel="atom 1", ylabel="atom 2", aspect="equal")
    square.grid(False)
    square.legend(loc="upper right", fontsize=8)
    describe(
        "Left, the two atoms on the ring, at 0.25 and 0.75. Right, the same states as points of the square, one "
        "cloud for each order of the atoms."
    )
    plt.show()


def draw_my_field(analytic_score: Function, states: int) -> None:
    """Draw the student's score at three noise levels, over the density counted from noisy states.

    Args:
        analytic_score: the answer to 2.1.
        states: how many noisy states are counted.
    """
    from scipy.ndimage import gaussian_filter

    seed_everything(0)
    x = states_on_a_grid(22)
    fig, axes = plt.subplots(1, 3, figsize=(12, 3.8), sharey=True)
    for ax, sigma in zip(axes, SHOWN_SIGMAS):
        width = math.hypot(sigma, SIGMA_D)
        noisy = torch.tensor(CENTRES) + width * torch.randn(states, 2)
        noisy = torch.cat([noisy, noisy.flip(1)]) % 1
        count = torch.histogramdd(noisy, [50, 50], range=[0.0, 1.0, 0.0, 1.0]).hist / len(noisy) * 2500
        density = torch.tensor(gaussian_filter(count.numpy(), 7 * width, mode="wrap"))
        arrows = width * analytic_score(x, torch.full((len(x), 1), sigma), SIGMA_D)
        picture = draw_field(ax, arrows, density, f"σ = {sigma:g}")
        ax.label_outer()
    add_colour_bar(fig, picture, axes, "size of S · score (log scale)")
    describe("The score as arrows over the density of the noisy states, at three noise levels, coloured by size.")
    plt.show()


def draw_noised(schedule: NoiseSchedule) -> None:
    """Draw noisy states at five times, in grey the same with the atoms swapped, and circles around the holes.

    Args:
        schedule: the answer to 2.2.
    """
    x0, _ = TwoAtoms().sample(4000)
    _, axes = plt.subplots(1, 5, figsize=(11, 2.6), sharey=True)
    for ax, t in zip(axes, (0.0, 0.4, 0.7, 0.9, 1.0)):
        x = schedule.add_noise(x0, torch.full((len(x0), 1), t), torch.randn_like(x0))
        ax.scatter(*x.flip(1).T, s=2, color=GREY, alpha=0.25, linewidths=0, rasterized=True, label="swapped")
        ax.scatter(*x.T, s=2, color=BLUE, alpha=0.35, linewidths=0, rasterized=True, label="your data")
        ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="atom 1", xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
        ax.set_title(f"t = {t:g}, σ = {float(schedule.sigma(torch.tensor([[t]]))):.3f}", fontsize=9)
        ax.grid(False)
    for place in CENTRES:  # rarely reached: one atom must move half-way around the ring
        axes[-1].add_patch(plt.Circle((place, place), 0.12, fill=False, linestyle="--", color="#222222"))
    axes[0].legend(fontsize=8, loc="lower left", markerscale=4)
    axes[0].set_ylabel("atom 2")
    describe("Noisy states on the square at five times, and in grey the same with the atoms swapped.")
    plt.show()


def draw_training(history: Sequence[float], floor: float) -> None:
    """Draw the loss of score matching, and the loss of the exact score.

    Args:
        history: the losses.
        floor: the loss of the exact score.
    """
    ax = plot_loss(history, label="your loss, running mean", limits=(0.3, 1.1))
    ax.axhline(floor, color=ORANGE, linestyle="--", label=f"the exact score: {floor:.3f}")
    ax.set_title("Score matching")
    ax.legend()
    describe(
        "The loss of score matching against the training step, with its running mean, and a dashed line for the "
        "loss of the exact score."
    )
    plt.show()


def draw_walk(walk: Tensor) -> None:
    """Draw one walk from noise to data: on the ring, and as place against time.

    Args:
        walk: the states on the way, from t = 1 to t = 0, shape (times, n, 2). The ring shows the first one.
    """
    times = np.linspace(1, 0, len(walk))
    _, (ring, line) = plt.subplots(1, 2, figsize=(9, 3.8), width_ratios=(1, 1.4))
    turn = 2 * math.pi * np.linspace(0, 1, 200)
    for size in (0.35, 1.0):
        ring.plot(size * np.cos(turn), size * np.sin(turn), color="#CCCCC8", linewidth=1, zorder=0)
    for atom, color in ((0, BLUE), (1, ORANGE)):
        angle, radius = 2 * math.pi * walk[:, 0, atom].numpy(), 1 - 0.65 * times
        look = dict(color=color, marker="o", markersize=3, linewidth=1)
        ring.plot(radius * np.cos(angle), radius * np.sin(angle), **look, label=f"atom {atom + 1}")
        for i in range(walk.shape[1]):
            places = walk[:, i, atom].numpy().copy()
            jumps = np.flatnonzero(np.abs(np.diff(places)) > 0.5) + 1  # around the ring: no line across the picture
            broken = np.insert(places, jumps, np.nan)
            clock = np.insert(times, jumps, np.nan)
            line.plot(broken, clock, color=color, linewidth=1.6 if i == 0 else 0.7, alpha=1 if i == 0 else 0.5)
    ring.text(0, 0, "t = 1", ha="center", va="center", fontsize=8)
    ring.set(aspect="equal", title="one walk: outwards is later, the outer ring is t = 0")
    ring.title.set_fontsize(9)
    ring.legend(loc="upper right", bbox_to_anchor=(1.15, 1), fontsize=8)
    bare(ring)
    line.set(xlim=(0, 1), xticks=[0, 0.25, 0.5, 0.75, 1], xlabel="place of an atom", ylabel="time t", ylim=(0, 1))
    line.set_title(f"{walk.shape[1]} walks, from noise (top) to data (bottom)", fontsize=9)
    line.grid(False)
    describe(
        "Left, one walk of two atoms on the ring from noise in the middle to data at the edge. Right, the places "
        "of the atoms of several walks against time, from t = 1 to t = 0."
    )
    plt.show()


def draw_radii_by_steps(radii: dict[int, Tensor]) -> None:
    """Draw the distance of generated states to the crystal, for several numbers of steps, beside the exact density.

    Args:
        radii: the distances by number of steps.
    """
    import seaborn as sns

    w, r = math.hypot(SIGMA_D, SIGMA_MIN), np.linspace(0, 0.05, 200)
    _, axes = plt.subplots(1, len(radii), figsize=(10, 2.8), sharey=True)
    for ax, (steps, found) in zip(axes, radii.items()):
        look = dict(stat="density", bins=40, binrange=(0, 0.05), color=SKY, linewidth=0, alpha=1, ax=ax)
        sns.histplot(x=found.numpy(), label="your samples", **look)
        ax.plot(r, r / w**2 * np.exp(-(r**2) / (2 * w**2)), color="#222222", label="Rayleigh distribution")
        ax.set_title(f"{steps} steps: mean {found.mean():.4f} (exact {w * math.sqrt(math.pi / 2):.4f})", fontsize=10)
        ax.set(xlabel="distance to the nearer peak", ylabel="", yticks=[])
    axes[0].legend(fontsize=8, loc="center right")
    describe(
        "Histograms of the distance of generated states to the nearer peak for three numbers of steps, with the exact "
        "density drawn over them."
    )
    plt.show()


def uniform_distance(sigma: float, sigma_d: float = SIGMA_D, bins: int = 400) -> float:
    """Return the exact total variation between the noisy states of both orders and uniform states.

    It sums the Fourier series of the wrapped Gaussian, which converges fast where the noise is wide.

    Args:
        sigma: the standard deviation of the noise, at least 0.1.
        sigma_d: that of the data.
        bins: the side of the grid on which the densities are compared.

    Returns:
        A number in [0, 1].

    Example:
        >>> [round(uniform_distance(sigma), 4) for sigma in (0.2, 0.3)]
        [0.1726, 0.0232]
    """
    side = (torch.arange(bins, dtype=torch.float64) + 0.5) / bins
    k = torch.arange(1, 40, dtype=torch.float64)
    shrink = torch.exp(-2 * math.pi**2 * (sigma**2 + sigma_d**2) * k**2)
    one, other = (1 + 2 * (shrink * torch.cos(2 * math.pi * k * (side[:, None] - c))).sum(1) for c in CENTRES)
    density = (one[:, None] * other + other[:, None] * one) / 2
    return float((density - 1).abs().mean() / 2)


def draw_start(curves: dict[float, Sequence[float]], chance: Sequence[float]) -> None:
    """Draw how far walks are from the forward process, by time, beside the exact distance at their start.

    Args:
        curves: for each sigma_max, the distances at equally spaced times from 1 to 0, counted.
        chance: the distances between two samples of the same distribution.
    """
    _, ax = plt.subplots(figsize=(7.5, 3.4))
    t = np.linspace(1, 0, len(chance))
    for (sigma_max, curve), color, marker in zip(curves.items(), (BLUE, ORANGE, GREEN), "osv"):
        exact = uniform_distance(sigma_max)
        shown = np.format_float_positional(exact, precision=2, fractional=False)
        ax.plot(t, curve, marker=marker, color=color, label=f"σ_max = {sigma_max:g} (exact start {shown})")
        ax.plot([1.02], [exact], marker="<", markersize=9, color=color, clip_on=False)
    ax.plot(t, chance, "--", color=GREY, label="by chance, at σ_max = 0.5")
    hump = max(curve[1] for curve in curves.values())
    ax.annotate(
        "the sampler's error", (0.79, hump), (0.7, hump), va="center", arrowprops=dict(arrowstyle="->"), fontsize=9
    )
    ax.set(xlabel="time t (walks go from 1, left, to 0)", ylabel="total variation", xlim=(1.03, -0.03), ylim=(0, None))
    ax.set_title("Walks against the forward process; the triangles are exact")
    ax.legend(fontsize=8)
    describe(
        "The total variation between walks and the forward process against time for three sizes of the largest "
        "noise, with triangles for the exact distance at the start and a dashed line for what chance gives. The hump "
        "after the start is the sampler's error."
    )
    plt.show()
