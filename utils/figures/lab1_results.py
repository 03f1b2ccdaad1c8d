"""The measurements and tables of lab 1, and its film."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor, nn

from utils import simplex
from utils.board import print_board
from utils.experiments.film import save_gif
from utils.figures.lab1 import Function, draw_rows, lattices, short_name
from utils.runtime import progress
from utils.toy_data import FreshWords, StoredWords, generator
from utils.toy_problems import ToyProblem
from utils.uncertainty import share_error, with_error
from utils.up_spins import chance_distance, count_up, histogram, tilted_pmf, total_variation
from utils.vp import T_MIN

Sample = Callable[..., Tensor]  # sample_guided(problem, label, n, w, steps) of the notebook


def measure_classifier(
    problem: ToyProblem,
    classifier: nn.Module,
    history: Sequence[float],
    sample_ensemble: Function,
    add_noise: Function,
    class_posterior: Function,
    conditional_score: Function,
    learned_gradient: Function,
    words: int = 4000,
) -> dict[str, Any]:
    """Compare a classifier of noisy words with the exact posterior, by time.

    Args:
        problem: the toy problem.
        classifier: classifier(x, t) returns logits.
        history: the losses of its training.
        sample_ensemble: the answer to 1.1.
        add_noise: the answer to 1.2.
        class_posterior: the answer to 1.3.
        conditional_score: the answer to 1.4.
        learned_gradient: learned_gradient(classifier, x, t, y) returns the gradient of its log p(y | x).
        words: how many words are drawn at each time.

    Returns:
        `history`, `best_loss`, that of the exact posterior, `times`, the accuracies `learned` and `best`, and `cosine`,
        that of learned and exact gradient.
    """
    times = torch.linspace(0.06, 0.8, 16, dtype=torch.float64)  # nearer to the data both scores are the same number
    learned, best, cosine = [], [], []
    for i, s in enumerate(times):
        x0, y = FreshWords(problem, sample_ensemble, seed=700 + i).sample(words)  # new ones, or all times err alike
        noise = torch.randn(x0.shape, generator=generator(1100 + i), dtype=torch.float64)
        t = s.expand(len(y), 1, 1)
        x = add_noise(x0.double(), t, noise)
        best.append(float((class_posterior(x, t, problem).argmax(1) == y).double().mean()))
        with torch.no_grad():
            learned.append(float((classifier(x.float(), t.float()).argmax(1) == y).double().mean()))
        # the direction of s(x|y) - s(x), without its cancellation
        exact = conditional_score(x, t, y, problem) - conditional_score(x, t, 1 - y, problem)
        guess = learned_gradient(classifier, x, t, y).double()
        same = nn.functional.cosine_similarity(exact.flatten(1), guess.flatten(1), dim=1, eps=1e-30)
        cosine.append(float(same.mean()))
    curves = {"times": times.tolist(), "learned": learned, "best": best, "cosine": cosine}
    many = FreshWords(problem, sample_ensemble, seed=8).sample(20_000)
    best_loss = loss_of_posterior(problem, *many, add_noise, class_posterior)
    return {"history": history, "best_loss": best_loss, **curves}


def loss_of_posterior(
    problem: ToyProblem, x0: Tensor, y: Tensor, add_noise: Function, class_posterior: Function
) -> float:
    """Return the cross-entropy of the exact posterior at random times, which no classifier can beat on average.

    Args:
        problem: the toy problem.
        x0: words of the problem, shape (n, sites, d).
        y: their classes, shape (n,).
        add_noise: the answer to 1.2.
        class_posterior: the answer to 1.3.

    Returns:
        The loss.
    """
    source = generator(12)
    t = T_MIN + (1 - T_MIN) * torch.rand((len(y), 1, 1), generator=source, dtype=torch.float64)
    x = add_noise(x0.double(), t, torch.randn(x0.shape, generator=source, dtype=torch.float64))
    return float(nn.functional.nll_loss(class_posterior(x, t, problem).log(), y))


def print_convergence(problems: Sequence[ToyProblem], sample_guided: Sample, n: int, steps: Sequence[int]) -> None:
    """Print how far samples at w = 0 and 1 are from the exact distribution, by number of steps, beside chance.

    Args:
        problems: problems of spins.
        sample_guided: sample_guided(problem, label, n, w, steps) draws samples.
        n: the number of samples.
        steps: the numbers of steps.
    """
    lines = [f"{'':<20}{'by chance':>12}" + "".join(f"{count:>12} steps" for count in steps)]
    for problem, w in progress(list(product(problems, (0.0, 1.0))), "sampling"):
        exact = tilted_pmf(problem, 0, w)
        runs = [histogram(count_up(sample_guided(problem, 0, n, w, count)), problem.sites) for count in steps]
        cells = "".join(f"{total_variation(run, exact):>18.3f}" for run in runs)
        lines.append(f"{short_name(problem)}, w = {w:<5g}{chance_distance(exact, n):>15.3f}{cells}")
    print(f"total variation between {n} samples and the exact distribution of the number of up spins, class 0\n")
    print("\n".join(lines))


def print_against_tilted(problems: Sequence[ToyProblem], sample_guided: Sample, n: int, steps: int) -> None:
    """Print P(no spin up) of guided samples and their total variation from the tilted distribution.

    Half the steps give a second estimate: what comes from the step size shrinks when the number of steps doubles.

    Args:
        problems: problems of spins.
        sample_guided: draws samples.
        n: the number of samples.
        steps: the number of steps, at least 2.
    """
    numbers = steps // 2, steps
    lines = [
        f"{'P(no spin up)':<18}{'tilted':<10}"
        + "".join(f"{f'{m} steps':<18}" for m in numbers)
        + f"total variation, {steps} steps"
    ]
    for problem, w in progress(list(product(problems, (1.0, 3.0, 8.0))), "sampling"):
        tilted = tilted_pmf(problem, 0, w)
        runs = [histogram(count_up(sample_guided(problem, 0, n, w, m)), problem.sites) for m in numbers]
        shares = [float(pmf[0]) for pmf in runs]
        cells = "".join(f"{with_error(p, share_error(p, n)):<18}" for p in shares)
        name = f"{short_name(problem)}, w = {w:g}"
        lines.append(f"{name:<18}{float(tilted[0]):<10.3f}{cells}{total_variation(runs[-1], tilted):.2f}")
    print("\n".join(lines))


def clean_share(
    problem: ToyProblem, scales: Sequence[float], samples: dict[str, Callable[[float], Tensor]]
) -> dict[str, tuple[Tensor, Tensor]]:
    """Return the probability of no spin up by guidance scale, tilted and sampled.

    Args:
        problem: a problem of spins.
        scales: the scales w at which samples are drawn.
        samples: a sampler for each name, which takes w.

    Returns:
        Scales and probabilities by name; "tilted, exact" comes first, on a fine grid.
    """
    fine = torch.linspace(min(scales), max(scales), 81)
    curves = {"tilted, exact": (fine, torch.tensor([float(tilted_pmf(problem, 0, w)[0]) for w in fine.tolist()]))}
    for name, sample in samples.items():
        shares = [float((count_up(sample(w)) == 0).double().mean()) for w in progress(scales, f"sampling, {name}")]
        curves[name] = torch.tensor(scales), torch.tensor(shares)
    return curves


def film_of_lattices(states: Sequence[Tensor], times: Sequence[float], scales: Sequence[float]):
    """Return an animation of lattices from noise to data: a row for each w, a clock, and gaps.

    Args:
        states: for each scale, the states on the way, shape (frames, n, sites, 1).
        times: the time of each frame.
        scales: the guidance scale of each row.

    Returns:
        An object that the notebook displays.
    """
    from IPython.display import Image

    fig, ax = plt.subplots(figsize=(0.62 * states[0].shape[1] + 0.9, 0.62 * len(states) + 0.7), dpi=72)
    pictures = []
    for i, t in enumerate(times):
        ax.clear()
        draw_rows(ax, [lattices(run[i]) for run in states], [f"w = {w:g}" for w in scales])
        ax.set_title(f"t = {t:.3f}", family="monospace")
        fig.canvas.draw()
        canvas = np.asarray(fig.canvas.buffer_rgba())  # type: ignore[attr-defined]
        pictures.append(canvas[..., :3].copy())
    plt.close(fig)
    with tempfile.TemporaryDirectory() as folder:
        path = save_gif([*pictures, *pictures[-1:] * 12], Path(folder) / "film.gif", 10, 24)
        return Image(data=path.read_bytes(), format="gif", alt="Lattices from noise to data at three guidance scales.")


def print_control(
    problem: ToyProblem,
    classifiers: dict[str, nn.Module],
    stored: StoredWords,
    fresh: StoredWords,
    add_noise: Function,
    sample: Callable[[nn.Module, float], Tensor],
) -> None:
    """Print the negative control: accuracies on stored and new lattices, and what guidance does with each classifier.

    Args:
        problem: the problem whose classes are alike.
        classifiers: classifiers by name; the first was trained on the stored set.
        stored: the stored set.
        fresh: lattices that no classifier has seen.
        add_noise: the answer to 1.2.
        sample: sample(classifier, w) draws guided samples.
    """
    memorising = next(iter(classifiers.values()))
    source = generator(3)
    print("accuracy at t = 0.05         on the stored set      on new lattices")
    for name, classifier in classifiers.items():
        cells = []
        for data in (stored, fresh):
            t = torch.full((len(data.y), 1, 1), 0.05, dtype=torch.float64)
            x = add_noise(data.x0.double(), t, torch.randn(data.x0.shape, generator=source, dtype=torch.float64))
            with torch.no_grad():
                right = float((classifier(x.float(), t.float()).argmax(1) == data.y).double().mean())
            cells.append(with_error(right, share_error(right, len(data.y))))
        print(f"  {name:<27}{cells[0]:<23}{cells[1]}")
    print(
        "\nguided samples                      belief in class 0      "
        "spins that differ from the nearest stored lattice of class 0"
    )
    for name, classifier in classifiers.items():
        for w in (0.0, 4.0):
            x = sample(classifier, w).float().sign()
            with torch.no_grad():
                belief = memorising(x, torch.full((len(x), 1, 1), 0.01)).softmax(1)[:, 0].double()
            known = stored.x0[stored.y == 0]
            gaps = (x[:, None, :, 0] != known[None, :, :, 0]).sum(-1).min(1).values.double()
            root = math.sqrt(len(x))
            cells = [with_error(float(v.mean()), float(v.std()) / root) for v in (belief, gaps)]
            print(f"  {name + f', w = {w:g}':<34}{cells[0]:<23}{cells[1]} of {problem.sites}")
    print("(the belief: what the classifier trained on the stored set says of these samples, as spins, at t = 0.01)")


def print_guided_letters(n: int, steps: int) -> None:
    """Guide words of one letter on the simplex, and print how often each letter comes.

    Args:
        n: the number of samples.
        steps: the number of steps.
    """
    per_class = torch.tensor([[0.6, 0.3, 0.1], [0.1, 0.3, 0.6]], dtype=torch.float64)
    whole = per_class.mean(0)
    grid = torch.linspace(1.0, 40.0, steps, dtype=torch.float64)
    print(f"{'':<9}{'letter 0':>18}{'letter 1':>18}{'letter 2':>18}      tilted distribution")
    for w in (0.0, 1.0, 3.0):
        x = simplex.sample(torch.zeros(n, dtype=torch.long), 1.0, 3, generator(4))
        for now, then in pairwise(grid):
            concentration = max(float(now), 1.0 + 1e-3)
            p = simplex.posterior(x, whole, concentration)
            z = x.clone().requires_grad_()
            logs = [(q.log() + (concentration - 1) * z.log()).logsumexp(-1) for q in per_class]
            log_posterior = torch.stack(logs, dim=-1).log_softmax(-1)
            (gradient,) = torch.autograd.grad(log_posterior[:, 0].sum(), z)
            q = simplex.project(simplex.guided_posterior(x, p, w * gradient, concentration))
            x = simplex.project(x + (then - now) * simplex.velocity(x, q, concentration)).clamp_min(1e-9)
            x = x / x.sum(-1, keepdim=True)
        share = (torch.bincount(x.argmax(-1), minlength=3).double() / n).tolist()
        tilt = whole * (per_class[0] / (2 * whole)) ** w
        cells = "".join(f"{with_error(s, share_error(s, n)):>18}" for s in share)
        print(f"w = {w:<5g}{cells}      " + "  ".join(f"{float(s):.3f}" for s in tilt / tilt.sum()))


def print_world(problem: ToyProblem, sample_guided: Sample, n: int, steps: int, w: float = 3.0) -> None:
    """Print how far guidance errs in a world of the reader's own, and the line to share: lab 1's open exercise.

    Args:
        problem: a problem of spins whose sites are all alike.
        sample_guided: draws samples.
        n: the number of samples.
        steps: the number of steps.
        w: the guidance scale.
    """
    tilted = tilted_pmf(problem, 0, w)
    distance = total_variation(histogram(count_up(sample_guided(problem, 0, n, w, steps)), problem.sites), tilted)
    chance = chance_distance(tilted, n)
    print_board(
        {"world 2": 0.15, "world 3": 0.07, "yours": distance},
        f"total variation at w = {w:g} (worlds 2 and 3: 2000 samples, 120 steps)",
    )
    ups = [round(p, 3) for p in problem.probs[:, 0, 1].tolist()]
    weights = [[round(share, 3) for share in row] for row in problem.weights.tolist()]
    print(f"\nshare this line:  {distance:.2f} (by chance {chance:.2f}), {n} samples, {steps} steps: {ups}, {weights}")
