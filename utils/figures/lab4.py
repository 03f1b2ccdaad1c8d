"""The figures of lab 4."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import matplotlib as mpl
import matplotlib.pyplot as plt
import torch
from torch import Tensor

from utils import plotting
from utils.alternative_text import describe
from utils.data import LabelledImages
from utils.distributions import GaussianClasses
from utils.fallback import stored_images, stored_table
from utils.metrics import over_seeds
from utils.paths import LinearAlpha, LinearBeta
from utils.plane import MARKERS, draw_arrow, scatter_classes
from utils.reference import real_floors
from utils.style import point

NAMES = [*map(str, range(10)), "∅"]  # of the columns: ten digits and the null label


def draw_opening() -> plt.Figure:
    """Draw ten digits on their way from noise, from stored results of this lab's model answers at w = 3.

    Returns:
        The figure.
    """
    film = stored_images("lab4_results", "film")[:, 11:21]
    shown = [0, 5, 10, 15, 20]
    names = [f"t = {index / 20:g}" for index in shown]
    return plotting.show_table([film[index] for index in shown], names, [f"“{k}”" for k in range(10)])


def draw_noising(digits: LabelledImages) -> plt.Figure:
    """Draw one digit of each class on the straight path to noise.

    Args:
        digits: real images with labels 0 to 9.

    Returns:
        The figure.
    """
    z, _ = digits[torch.stack([(digits.labels == k).nonzero()[0, 0] for k in range(10)])]
    z = z.cpu()
    noise = torch.randn(z.shape, generator=torch.Generator().manual_seed(3))
    times = [0.0, 0.2, 0.4, 0.5, 0.6, 0.8, 1.0]
    names = [f"t = {t:g}" for t in times]
    return plotting.show_table([t * z + (1 - t) * noise for t in times], names, NAMES[:10])


def draw_field(path_class: type) -> plt.Figure:
    """Draw the conditional velocity around one point at three times.

    Args:
        path_class: the student's path, a subclass of `GaussianPath`.

    Returns:
        The figure.
    """
    z = torch.tensor([[1.0, 0.6]])
    path = path_class(GaussianClasses(z), (2,), LinearAlpha(), LinearBeta())
    side = torch.linspace(-2, 2, 11)
    x = torch.cartesian_prod(side, side)
    fig, axes = plt.subplots(1, 3, figsize=(9, 3.2), sharex=True, sharey=True)
    for ax, t in zip(axes, (0.0, 0.4, 0.7)):
        u = path.conditional_vector_field(x, z.expand_as(x), torch.full((len(x), 1), t))
        ax.quiver(*x.T, *u.T, color=plotting.BLUE, angles="xy", scale=60, width=0.005)
        ax.scatter(*z.T, marker="*", s=160, color=plotting.ORANGE, edgecolor="black", zorder=3)
        ax.set(title=f"t = {t:g}", aspect="equal", xlabel="first pixel")
        ax.grid(False)
    axes[0].set_ylabel("second pixel")
    describe("The conditional velocity as arrows around one point, marked by a star, at three times.")
    return fig


def draw_toy_loss(history: Sequence[float], floor: float) -> plt.Figure:
    """Draw the loss on the three blobs above the smallest possible one.

    Args:
        history: the loss of every step.
        floor: the smallest possible loss.

    Returns:
        The figure.
    """
    ax = plotting.plot_loss(history, label="loss, mean of 50 steps", limits=(0.4, 1.2))
    ax.axhline(floor, color=plotting.ORANGE, linestyle="--", label="smallest possible loss")
    ax.set_title("Three blobs: the loss falls to its floor, not to zero")
    ax.legend()
    describe(
        "The loss on three blobs against the training step, with its running mean, and a dashed line for the "
        "smallest possible loss."
    )
    return plt.gcf()


def draw_digits_loss(history: Sequence[float]) -> plt.Figure:
    """Draw the loss on digits with two logarithmic axes, which show the slow gain late in training.

    Args:
        history: the loss of every step.

    Returns:
        The figure.
    """
    ax = plotting.plot_loss(history, label="loss, mean of 50 steps")
    ax.set(xscale="log", yscale="log", xlim=(1, len(history)), title="Your loss on digits (both axes logarithmic)")
    ax.yaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    ax.yaxis.set_major_formatter(mpl.ticker.FormatStrFormatter("%g"))
    ax.yaxis.set_minor_formatter(mpl.ticker.NullFormatter())
    ax.legend()
    describe("The loss on digits against the training step, with its running mean, on two logarithmic axes.")
    return plt.gcf()


def draw_patches() -> plt.Figure:
    """Draw how good samples get with time for the network on pixels and for the one on patches, from stored results.

    Returns:
        The figure.
    """
    table = stored_table("lab4_patches")
    settings = table["settings"]
    fig, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharex=True)
    for name, color, marker, dashes in (("pixels", plotting.ORANGE, "s", "--"), ("patches", plotting.BLUE, "o", "-")):
        curve = table[name]["curve"]
        seconds = [row["seconds"] for row in curve]
        look = dict(color=color, marker=marker, linestyle=dashes, label=f"{name}: {curve[-1]['steps']:,} steps")
        for ax, metric in zip(axes, ("distance", "accuracy")):
            ax.plot(seconds, [row[metric] for row in curve], **look)
    axes[0].set(title="Fréchet distance (log scale)", yscale="log")
    axes[0].yaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1, 2, 5)))
    axes[0].yaxis.set_major_formatter(mpl.ticker.FormatStrFormatter("%g"))
    axes[0].yaxis.set_minor_formatter(mpl.ticker.NullFormatter())
    axes[0].axhline(real_floors()[settings["images"]], color=plotting.GREY, linestyle=":", linewidth=1.4)
    above = dict(xytext=(0, 3), textcoords="offset points", ha="left", va="bottom")
    axes[0].annotate("real images", (10, real_floors()[settings["images"]]), color=plotting.GREY, fontsize=9, **above)
    axes[1].set(title=f"Conditional accuracy, w = {settings['w']:g}", ylim=(0, 1.03))
    for ax in axes:
        ax.set(xlabel="seconds of training on a CPU", xlim=(0, None))
    axes[1].legend()
    describe(
        "Two panels against the seconds of training, each with a line for the network on pixels and one for the "
        "network on patches: the Fréchet distance on a logarithmic scale, and the accuracy."
    )
    return fig


def draw_arrows(velocity: Callable[[Tensor, float, int, float], Tensor], classes: GaussianClasses) -> plt.Figure:
    """Draw the velocities at one point for w = 0, 1 and 3: their tips lie on one line.

    Args:
        velocity: `velocity(x, t, y, w)`, with x of shape (1, 2), returns the guided velocity, shape (1, 2).
        classes: the three blobs.

    Returns:
        The figure.
    """
    t, y, x = 0.5, 0, torch.tensor([[0.6, -0.25]])
    cloud, labels = classes.sample(300)
    cloud = t * cloud.reshape(-1, 2) + (1 - t) * torch.randn(300, 2, generator=torch.Generator().manual_seed(1))
    fig, ax = plt.subplots(figsize=(6.4, 4.6))
    scatter_classes(ax, cloud, labels, size=9, alpha=0.25)
    tips = {w: x + velocity(x, t, y, w) / 4 for w in (0.0, 1.0, 3.0)}
    ax.plot(*torch.cat([tips[0.0], tips[3.0]]).T, ":", color="#222222", linewidth=1.2)
    names = {0.0: "u(x | ∅), w = 0", 1.0: "u(x | y), w = 1", 3.0: "guided, w = 3"}
    places = {0.0: (6, -14), 1.0: (8, 4), 3.0: (8, 0)}
    for (w, tip), color in zip(tips.items(), ("#222222", plotting.BLUE, plotting.RED)):
        draw_arrow(ax, x[0], tip[0], color, linewidth=2.2)
        ax.annotate(names[w], point(tip[0]), xytext=places[w], textcoords="offset points", color=color)
    ax.plot(*x.T, "o", color="black")
    ax.annotate("x", point(x[0]), xytext=(-12, -8), textcoords="offset points")
    ax.set(title="Three velocities at x, a quarter of their length, t = 0.5", aspect="equal")
    ax.set(xlim=(-2.6, 3.0), ylim=(-2.2, max(2.4, float(tips[3.0][0, 1]) + 0.4)))
    ax.grid(False)
    describe(
        "Three velocities at one point among three blobs: without a label, with a label, and guided. A dotted line "
        "joins the tips of the first and the last."
    )
    return fig


def draw_blobs(walks: Tensor, scales: Sequence[float], means: Tensor) -> plt.Figure:
    """Draw the ways of samples of three classes from the same noise, a panel for each guidance scale.

    Args:
        walks: trajectories, shape (scales, samples, times, 2), with as many samples of each class, in their order.
        scales: the guidance scales.
        means: the middles of the three classes, 2 numbers each.

    Returns:
        The figure.
    """
    own = walks.shape[1] // 3
    fig, axes = plt.subplots(1, len(scales), figsize=(10, 3.7), sharex=True, sharey=True)
    for ax, w, group in zip(axes, scales, walks):
        for k, (color, marker) in enumerate(zip(plotting.PALETTE, MARKERS)):
            samples = group[own * k : own * (k + 1)]
            ax.plot(*samples[:12].permute(2, 1, 0), color=color, alpha=0.35, linewidth=0.8)
            ax.scatter(*samples[:, -1].T, s=12, color=color, marker=marker)
            ax.scatter(*means[k].flatten(), marker="x", s=90, color="black", zorder=3)
        ax.set(title=f"w = {w:g}" + (": the label is ignored" if w == 0 else ""), aspect="equal")
        ax.grid(False)
    describe(
        "The ways of samples of three classes from the same noise to the three blobs, a panel for each guidance "
        "scale and a colour for each class."
    )
    return fig


def draw_by_scale(sheets: Tensor, scales: Sequence[float]) -> plt.Figure:
    """Draw digits by label (columns) and guidance scale (rows).

    Args:
        sheets: images, shape (scales, 11, 1, h, w).
        scales: the guidance scales.

    Returns:
        The figure.
    """
    return plotting.show_table(list(sheets), [f"w = {w:g}" for w in scales], NAMES)


def show_film(frames: Tensor, scales: Sequence[float]):
    """Return a film from noise to digits, with names for rows and columns and a clock.

    Args:
        frames: images, shape (times, 11 · scales, 1, h, w), the times equally spaced from 0 to 1.
        scales: the guidance scales, one row each.

    Returns:
        An object that the notebook displays.
    """
    clock = [f"t = {index / (len(frames) - 1):.2f}" for index in range(len(frames))]
    names = [*NAMES[:10], "null"]  # the film's font has no ∅
    return plotting.show_gif(frames, 11, 5.0, [f"w = {w:g}" for w in scales], names, clock)


def draw_variety(sheets: dict[float, Tensor]) -> plt.Figure:
    """Draw grids of samples of one class side by side, a grid for each guidance scale.

    Args:
        sheets: images by guidance scale, shape (n, 1, h, w).

    Returns:
        The figure.
    """
    fig, axes = plt.subplots(1, len(sheets), figsize=(5 * len(sheets), 5.2))
    describe("Generated digits of one class in a square grid, side by side for each guidance scale.", fig, panels=True)
    for ax, (w, images) in zip(axes, sheets.items()):
        plotting.show_images(images, columns=math.isqrt(len(images)), ax=ax, title=f"{len(images)} sevens, w = {w:g}")
    return fig


def print_accuracy(accuracy: dict[float, float], images: int) -> None:
    """Print the accuracy at each guidance scale with its standard error.

    Args:
        accuracy: share of right samples by guidance scale, in [0, 1].
        images: the number of samples behind each share.

    Example:
        >>> print_accuracy({1.0: 0.5}, images=100)
        conditional accuracy, 100 images for each w
          w = 1        50 % ± 5 %
        >>> print_accuracy({1.0: 1.0}, images=60)
        conditional accuracy, 60 images for each w
          w = 1       100 %, all 60
    """
    print(f"conditional accuracy, {images} images for each w")
    for w, value in accuracy.items():
        error = math.sqrt(value * (1 - value) / images)
        spread = f", {'all' if value else 'none of'} {images}" if value in (0, 1) else f" ± {100 * error:.0f} %"
        print(f"  w = {w:<5g} {100 * value:5.0f} %{spread}")


def best_guided_scale(sweep: dict) -> str:
    """Return the guidance scale above 1 with the smallest mean distance. At 1, nothing is guided.

    Args:
        sweep: `sweep["by scale"][w]["distance"]` holds one number for each seed.

    Returns:
        The key of the scale.

    Example:
        >>> sweep = {"by scale": {"1": {"distance": [1.0]}, "1.5": {"distance": [2.0]}, "3": {"distance": [4.0]}}}
        >>> best_guided_scale(sweep)
        '1.5'
    """
    scales = [w for w in sweep["by scale"] if float(w) > 1]
    return min(scales, key=lambda w: over_seeds(sweep["by scale"][w]["distance"]).value)


def print_side_by_side() -> None:
    """Print what labs 3 and 4 pay and get, from the stored results with the best guided distance of each."""
    classifier, free = stored_table("lab3_sweep"), stored_table("lab4_sweep")
    sweeps = (classifier, free)
    scales = [best_guided_scale(sweep) for sweep in sweeps]
    three, four = (
        {name: str(over_seeds(values)) for name, values in sweep["by scale"][w].items()}
        for sweep, w in zip(sweeps, scales)
    )
    rows = [
        ("guidance", f"classifier, w = {scales[0]}", f"no classifier, w = {scales[1]}"),
        ("networks to train", "2", "1"),
        ("knows labels", "classifier only", "the network itself"),
        ("steps", f"{classifier['ddim steps']} DDIM", f"{free['euler steps']} Euler"),
        ("extra cost of a step", "classifier + gradient", "a second call"),
        ("images, seeds", *(f"{sweep['images']}, {sweep['seeds']}" for sweep in sweeps)),
        *((name, three[name], four[name]) for name in ("accuracy", "precision", "recall", "distance")),
        ("that of real digits", *(f"{sweep['floor']:.3f}" for sweep in sweeps)),
    ]
    print(f"{'':<22}{'lab 3':<24}lab 4")
    for name, left, right in rows:
        print(f"{name:<22}{left:<24}{right}")
