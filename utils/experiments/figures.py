"""The figures of lab 2's experiments, drawn from measurements."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from torch import Tensor

from utils import plotting
from utils.alternative_text import describe
from utils.atoms import (
    CENTRES,
    distance_to_crystal,
    states_on_a_grid,
)
from utils.experiments.measurements import LINE_TIMES, SNAPSHOT, TIMES, Results

STYLES = {  # name: title, colour, line style, marker
    "analytical": ("exact score", "#222222", "--", ""),
    "no_regularizer": ("plain", plotting.BLUE, "-", "o"),
    "analytical_regression": ("regression (oracle)", plotting.GREEN, "-", "s"),
    "fokker_planck": ("Fokker-Planck", plotting.RED, "-", "^"),
    "consistency": ("consistency", plotting.ORANGE, "-", "v"),
    "consistency_with_analytical_guide": ("consistency, exact guide", plotting.PINK, "-", "D"),
}


ARROWS = mpl.colors.LinearSegmentedColormap.from_list("arrows", mpl.colormaps["plasma_r"](np.linspace(0.12, 1, 64)))


# --- figures


def title_of(name: str) -> str:
    """Return an experiment's title in figures.

    Args:
        name: the experiment's name.

    Returns:
        The title.

    Raises:
        KeyError: there is no such experiment.

    Example:
        >>> title_of("no_regularizer")
        'plain'
    """
    return STYLES[name][0]


def draw_errors(results: Results) -> plt.Figure:
    """Draw the error by time on a logarithmic scale, on a uniform grid and weighted by the density.

    Args:
        results: `uniform` and `weighted` by experiment.

    Returns:
        The figure.
    """
    fig, axes = plt.subplots(1, 2, figsize=(10, 3.6), sharey=True)
    for ax, key, title in (
        (axes[0], "uniform", "anywhere (uniform grid)"),
        (axes[1], "weighted", "where the states are (weighted by the density)"),
    ):
        for name, result in results.items():
            label, color, style, marker = STYLES[name]
            if float(result[key].max()) > 0:
                look = dict(color=color, linestyle=style, marker=marker, markersize=4, markevery=3)
                ax.plot(TIMES, result[key], label=label, **look)
        ax.set_yscale("log")
        ax.set_title(title)
        ax.set_xlabel("time t (data at 0, most noise at 1)")
    axes[0].set_ylabel("error of sigma · score (root mean square)")
    axes[1].legend(fontsize=8)
    describe(
        "The error of the learned score against time for five experiments, on a logarithmic scale. Left, anywhere "
        "on the square; right, where the states are."
    )
    return fig


def draw_line(results: Results, times: Iterable[float] = LINE_TIMES) -> plt.Figure:
    """Draw sigma * score along the line from (0, 1) to (1, 0), learned against exact, at each time.

    Args:
        results: `line` by experiment.
        times: the title of each panel; six times.

    Returns:
        The figure.
    """
    fig, axes = plt.subplots(2, 3, figsize=(10.5, 5.2), sharex=True)
    for i, (t, ax) in enumerate(zip(times, axes.flat)):
        for name, result in results.items():
            label, color, style, marker = STYLES[name]
            u = np.linspace(0, 1, result["line"].shape[1])
            above = 3 if style == "--" else 2  # the exact curve
            look = dict(
                color=color, linestyle=style, linewidth=1.5, marker=marker, markersize=3, markevery=len(u) // 10
            )
            ax.plot(u, result["line"][i], label=label, zorder=above, **look)
        ax.set_title(f"t = {t:g}")
        for centre in CENTRES:
            ax.axvline(centre, color=plotting.GREY, linewidth=0.7, linestyle=":")
    for ax in axes[1]:
        ax.set_xlabel("place along the line from (0, 1) to (1, 0)")
    for ax in axes[:, 0]:
        ax.set_ylabel("sigma · score along the line")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=3)
    describe(
        "The score along a line through both peaks at six times: the exact score, dashed, and a curve for each "
        "experiment."
    )
    return fig


def draw_samples(results: Results) -> plt.Figure:
    """Draw the generated states of each experiment on the square, and mark where the data are.

    Args:
        results: `walk` by experiment.

    Returns:
        The figure.
    """
    fig, axes = plt.subplots(
        1, len(results), figsize=(2.3 * len(results) + 0.6, 2.9), sharex=True, sharey=True, squeeze=False
    )
    for ax, (name, result) in zip(axes[0], results.items()):
        x = result["walk"][-1]
        ax.scatter(*x.T, s=3, color=plotting.BLUE, alpha=0.5, linewidths=0, rasterized=True)
        ax.plot(CENTRES, CENTRES[::-1], "x", color=plotting.RED, markersize=7, markeredgewidth=1.5)
        ax.set_title("\n".join(split_title(title_of(name))), fontsize=9)
        ax.set_aspect("equal")
        ax.set(xlim=(0, 1), ylim=(0, 1), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1], xlabel="atom 1")
        ax.grid(False)
    axes[0, 0].set_ylabel("atom 2")
    describe(
        "The states that each experiment generates, as points of the square, with crosses at the two places of the "
        "data."
    )
    return fig


def split_title(title: str) -> list[str]:
    """Split an experiment's title into two lines.

    Args:
        title: the title.

    Returns:
        Two lines; the second is a space if there is nothing to put there.

    Example:
        >>> split_title("regression (oracle)")
        ['regression', '(oracle)']
    """
    head, _, tail = title.partition(" (")
    head, _, middle = head.partition(", ")
    return [head, (middle + (" (" + tail if tail else "")).strip() or " "]


def draw_marginals(result: Mapping[str, Tensor], title: str = "") -> plt.Figure:
    """Draw where one atom is at five times: the forward process (grey) and the generated states (line).

    Args:
        result: `walk`, `forward` and `walk_times` of one experiment.
        title: the title above.

    Returns:
        The figure.
    """
    import seaborn as sns

    times = result["walk_times"].tolist()
    fig, axes = plt.subplots(1, len(times), figsize=(2.2 * len(times), 2.5))
    for ax, t, walk, forward in zip(axes, times, result["walk"], result["forward"]):
        places, moved = forward.flatten().numpy(), walk.flatten().numpy()
        narrow = bool(np.quantile(np.abs(places % 0.5 - 0.25), 0.99) < 0.06)  # then a bin would hold a whole peak
        if narrow:
            places, moved = places % 0.5, moved % 0.5
        options = dict(stat="density", bins=40, binrange=(0.17, 0.33) if narrow else (0, 1), ax=ax)
        sns.histplot(places, element="step", linewidth=0, color="#C9C9C4", alpha=1, **options)
        sns.histplot(moved, element="step", fill=False, color=plotting.BLUE, linewidth=1.5, **options)
        ax.set_title(f"t = {t:.2f}")
        ax.set(xticks=[0.2, 0.25, 0.3] if narrow else [0, 0.5, 1], yticks=[], ylabel="")
        ax.set_xlabel("place of an atom, mod ½" if narrow else "place of an atom")
    fig.suptitle(title, fontsize=11, x=0.01, ha="left")
    marks = [plt.Rectangle((0, 0), 1, 1, color="#C9C9C4"), plt.Line2D([], [], color=plotting.BLUE)]
    fig.legend(marks, ["forward", "generated"], loc="outside upper right", ncols=2)
    describe("The distribution of one atom at five times of sampling, forward in grey and generated in blue.")
    return fig


def draw_radii(results: Results, sigma_d: float, sigma_min: float) -> plt.Figure:
    """Draw the distance of the generated states to the crystal, beside a Rayleigh distribution.

    That is the distribution of the distance if both coordinates are Gaussian.

    Args:
        results: `walk` by experiment.
        sigma_d: the standard deviation of the data.
        sigma_min: the standard deviation of the noise that is left at t = 0.

    Returns:
        The figure.
    """
    import seaborn as sns

    fig, axes = plt.subplots(
        1, len(results), figsize=(2.3 * len(results) + 0.6, 2.7), sharex=True, sharey=True, squeeze=False
    )
    width = math.hypot(sigma_d, sigma_min)  # at t = 0 a little noise is left
    r = np.linspace(0, 0.06, 200)
    for ax, (name, result) in zip(axes[0], results.items()):
        radius = distance_to_crystal(result["walk"][-1].float())
        far = float((radius > 0.06).float().mean())
        weights = np.full(len(radius), 1 / (len(radius) * 0.002))  # those beyond the axis count, too
        bins = dict(bins=30, binrange=(0, 0.06), weights=weights, linewidth=0, alpha=1)
        sns.histplot(x=radius.numpy(), color=plotting.SKY, ax=ax, **bins)
        density = r / width**2 * np.exp(-(r**2) / (2 * width**2))
        ax.plot(r, density, color="#222222", linewidth=1.4, label="Rayleigh")
        ax.set_title("\n".join(split_title(title_of(name))), fontsize=9)
        ax.text(0.98, 0.72, f"beyond 0.06:\n{far:.1%}", transform=ax.transAxes, ha="right", fontsize=8)
        ax.set(xlabel="distance", ylabel="", yticks=[])
    axes[0, 0].legend(fontsize=8, loc="upper right")
    describe(
        "Histograms of the distance of generated states to the crystal for each experiment, with the Rayleigh "
        "density drawn over them and the share of states beyond 0.06 written beside them."
    )
    return fig


def draw_field(ax: plt.Axes, arrows: Tensor, density: Tensor | None, title: str):
    """Draw arrows of sigma * score on a grid over contours of the density.

    All arrows have the same length, and their colour shows the size.

    Args:
        ax: where to draw.
        arrows: sigma * score at the states of `states_on_a_grid`, shape (grid², 2).
        density: the density on a grid, shape (bins, bins), or None.
        title: the title above.

    Returns:
        The arrows' artist, for a colour bar of log10(size).
    """
    grid = round(len(arrows) ** 0.5)
    x = states_on_a_grid(grid).numpy()
    size = arrows.norm(dim=1).numpy()
    unit = (arrows / arrows.norm(dim=1, keepdim=True).clamp(min=1e-9)).numpy()
    if density is not None:
        bins, peak = len(density), float(density.max())
        side = (np.arange(-1, bins + 1) + 0.5) / bins
        levels = [share * peak for share in (0.01, 0.1, 0.5, 0.9, 1.01)]
        ax.contourf(side, side, np.pad(density.numpy().T, 1, mode="wrap"), levels=levels, cmap="Blues", alpha=0.75)
    picture = ax.quiver(
        *x.T, *unit.T, np.log10(size.clip(1e-2)), cmap=ARROWS, angles="xy", scale=grid * 1.15, width=0.0035
    )
    picture.set_clim(-1.5, 1.5)
    ax.set(xlim=(0, 1), ylim=(0, 1), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1], xlabel="atom 1", ylabel="atom 2")
    ax.set_title(title, fontsize=10)
    ax.set_aspect("equal")
    ax.grid(False)
    return picture


def draw_snapshots(results: Results) -> plt.Figure:
    """Draw the field of each experiment at one time.

    Args:
        results: `snapshot` by experiment, at most six.

    Returns:
        The figure.
    """
    fig, axes = plt.subplots(2, 3, figsize=(10.5, 7), sharex=True, sharey=True)
    for ax in axes.flat[len(results) :]:
        ax.set_visible(False)
    for ax, (name, result) in zip(axes.flat, results.items()):
        picture = draw_field(ax, result["snapshot"], None, title_of(name))
    for ax in axes.flat:
        ax.label_outer()
    bar = fig.colorbar(picture, ax=axes, shrink=0.5, ticks=[-1, 0, 1], extend="both")
    bar.set_ticklabels(["0.1", "1", "10"])
    bar.set_label(f"size of sigma · score at t = {SNAPSHOT:g}")
    describe("The score as arrows on the square at t = 0.4 for the exact score and each experiment, coloured by size.")
    return fig


def exact_line(results: Results) -> dict[str, dict[str, Tensor]]:
    """Return the exact curve as one more entry for `draw_line`.

    Args:
        results: measurements by experiment; each holds `line_exact`.

    Returns:
        `line` of the experiment `analytical`.
    """
    return {"analytical": {"line": next(iter(results.values()))["line_exact"]}}


def draw_losses(results: Results) -> plt.Figure:
    """Draw the running means of the losses. They contain different terms, so each describes only its own training.

    Args:
        results: `history` by experiment.

    Returns:
        The figure.
    """
    fig, ax = plt.subplots(figsize=(7, 3.2))
    for name, result in results.items():
        label, color, style, _ = STYLES[name]
        running = plotting.smooth(result["history"].tolist(), 100)
        steps = np.arange(len(running)) + len(result["history"]) - len(running)
        ax.plot(steps, running, color=color, linestyle=style, label=label)
    ax.set(xlabel="training step", ylabel="loss, running mean", yscale="log")
    ax.legend(fontsize=8)
    return fig
