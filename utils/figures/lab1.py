"""The figures of lab 1. Each takes the student's functions as arguments, and shows itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor

from utils import simplex
from utils.alternative_text import describe
from utils.fallback import stored_tensors
from utils.plane import draw_arrow
from utils.plotting import show_table, smooth
from utils.style import BLUE, GREEN, GREY, ORANGE, PINK, SKY, bare, letter_colors
from utils.toy_data import generator
from utils.toy_problems import SPINS, ToyProblem
from utils.vp import T_MIN, alpha, sigma

Function = Callable[..., Tensor]  # one of the student's answers
WINDOW_START, WINDOW_ENDS = 0.2, (0.7, 0.9)  # the times between which the class of worlds 2 and 3 is open


def lattices(x: Tensor) -> Tensor:
    """Arrange spins as pictures.

    Args:
        x: spins, shape (n, sites, 1), a square number of sites.

    Returns:
        Pictures, shape (n, 1, side, side), float32.

    Example:
        >>> lattices(torch.zeros(2, 36, 1)).shape
        torch.Size([2, 1, 6, 6])
    """
    side = math.isqrt(x.shape[1])
    return x[..., 0].reshape(-1, 1, side, side).float()


def short_name(problem: ToyProblem) -> str:
    """Return a problem's name up to the colon.

    Args:
        problem: any problem.

    Returns:
        Such as "World 2".
    """
    return problem.name.split(":")[0]


def draw_opening() -> None:
    """Draw what lab 1 builds, from stored lattices: one lattice from noise to data, and ten samples at each w."""
    stored = stored_tensors("lab1_opening")
    way, samples = stored["way"].float() / 100, stored["samples"].float() / 100
    _, (left, right) = plt.subplots(1, 2, figsize=(12, 2.5), width_ratios=(6, 10))
    draw_rows(left, [lattices(way)], ["w = 4"], [f"t = {t:g}" for t in stored["times"].tolist()])
    left.set_title("One lattice, from noise to data", fontsize=10)
    draw_rows(right, [lattices(row) for row in samples], [f"w = {w:g}" for w in stored["scales"].tolist()])
    right.set_title("Ten samples of world 2, guided towards class 0, from the same noise", fontsize=10)
    describe(
        "Left, one lattice of 36 spins at six times, from grey noise to a clean lattice. Right, ten samples of "
        "world 2 from the same noise at three guidance scales: the larger the scale, the more of them are clean."
    )
    plt.show()


def draw_rows(ax: plt.Axes, rows: Sequence[Tensor], names: Sequence[str], columns: Sequence[str] = ()) -> None:
    """Draw rows of lattices on axes, with names at the left and below.

    Args:
        ax: where to draw.
        rows: pictures of each row, shape (columns, 1, side, side), values in [-1, 1].
        names: one name for each row.
        columns: one name for each column, or nothing.
    """
    n, side = len(rows[0]), rows[0].shape[-1]
    bare(ax)
    for i, row in enumerate(rows):
        for j, picture in enumerate(row[:, 0]):
            extent = (j * (side + 1), j * (side + 1) + side, (i + 1) * (side + 1) - 1, i * (side + 1))
            ax.imshow(picture.clamp(-1, 1), vmin=-1, vmax=1, cmap="gray_r", extent=extent)
            ax.add_patch(plt.Rectangle((extent[0], extent[3]), side, side, fill=False, edgecolor=GREY, linewidth=0.6))
    ax.set(xlim=(-0.3, n * (side + 1) - 0.7), ylim=(len(rows) * (side + 1) - 0.7, -0.3), aspect="equal")
    ax.set_yticks([i * (side + 1) + side / 2 for i in range(len(rows))], names)
    if columns:
        ax.set_xticks([j * (side + 1) + side / 2 for j in range(n)], columns)


def draw_worlds(problems: Sequence[ToyProblem], sample_ensemble: Function) -> None:
    """Draw ten lattices of each class of each problem.

    Args:
        problems: problems of spins.
        sample_ensemble: the answer to 1.1.
    """
    rows: list[Tensor] = []
    names: list[str] = []
    for problem in problems:
        for y in (0, 1):
            rows.append(lattices(problem.embed(sample_ensemble(problem, y, 10, generator(len(rows))))))
            names.append(f"{short_name(problem)}, y = {y}")
    show_table(rows, names, title="Ten lattices of each class", scale=0.8)
    describe("Ten lattices of each class of each world, in rows: black spins are up, white spins are down.")
    plt.show()


def draw_words(problems: Sequence[ToyProblem], sample_ensemble: Function) -> None:
    """Draw eight words of each class; a colour is a letter.

    Args:
        problems: problems of letters, with two classes.
        sample_ensemble: the answer to 1.1.
    """
    _, axes = plt.subplots(2, len(problems), figsize=(10, 3.6), sharex=True, sharey=True)
    for column, problem in zip(axes.T, problems):
        for y, ax in enumerate(column):
            words = sample_ensemble(problem, y, 8, generator(y + 1))
            ax.imshow(words, cmap=letter_colors(problem.letters), vmin=-0.5, vmax=problem.letters - 0.5)
            ax.set(xticks=[], yticks=[])
            ax.grid(False)
        column[0].set_title(problem.name, fontsize=10)
    for y in (0, 1):
        axes[y, 0].set_ylabel(f"class {y}\n8 words")
    describe(
        "Eight words of twelve letters for both classes of four worlds, a colour for each letter. The classes "
        "differ in which letters occur, in how often they occur, or in their order."
    )
    plt.show()


def draw_noising(add_noise: Function) -> None:
    """Draw one lattice of each of four components through time, all with the same noise.

    Args:
        add_noise: the answer to 1.2.
    """
    shown = [0.001, 0.2, 0.3, 0.4, 0.5, 0.6, 1.0]
    up = torch.tensor([0.0, 1.0, 0.1, 0.5])[:, None].expand(-1, 36)
    x0 = 2 * torch.bernoulli(up, generator=generator(7))[..., None] - 1
    noise = torch.randn((1, 36, 1), generator=generator(4)).expand(4, -1, -1)  # so that rows differ by their data alone
    pictures = [lattices(add_noise(x0, torch.full((4, 1, 1), t), noise)) for t in shown]
    rows = [torch.stack([column[k] for column in pictures]) for k in range(4)]
    show_table(rows, ["down", "up", "10 % flipped", "fair coins"], [f"t = {t:g}" for t in shown], scale=0.9)
    describe(
        "One lattice each of down, up, 10 % flipped and fair coins, at seven times, from black and white spins to "
        "grey noise, which is the same in all rows."
    )
    plt.show()


def draw_posterior(
    problems: Sequence[ToyProblem], class_posterior: Function, add_noise: Function, sample_ensemble: Function
) -> None:
    """Draw the posterior of class 0 by time for lattices of class 0, their mean, and the times that decide the class.

    Args:
        problems: world 2 and world 3.
        class_posterior: the answer to 1.3.
        add_noise: the answer to 1.2.
        sample_ensemble: the answer to 1.1.
    """
    fig, axes = plt.subplots(1, 2, figsize=(9, 3.5), sharey=True)
    grid = torch.linspace(T_MIN, 1, 60, dtype=torch.float64)
    for ax, problem, end in zip(axes, problems, WINDOW_ENDS):
        x0 = problem.embed(sample_ensemble(problem, 0, 400, generator(1)))
        noise = torch.randn(x0.shape, generator=generator(2), dtype=torch.float64)
        rows = []
        for s in grid:
            t = s.expand(400, 1, 1)
            rows.append(class_posterior(add_noise(x0, t, noise), t, problem)[:, 0])
        curves = torch.stack(rows)
        ax.axvspan(WINDOW_START, end, color=SKY, alpha=0.15, linewidth=0, label="the class is open")
        ax.plot(grid, curves[:, :40], color=GREY, alpha=0.35, linewidth=0.7)
        ax.plot(grid, curves.mean(1), color=BLUE, linewidth=2.5, label="mean over class 0")
        ax.axhline(0.5, color=ORANGE, linestyle="--", label="the prior")
        ax.set(title=problem.name, xlabel="time t (data at 0)")
    axes[0].set_ylabel("p(y = 0 | x)")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    describe(
        "The posterior of class 0 against time for two worlds, a grey line for each lattice and a blue one for "
        "their mean, and a dashed line at the prior of one half."
    )
    plt.show()


def draw_best_guess(
    problem: ToyProblem, sample_ensemble: Function, add_noise: Function, conditional_score: Function
) -> None:
    """Draw six noisy lattices of class 0 at four times, and below each the best guess of its data.

    Args:
        problem: a problem of spins.
        sample_ensemble: the answer to 1.1.
        add_noise: the answer to 1.2.
        conditional_score: the answer to 1.4.
    """
    x0 = problem.embed(sample_ensemble(problem, 0, 6, generator(8)))
    noise = torch.randn(x0.shape, generator=generator(9), dtype=torch.float64)
    y, rows, names = torch.zeros(6, dtype=torch.long), [lattices(x0)], ["data"]
    for s in (0.3, 0.45, 0.6, 1.0):
        t = torch.full((6, 1, 1), s, dtype=torch.float64)
        x = add_noise(x0, t, noise)
        guess = (sigma(t) ** 2 * conditional_score(x, t, y, problem) + x) / alpha(t)
        rows += [lattices(x), lattices(guess)]
        names += [f"x at t = {s:g}", "best guess"]
    show_table(rows, names, title=f"Six lattices of {short_name(problem).lower()}, class 0", scale=0.75)
    describe(
        "Six lattices, with noise at four times, and below each the best guess of its data, in shades of grey "
        "between up and down."
    )
    plt.show()


def two_spins() -> ToyProblem:
    """Make the smallest world with a class in its correlations: class 0 is two equal spins, class 1 two fair coins.

    Returns:
        The problem, two sites.
    """
    up = torch.tensor([0.02, 0.98, 0.5], dtype=torch.float64)
    probs = torch.stack([1 - up, up], dim=-1)[:, None].expand(-1, 2, -1).clone()
    weights = torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
    prior = torch.tensor([0.5, 0.5], dtype=torch.float64)
    return ToyProblem("Two spins", probs, weights, prior, torch.tensor(SPINS).double())


def draw_three_arrows(class_posterior: Function, both_scores: Callable[..., tuple[Tensor, Tensor]]) -> None:
    """Draw the score, the push of guidance and their sum at two points of the plane of two spins.

    Args:
        class_posterior: the answer to 1.3.
        both_scores: both_scores(x, t, y, problem) returns the score of the whole world and that of the classes y.
    """
    problem, time, w = two_spins(), 0.22, 3.0
    side = torch.linspace(-2, 2, 81, dtype=torch.float64)
    grid = torch.cartesian_prod(side, side)[..., None]
    p = class_posterior(grid, torch.full((len(grid), 1, 1), time, dtype=torch.float64), problem)[:, 0]
    fig, ax = plt.subplots(figsize=(6.4, 4.8))
    shade = ax.contourf(side, side, p.reshape(81, 81).T, levels=np.linspace(0, 1, 11), cmap="Greys", alpha=0.45)
    fig.colorbar(shade, label="p(y = 0 | x)", shrink=0.8)
    points = torch.tensor([[0.2, -1.35], [1.5, 0.1]], dtype=torch.float64)[..., None]
    t = torch.full((2, 1, 1), time, dtype=torch.float64)
    whole, of_class = both_scores(points, t, torch.zeros(2, dtype=torch.long), problem)
    push = w * (of_class - whole)
    for label, arrows, color in (
        ("s: the score of the world", whole, BLUE),
        (f"w g: the push, w = {w:g}", push, PINK),
        ("s + w g: guided", whole + push, GREEN),
    ):
        for start, arrow in zip(points[..., 0], arrows[..., 0]):
            draw_arrow(ax, start, start + arrow / 6, color, mutation_scale=16)
        ax.plot([], [], color=color, linewidth=2.4, label=label)
    corner = float(alpha(t[0, 0, 0]))
    ax.plot(*points[..., 0].T, "o", color="#222222", markersize=6, zorder=4)
    ax.plot([-corner, corner], [-corner, corner], "X", color="#222222", markersize=9, label="data of class 0 and 1")
    ax.plot([-corner, corner], [corner, -corner], "x", color="#222222", markersize=8, label="data mostly of class 1")
    ax.set(
        xlabel="first spin",
        ylabel="second spin",
        aspect="equal",
        title=f"Two spins at t = {time:g}: the data shrink to ±{corner:.2f}\n(arrows at a sixth of their length)",
    )
    ax.grid(False)
    fig.legend(loc="outside lower center", ncols=2, fontsize=9)
    describe(
        "The plane of two spins, shaded by the posterior of class 0. At two points three arrows start: the score, "
        "the push of guidance, and their sum."
    )
    plt.show()


def draw_classifier(curves: dict[str, dict[str, Sequence[float]]]) -> None:
    """Draw loss, accuracy and quality of the gradient of trained classifiers.

    Args:
        curves: by world: `history`, `best_loss`, `times`, `learned`, `best` and `cosine`.
    """
    _, axes = plt.subplots(1, 3, figsize=(11, 3.2))
    least_accuracy, least_cosine = 0.47, -0.3  # of a classifier that is right; a wrong one is shown, too
    for (name, found), color, marker in zip(curves.items(), (BLUE, ORANGE), "os"):
        look = dict(color=color, marker=marker, markersize=4)
        axes[0].plot(smooth(found["history"], 100), color=color, label=f"{name}, learned")
        axes[0].axhline(found["best_loss"], color=color, linestyle="--", label=f"{name}, best possible")
        axes[1].plot(found["times"], found["learned"], **look, label=f"{name}, learned")
        axes[1].plot(found["times"], found["best"], color=color, linestyle="--", label=f"{name}, best possible")
        axes[2].plot(found["times"], found["cosine"], **look)
        least_accuracy = min(least_accuracy, *found["learned"], *found["best"])
        least_cosine = min(least_cosine, *found["cosine"])
    axes[0].set(title="The loss", xlabel="training step", ylabel="cross-entropy, running mean")
    axes[0].legend(fontsize=8)
    axes[1].set(title="Accuracy", xlabel="time t (data at 0)", ylim=(least_accuracy - 0.02, 1.02))
    axes[1].legend(fontsize=8, loc="lower left")
    axes[2].set(xlabel="time t (data at 0)", ylabel="mean cosine", ylim=(least_cosine - 0.05, 1.05))
    axes[2].set_title("Its gradient against the exact one")
    describe(
        "Three panels for the classifiers of two worlds: the loss against the training step and the accuracy against "
        "time, each beside the best possible one, and the cosine between the learned and the exact gradient against "
        "time."
    )
    plt.show()


def draw_up_spins(rows: Sequence[tuple[str, Sequence[tuple[float, Tensor, Tensor]]]]) -> None:
    """Draw the number of up spins of guided samples beside the tilted distribution.

    Args:
        rows: for each world its name, and for each scale w, the histogram of the samples and the tilted distribution.
    """
    _, axes = plt.subplots(len(rows), len(rows[0][1]), figsize=(11.5, 4.6), sharex=True, sharey=True)
    for line, (name, panels) in zip(axes, rows):
        for ax, (w, samples, tilted) in zip(line, panels):
            k = np.arange(len(tilted))
            ax.bar(k, samples, color=SKY, width=1, label="your samples")
            ax.step(k, tilted, where="mid", color=ORANGE, linewidth=1.4, label="tilted distribution, exact")
            ax.set_yscale("function", functions=(lambda p: np.sqrt(np.maximum(p, 0)), np.square))
            ax.set(xlim=(-1.5, 37.5), ylim=(0, 0.7), xticks=[0, 18, 36], yticks=[0, 0.01, 0.1, 0.3, 0.6])
            if name == rows[0][0]:
                ax.set_title(f"w = {w:g}")
        line[0].set_ylabel(f"{name}\nprobability (root scale)")
    for ax in axes[-1]:
        ax.set_xlabel("spins up")
    axes[0, 0].legend(fontsize=7, loc="upper center")
    describe(
        "Histograms of the number of up spins of guided samples for two worlds and four scales w, on a square-root "
        "scale, each with the exact tilted distribution drawn over it."
    )
    plt.show()


def draw_clean_share(panels: Sequence[tuple[str, dict[str, tuple[Tensor, Tensor]], int]]) -> None:
    """Draw the probability of no spin up by guidance scale: tilted, and sampled with a band of two standard errors.

    Args:
        panels: for each world its title; the scales w and the probabilities of each curve, by name; and the number of
            samples behind each probability. The curve "tilted, exact" was not sampled.
    """
    _, axes = plt.subplots(1, len(panels), figsize=(4.6 * len(panels), 3.2), squeeze=False)
    looks = {
        "tilted, exact": (ORANGE, "--", None),
        "exact gradient": (BLUE, "-", "o"),
        "learned gradient": (GREEN, "-", "s"),
    }
    for ax, (title, curves, n) in zip(axes[0], panels):
        for name, (scales, p) in curves.items():
            color, style, marker = looks[name]
            ax.plot(scales, p, color=color, linestyle=style, marker=marker, label=name)
            if style == "-":
                error = 2 * (p * (1 - p) / n).sqrt()
                ax.fill_between(scales, p - error, p + error, color=color, alpha=0.2, linewidth=0)
        ax.set(title=title, xlabel="guidance scale w", ylim=(0, None))
    axes[0, 0].set_ylabel("P(no spin up)")
    axes[0, -1].legend(loc="lower right")
    describe(
        "The probability that no spin is up against the guidance scale for two worlds: a dashed curve for the "
        "exact tilted distribution, and curves with error bands for the samples."
    )
    plt.show()


def draw_simplex() -> None:
    """Draw the Dirichlet path on the simplex of three letters: points at three concentrations, and one velocity."""
    corners = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.5, 3**0.5 / 2]], dtype=torch.float64)
    shares = torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64)
    _, axes = plt.subplots(1, 4, figsize=(13, 3.4))
    letters = torch.multinomial(shares, 900, replacement=True, generator=generator(1))
    for ax, concentration in zip(axes[:3], (1.0, 2.5, 8.0)):
        points = simplex.sample(letters, concentration, 3, generator(2)) @ corners
        for k, (color, marker) in enumerate(zip((BLUE, ORANGE, GREEN), "o^s")):
            ax.scatter(*points[letters == k].T, s=6, color=color, marker=marker, alpha=0.6)
        ax.set_title(f"α = {concentration:g}", loc="center", pad=14)
    side = torch.linspace(0.06, 0.88, 7, dtype=torch.float64)
    grid = torch.stack([torch.stack([p, q, 1 - p - q]) for p in side for q in side if p + q < 0.96])
    arrows = simplex.velocity(grid, simplex.posterior(grid, shares, 2.5), 2.5) @ corners
    look = dict(color=BLUE, angles="xy", scale_units="xy", scale=0.6, width=0.007, headwidth=4)
    axes[3].quiver(*(grid @ corners).T, *arrows.T, **look)
    axes[3].set_title("the velocity at α = 2.5", loc="center", pad=14)
    for ax in axes:
        ax.fill(*corners.T, facecolor="none", edgecolor=GREY)
        ax.set_aspect("equal")
        bare(ax)
        for k, (place, sides) in enumerate(zip(corners.tolist(), ("right", "left", "center"))):
            ax.text(place[0], place[1] + (0.02 if k == 2 else -0.02), f"letter {k}", ha=sides, fontsize=8,
                    va="bottom" if k == 2 else "top")  # fmt: skip
    describe(
        "Points on the triangle of three letters at three concentrations, in a colour for each letter. The last "
        "triangle shows the velocity as arrows."
    )
    plt.show()
