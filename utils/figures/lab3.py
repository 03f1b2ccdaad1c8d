"""The figures of lab 3."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor

from utils import plotting
from utils.alternative_text import describe
from utils.fallback import stored_images
from utils.metrics import over_seeds
from utils.plane import draw_arrow, scatter_classes
from utils.style import point

ONE_DOT = 0.05  # samples with a smaller spread look like a single point


def draw_opening() -> plt.Figure:
    """Draw guided digits by label (columns) and scale (rows), from stored results of this lab's model answers.

    Returns:
        The figure.
    """
    names = [f"w = {w}" for w in (2, 4, 8)]
    return plotting.show_table(
        list(stored_images("lab3_results", "by_scale")[2:]), names, [f"“{k}”" for k in range(10)]
    )


def plane_axes(count: int, size: float = 3.0) -> tuple[plt.Figure, np.ndarray]:
    """Make axes for the plane with the three clouds.

    Args:
        count: the number of panels, at least 1.
        size: the side of a panel in inches.

    Returns:
        The figure and an array of its axes.
    """
    fig, axes = plt.subplots(1, count, figsize=(size * count, size + 0.3), sharex=True, sharey=True, squeeze=False)
    for ax in axes[0]:
        ax.set(xlim=(-3.2, 3.2), ylim=(-3.2, 3.2), aspect="equal")
        ax.grid(False)
    describe("The plane of the three clouds, with points of each class, and in some figures arrows.", fig, panels=True)
    return fig, axes[0]


def draw_sigmas(sigmas: Sequence[Tensor]) -> plt.Figure:
    """Draw the three standard deviations by step.

    Args:
        sigmas: step, total and posterior, each of shape (T,).

    Returns:
        The figure.
    """
    fig, ax = plt.subplots(figsize=(6.5, 3))
    looks = zip(("step", "total", "posterior"), (plotting.SKY, plotting.ORANGE, "#222222"), ("-", "--", ":"))
    for values, (name, color, style) in zip(sigmas, looks):
        ax.plot(values, style, color=color, label=name, linewidth=2.5)
    ax.set(yscale="log", ylim=(5e-3, 1.5), xlabel="step t (data at the left)", ylabel="standard deviation")
    ax.set_title("Three sigmas")
    ax.legend()
    describe(
        "Three standard deviations against the step t on a logarithmic scale: that of one step, the total one, and "
        "that of the posterior."
    )
    return fig


def draw_classifier_loss(history: Sequence[float]) -> plt.Figure:
    """Draw the loss of the noise-aware classifier, with the loss of guessing.

    Args:
        history: the loss of every step.

    Returns:
        The figure.
    """
    ax = plotting.plot_loss(history, window=25, label="loss, mean of 25 steps", limits=(0, 2.6))
    ax.set_title("Your classifier of noisy digits")
    ax.axhline(math.log(10), color=plotting.ORANGE, linestyle="--", label="guessing: log 10")
    ax.legend()
    describe(
        "The loss of the noise-aware classifier against the training step, with its running mean, and a dashed "
        "line for guessing."
    )
    return plt.gcf()


def draw_accuracy(levels: Sequence[int], aware: Sequence[float], clean: Sequence[float]) -> plt.Figure:
    """Draw the accuracy of two classifiers by noise level.

    Args:
        levels: the steps t.
        aware: the accuracy of the noise-aware classifier at each, in [0, 1].
        clean: the accuracy of the ordinary one.

    Returns:
        The figure.
    """
    fig, ax = plt.subplots(figsize=(6.5, 3))
    ax.plot(levels, aware, "o-", color=plotting.BLUE, label="noise-aware")
    ax.plot(levels, clean, "^--", color=plotting.ORANGE, label="ordinary, trained on clean digits")
    ax.axhline(0.1, color=plotting.GREY, linestyle=":", label="guessing")
    ax.set(xlabel="step t", ylabel="accuracy", ylim=(0, 1.03), title="Who can read noise?")
    ax.legend()
    describe(
        "The accuracy of two classifiers against the step t, the noise-aware one and the ordinary one, with a "
        "dotted line for guessing."
    )
    return fig


def draw_gradients(noisy: dict[int, Tensor], gradients: dict[tuple[int, int], Tensor]) -> plt.Figure:
    """Draw noisy images above the gradients towards several digits, all on one colour scale of square roots.

    Args:
        noisy: the image of shape (h, w) at each step t.
        gradients: the gradient of shape (h, w) for each pair of a step t and a digit.

    Returns:
        The figure.
    """
    targets = list(dict.fromkeys(k for _, k in gradients))
    largest = max(float(g.abs().max()) for g in gradients.values()) ** 0.5
    fig, axes = plt.subplots(len(targets) + 1, len(noisy), figsize=(7.2, 7.9))
    for column, (t, image) in zip(axes.T, noisy.items()):
        column[0].imshow(image, cmap="gray_r", vmin=-1.5, vmax=1.5)
        column[0].set_title(f"t = {t}")
        for ax, k in zip(column[1:], targets):
            g = gradients[t, k]
            ax.imshow(g.sign() * g.abs().sqrt(), cmap="PuOr", vmin=-largest, vmax=largest)
            ax.set_xlabel(f"{float(g.abs().max()):.1g}")
    for ax in axes.flat:
        plotting.bare(ax)
    for ax, name in zip(axes[:, 0], ("x at t", *(f"towards {k}" for k in targets))):
        ax.set_ylabel(name)
    describe(
        "A handwritten digit at four noise levels, and below each image the gradient towards three digits, in "
        "orange and purple. A number below each gradient gives its largest value."
    )
    return fig


def draw_arrows(cloud: Tensor, labels: Tensor, x: Tensor, score: Tensor, push: Tensor, length: float) -> plt.Figure:
    """Draw the score, the classifier's push and their sum as arrows at one point, with names outside their triangle.

    Args:
        cloud: noisy data, shape (n, 2).
        labels: their classes, shape (n,).
        x: the point, shape (2,).
        score: the score there, shape (2,).
        push: the guidance w g there, shape (2,).
        length: the factor by which all arrows are drawn shorter.

    Returns:
        The figure.
    """
    fig, (ax,) = plane_axes(1, 4.6)
    scatter_classes(ax, cloud, labels, size=9, alpha=0.25)
    middle, end = x + length * score, x + length * (score + push)
    arrows = [
        (x, middle, "#222222", "s"),
        (middle, end, plotting.ORANGE, "w g"),
        (x, end, plotting.RED, "s + w g"),
    ]
    for start, tip, color, name in arrows:
        draw_arrow(ax, start, tip, color)
        half, along = (start + tip) / 2, tip - start
        across = torch.stack([-along[1], along[0]]) / along.norm()
        away = across * torch.sign(across @ (half - (x + middle + end) / 3))  # from the middle of the triangle
        side = "left" if away[0] > 0 else "right"
        look: dict[str, Any] = dict(color=color, fontsize=11, weight="bold", ha=side, va="center")
        ax.annotate(name, point(half), xytext=point(12 * away), textcoords="offset points", **look)
    ax.plot(*x, "o", color="black", markersize=7)
    ax.set_title(f"Three arrows at one point, drawn at {length:.0%} of their length")
    describe("Three arrows at one point among three clouds: the score, the push of the classifier, and their sum.")
    return fig


def mark_meeting(ax: plt.Axes, x: Tensor, score: Callable[[Tensor], Tensor]) -> None:
    """Mark the place where the arrows of a score meet: the zero that is reached by following the score.

    Args:
        ax: where to draw.
        x: where to start, shape (1, 2).
        score: maps points, shape (1, 2), to their scores, shape (1, 2).
    """
    for _ in range(500):
        x = x + 0.1 * score(x)
    ax.plot(*x[0], "o", color="none", markersize=13, markeredgecolor=plotting.RED, markeredgewidth=2)


def scatter_samples(ax: plt.Axes, data: Tensor, x: Tensor, title: str) -> None:
    """Draw samples over data, and say so if all samples lie on one spot.

    Args:
        ax: where to draw.
        data: points of the data, shape (m, 2), grey.
        x: samples, shape (n, 2), orange-red.
        title: the title above.
    """
    ax.scatter(data[:, 0], data[:, 1], s=4, color="#BBBBBB", linewidths=0)
    describe("The plane of the three clouds: data in grey, samples in orange-red.", panels=True)
    ax.scatter(x[:, 0], x[:, 1], s=4, color=plotting.RED, linewidths=0, alpha=0.6)
    if float(x.std(dim=0).max()) < ONE_DOT:
        look: dict[str, Any] = dict(arrowstyle="-|>", color=plotting.RED)
        left, low = point(x.mean(dim=0))
        ax.annotate(f"all {len(x)} samples", (left, low), (left - 1.6, low + 1.2), arrowprops=look)
    ax.set_title(title)


def draw_outwards(beyond: dict[float, Tensor], std: float) -> plt.Figure:
    """Draw the density of samples along the line away from the other clouds, for each guidance scale.

    Args:
        beyond: by guidance scale, how far each sample lies beyond the cloud's centre, shape (n,).
        std: the standard deviation of the class.

    Returns:
        The figure.
    """
    place = torch.linspace(-2.9, 1.6, 450)  # at the left: room for the legend
    fig, ax = plt.subplots(figsize=(6.5, 3))
    height = torch.exp(-((place / std) ** 2) / 2) / (std * math.sqrt(2 * math.pi))
    ax.fill_between(place, height, color="#CCCCCC", linewidth=0, label="the class")
    looks = zip((plotting.BLUE, plotting.ORANGE, plotting.RED), ("-", "--", ":"))
    for (w, distance), (color, style) in zip(beyond.items(), looks):
        density = torch.exp(-(((place[:, None] - distance) / 0.1) ** 2) / 2).mean(1) / (0.1 * math.sqrt(2 * math.pi))
        inner = float((distance < 0).float().mean())
        ax.plot(place, density, style, color=color, label=f"w = {w:g}: {inner:.0%} on the inner side")
    ax.axvline(0, color="#444444", linewidth=0.8)
    ax.set(
        xlabel="distance beyond the cloud's centre, away from the other clouds",
        ylabel="density",
        ylim=(0, 1.4),
        xlim=(-2.9, 1.6),
    )
    ax.set_title("Guidance moves samples outwards")
    ax.legend(loc="upper left")
    describe(
        "The density of guided samples along the line away from the other clouds for three guidance scales, beside "
        "that of the class."
    )
    return fig


def draw_sweep(sweep: dict) -> plt.Figure:
    """Print the stored table of the sweep with standard errors, and draw it.

    Args:
        sweep: the content of `checkpoints/lab3_sweep.json`.

    Returns:
        The figure.
    """
    what = f"{sweep['images']} digits for each w and seed, {sweep['ddim steps']} steps, {sweep['seeds']} seeds"
    print(f"{what}; real digits: {sweep['floor']:.2f}")
    print(f"{'w':>4}{'accuracy':>18}{'Fréchet':>18}{'precision':>18}{'recall':>18}")
    for w, row in sweep["by scale"].items():
        cells = (over_seeds(row[name]) for name in ("accuracy", "distance", "precision", "recall"))
        texts = (f"{cell.value:.3f} (all seeds)" if cell.error < 1e-9 else str(cell) for cell in cells)
        print(f"{w:>4}" + "".join(f"{text:>18}" for text in texts))
    return plotting.draw_sweep(sweep)


def draw_variances(samples: dict[str, Tensor], variances: Sequence[float]) -> plt.Figure:
    """Draw histograms of guided samples in one dimension beside the claimed and the sampled densities.

    Args:
        samples: `ode` and `sde`, each of shape (n, 1).
        variances: of the claim, the ode and the sde.

    Returns:
        The figure.
    """
    fig, ax = plt.subplots(figsize=(6.5, 3.2))
    side = np.linspace(-2.5, 2.5, 400)
    for key, name, color in (("ode", "DDIM", plotting.SKY), ("sde", "DDPM", plotting.YELLOW)):
        look: dict[str, Any] = dict(bins=120, range=(-2.5, 2.5), density=True, color=color, alpha=0.6, label=name)
        ax.hist(samples[key][:, 0].numpy(), **look)
    looks = zip(("the claim", "ode", "sde"), (plotting.RED, plotting.BLUE, "#8A6D00"), ("--", "-", "-"))
    for variance, (name, color, style) in zip(variances, looks):
        density = np.exp(-(side**2) / (2 * variance)) / math.sqrt(2 * math.pi * variance)
        ax.plot(side, density, style, color=color, label=name)
    ax.set(title="w = 3: what is claimed, and what is sampled", xlabel="x", ylabel="density")
    ax.legend()
    describe(
        "Histograms of guided samples of two samplers in one dimension, with the curves of the claimed density and "
        "of the two densities that the formulas predict."
    )
    return fig


def draw_clouds(found: dict[float, dict[str, Tensor]], claimed: dict[float, tuple[Tensor, Tensor]]) -> plt.Figure:
    """Draw guided samples of one of two clouds beside the claimed density, a panel for each guidance scale.

    Args:
        found: by guidance scale, the samples of each sampler, shape (n, 1).
        claimed: by guidance scale, places and the density there, shape (m,) each.

    Returns:
        The figure.
    """
    fig, axes = plt.subplots(1, len(found), figsize=(11, 3), sharey=True)
    for ax, (w, samples) in zip(axes, found.items()):
        for (name, values), color in zip(samples.items(), (plotting.SKY, plotting.YELLOW)):
            look: dict[str, Any] = dict(bins=80, range=(-1, 3), density=True, color=color, alpha=0.6, label=name)
            ax.hist(values[:, 0].numpy(), **look)
        ax.plot(*claimed[w], "--", color=plotting.RED, label="the claim")
        ax.set(title=f"w = {w:g}", xlim=(-1, 3), xlabel="x")
    axes[0].set_ylabel("density")
    axes[0].legend(loc="upper left")
    describe(
        "Histograms of guided samples of one of two clouds for each guidance scale, by two samplers, with the "
        "claimed density as a dashed curve."
    )
    return fig
