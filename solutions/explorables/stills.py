"""The still pictures of the explorables, for pages that run no script: each shows its explorable at the start."""

from __future__ import annotations

import json
import math
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image

from solutions.explorables import numbers
from utils import style
from utils.explorables.card import HERE, WIDTH
from utils.vp import alpha, sigma

INK = "#222222"
ARROW = dict(length_includes_head=True, linewidth=0)


def figure(height: float, *panels: int, **options):
    """Return a figure as wide as a card, `height` inches high, and its axes."""
    fig, axes = plt.subplots(*panels, figsize=(WIDTH / 100, height), **options)
    return fig, axes


def two_gaussians() -> plt.Figure:
    """Two Gaussians on a line at t = 0.15, and the arrows at x = -0.4 for w = 2."""
    t, w, x = 0.15, 2.0, -0.4
    fig, (ax, rows) = figure(4.2, 2, 1, sharex=True, height_ratios=[1.15, 1])
    grid = np.linspace(-3.5, 3.5, 281)
    found = [numbers.two_gaussians(t, w, float(v)) for v in grid]
    all_data, of_class = (np.array([f[key] for f in found]) for key in ("density", "of_class"))
    ax.fill_between(grid, of_class, color=style.ORANGE, alpha=0.28, linewidth=0)
    ax.plot(grid, all_data - of_class, "--", color=style.GREY, linewidth=1.2, label="the other class")
    ax.plot(grid, of_class, color=style.ORANGE, linewidth=1.4, label="the class y")
    ax.plot(grid, all_data, color=INK, label="all data")
    ax.plot([x], [0], "o", color=INK, markersize=8, clip_on=False)
    ax.legend(loc="upper left")
    ax.set(ylim=(0, 0.36), yticks=[], title=f"t = {t}, w = {w:g}, x = {x}")
    at = numbers.two_gaussians(t, w, x)
    variance = float(alpha(torch.tensor(t)) ** 2 * 0.25 + sigma(torch.tensor(t)) ** 2)
    tip = x + variance * at["score"]
    arrows = (
        (x, tip, style.BLUE, f"s = {at['score']:.2f}: all data"),
        (x, x + variance * at["class_score"], style.ORANGE, f"$s_y$ = {at['class_score']:.2f}: the class"),
        (tip, x + variance * at["guided"], style.PINK, f"w ($s_y$ − s) = {at['guided'] - at['score']:.2f}"),
        (x, x + variance * at["guided"], style.GREEN, f"$s_w$ = {at['guided']:.2f}: guided"),
    )
    for i, (start, end, color, words) in enumerate(arrows):
        rows.arrow(start, -i, end - start, 0, width=0.07, head_width=0.34, head_length=0.11, color=color, **ARROW)
        rows.text(-3.45, -i, words, va="center")
    rows.axvline(x, color=style.GREY, linewidth=0.8, linestyle=":")
    rows.set(ylim=(-3.6, 0.6), xlim=(-3.5, 3.5), xlabel="x", yticks=[])
    rows.spines["left"].set_visible(False)
    ax.spines["left"].set_visible(False)
    return fig


def up_spins() -> plt.Figure:
    """The number of up spins in world 2 at w = 3, tilted and sampled, and P(no spin up) against w."""
    fig, (bars, curve) = figure(4.2, 2, 1, height_ratios=[1.2, 1])
    at = numbers.up_spins(0, 3.0)
    k = np.arange(37)
    bars.bar(k, at["tilted"], color=style.ORANGE, label="tilted by w = 3")
    bars.hlines(at["of_class"], k - 0.5, k + 0.5, color=style.BLUE, linewidth=2, label="the class")
    bars.set(xlabel="spins up", xlim=(-0.8, 36.8), xticks=range(0, 37, 6), title="World 2")
    scales = np.linspace(0, 8, 81)
    none = [numbers.up_spins(0, float(w))["none_up"] for w in scales]
    curve.plot(scales, none, color=style.ORANGE)
    curve.plot([3], [at["none_up"]], "o", color=style.ORANGE, markersize=8)
    curve.annotate(f"{at['none_up']:.4f} at w = 3", (3, at["none_up"]), (3.1, at["none_up"] - 0.11))
    stored = json.loads((HERE / "stored" / "up_spins.json").read_text())
    shares = np.array(stored["counts"][0]) / stored["samples"]  # (scales, number of up spins)
    bars.plot(k, shares[stored["w"].index(3.0)], "o", color=INK, markersize=4, label="guided, w = 3")
    sampled = shares[:, 0]
    error = np.sqrt(sampled * (1 - sampled) / stored["samples"])
    curve.errorbar(stored["w"], sampled, error, fmt="o", color=INK, markersize=4, elinewidth=2)
    bars.legend(loc="upper center", ncols=3)
    curve.annotate("guided samples", (8, sampled[-1]), (6.75, sampled[-1] + 0.06))
    curve.set(xlabel="guidance scale w", ylim=(0, 0.5), xlim=(-0.1, 8.1), title="P(no spin up)")
    return fig


def ring_field() -> plt.Figure:
    """The square at sigma = 0.2, with the pulls of the copies at (0.3, 0.35)."""
    level, point, shown = 0.2, numbers.vector(0.3, 0.35), (-0.33, 1.33)
    fig, ax = figure(5.4, 1, 1)
    side = torch.linspace(*shown, 184, dtype=torch.float64)
    density = numbers.ring_density(torch.cartesian_prod(side, side) % 1, level).reshape(184, 184).T
    inside = (side >= 0) & (side <= 1)
    opacity = torch.where(inside[:, None] & inside, 0.75, 0.27) * (density / density.max()).sqrt()
    blue = torch.tensor([int(style.BLUE[i : i + 2], 16) / 255 for i in (1, 3, 5)]).expand(184, 184, 3)
    ax.imshow(
        torch.cat([blue, opacity[..., None]], -1), origin="lower", extent=(*shown, *shown), interpolation="bilinear"
    )
    places = torch.cartesian_prod(*[(torch.arange(15, dtype=torch.float64) + 0.5) / 15] * 2)
    field = numbers.ring_score(places, level)
    field = field / field.norm(dim=1, keepdim=True)
    ax.quiver(*places.T, *field.T, color=style.GREY, pivot="mid", scale=32, width=0.0022)
    variance = level**2 + 0.01**2
    copies = torch.tensor(
        [[m - i, n - j] for m, n in ((0.25, 0.75), (0.75, 0.25)) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    )
    shares = (-(point - copies).square().sum(1) / (2 * variance)).softmax(0)
    for copy, share in zip(copies, shares):
        if share > 0.004:
            ax.plot(*torch.stack([point, copy.double()]).T, ":", color=style.GREY, linewidth=1)
            ax.plot(*copy, "o", color=style.ORANGE, markersize=6)
            ax.arrow(*point, *(share * (copy - point)), width=0.008, head_width=0.032, color=style.ORANGE, **ARROW)
            ax.annotate(
                f"{share:.0%}", copy, (0, 7), textcoords="offset points", ha="center", weight="bold", fontsize=9
            )
    score = numbers.ring_score(point[None], level)[0]
    ax.arrow(*point, *(variance * score), width=0.01, head_width=0.04, color=INK, zorder=4, **ARROW)
    ax.plot(*point, "o", color=INK, markersize=9, markeredgecolor=style.PAPER, zorder=5)
    ax.add_patch(plt.Rectangle((0, 0), 1, 1, fill=False, edgecolor=style.GREY))
    style.bare(ax)
    ax.set(
        xlim=shown,
        ylim=shown,
        xlabel="atom 1",
        ylabel="atom 2",
        title=f"σ = {level:g}; the score is ({score[0]:.2f}, {score[1]:.2f})",
    )
    return fig


def ring_walk(steps: int = 30) -> plt.Figure:
    """The first steps of one walk, on the disc and as a distance."""
    fig = plt.figure(figsize=(WIDTH / 100, 3.6))
    disc, chart = fig.add_subplot(1, 2, 1, projection="polar"), fig.add_subplot(1, 2, 2)
    source = numbers.Random(4)
    start = numbers.vector(source.uniform(), source.uniform())
    states = numbers.ring_walk(start, source.normals(63, 2))[: steps + 1]
    radius = 0.22 + 0.78 * np.arange(steps + 1) / 63
    for atom, color in ((0, style.BLUE), (1, style.ORANGE)):
        angle = np.unwrap(2 * math.pi * states[:, atom].numpy())
        disc.plot(angle, radius, color=color, marker="o", markersize=2.5, linewidth=1.6)
        disc.plot(angle[-1:], radius[-1:], "o", color=color, markersize=12)
        disc.annotate(str(atom + 1), (angle[-1], radius[-1]), ha="center", va="center", color="white", fontsize=8)
    disc.set(yticks=[], ylim=(0, 1), xticks=[0, math.pi / 2, math.pi, 1.5 * math.pi], title="Outwards is later")
    disc.set_xticklabels(["0", "¼", "½", "¾"])
    disc.grid(False)
    disc.plot([math.pi / 2, math.pi / 2, 1.5 * math.pi], [1, 0, 1], ":", color=style.GREY, linewidth=1)
    crystal = numbers.vector(0.25, 0.75)
    gaps = torch.stack([states - crystal, states - crystal.flip(0)])
    chart.plot((gaps - gaps.round()).norm(dim=-1).amin(0), color=style.GREEN)
    levels = [0.001 * 200 ** (1 - math.ceil(k / 3) / 21) for k in range(64)]
    chart.step(range(64), levels, "--", where="pre", color=style.GREY, linewidth=1.2, label="noise σ")
    chart.set(yscale="log", xlabel="steps", xticks=range(0, 64, 21), title="Distance to the crystal")
    chart.legend()
    return fig


def particle_cloud() -> plt.Figure:
    """400 particles at the end of sampling with w = 4 over the tilted density, for both samplers."""
    w = 4.0
    fig, axes = figure(4.1, 1, 2)
    source = numbers.Random(7)
    start, noise = source.normals(400, 2), source.normals(1000, 400, 2)
    ends = {"ODE (DDIM)": numbers.cloud_ode(start, w)[-1], "SDE (DDPM)": numbers.cloud_sde(start, w, noise)[-1]}
    _, density = numbers.tilted_density(-1, w, 128)
    blue = torch.tensor([int(style.BLUE[i : i + 2], 16) / 255 for i in (1, 3, 5)]).expand(128, 128, 3)
    sheet = torch.cat([blue, 0.67 * density.reshape(128, 128).T[..., None]], -1)
    for ax, (name, x) in zip(axes, ends.items()):
        ax.imshow(sheet, origin="lower", extent=(-3.2, 3.2, -3.2, 3.2), interpolation="bilinear")
        ax.scatter(*x.T, s=7, color=INK, alpha=0.55, linewidths=0)
        for k, mean in enumerate(numbers.PLANE.means):
            mine = k == numbers.CLASS
            ax.plot(
                *mean,
                "+",
                color=style.ORANGE if mine else style.GREY,
                markersize=10,
                markeredgewidth=2.5 if mine else 1.2,
            )
        at = numbers.spread(x)
        ax.set(xlim=(-3.2, 3.2), ylim=(-3.2, 3.2), title=f"{name}: mean {at['mean']:.2f}, spread {at['sd']:.2f}")
        style.bare(ax)
        ax.add_patch(plt.Rectangle((-3.2, -3.2), 6.4, 6.4, fill=False, edgecolor=style.GAP, linewidth=2))
    return fig


def guided_digits() -> plt.Figure:
    """Four sevens at w = 3, and the ten digits from the first noise, from the stored sheet."""
    facts = json.loads((HERE / "stored" / "guided_digits.json").read_text())
    side, many = facts["side"], facts["noises"]
    sheet = np.asarray(Image.open(HERE / "stored" / "guided_digits.webp").convert("L"))
    row = 1 + (facts["w"].index(3.0) - 1) * (len(facts["t"]) - 1) + len(facts["t"]) - 2
    pictures = [sheet[row * side : (row + 1) * side, j * side : (j + 1) * side] for j in range(10 * many)]
    limit = 127.5 / facts["limit"]  # bytes from white, -1, to black, 1
    gray = dict(cmap="gray", vmin=127.5 - limit, vmax=127.5 + limit)
    fig = plt.figure(figsize=(WIDTH / 100, 3.1))
    above, below = fig.subfigures(2, 1, height_ratios=[1.5, 1])
    for i, ax in enumerate(above.subplots(1, 4)):
        ax.imshow(pictures[7 * many + i], **gray)
        ax.set_title(f"noise {i + 1}", loc="center", fontsize=9)
        style.bare(ax)
    for d, ax in enumerate(below.subplots(1, 10)):
        ax.imshow(pictures[d * many], **gray)
        ax.set_title(str(d), loc="center", fontsize=9)
        style.bare(ax)
    return fig


STILLS = (two_gaussians, up_spins, ring_field, ring_walk, particle_cloud, guided_digits)


def store_stills() -> Path:
    """Draw all stills."""
    style.use_style()
    for draw in STILLS:
        fig = draw()
        path = HERE / "stills" / f"{draw.__name__}.png"
        fig.savefig(path, dpi=100)
        plt.close(fig)
        Image.open(path).convert("RGB").save(path, optimize=True)
    return HERE / "stills"
