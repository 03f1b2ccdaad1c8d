"""Draw the pictures of the board of mistakes: `python -m docs.site.board.draw [NAME …]`.

Each picture shows the samples that one mistake of `mistakes.py` leads to. A mistake in a loss is made in a real
training, on lab 4's three blobs: 2,500 steps with 256 points each, the lab's own budget. A mistake in a velocity or in
a step is made while lab 4's checkpoint draws digits. The noise is the same in all pictures. A picture takes less than a
minute on one core, and is kept as long as its wrong answer stays the same.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import io
import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from PIL import Image
from torch import Tensor

from autograder.validation.kill_matrix import namespace_of, solved_lab
from docs.site.board.mistakes import PICTURES, REFERENCES, Mistake, all_mistakes
from docs.site.live.export import NULL, checkpoint
from utils.nets import LabelledMLP
from utils.paths import LinearAlpha, LinearBeta
from utils.plotting import tile
from utils.style import BLUE, GREEN, GREY, ORANGE, bare

SCALE, STEPS = 3.0, 20  # of the digits
TOY_STEPS, TOY_BATCH, TOY_POINTS = 2500, 256, 100
WIDTH = 760  # pixels of a row of digits, at most
REACH = 4.2  # how far the pictures of the blobs reach from their middle


def ten_digits(names: dict, path: Path) -> None:
    """Draw the digits 0 to 9 with the velocity and the Euler step in a namespace."""
    noise = torch.randn(10, 1, 32, 32, generator=torch.Generator().manual_seed(7))
    simulator = names["EulerSimulator"](names["CFGVectorFieldODE"](checkpoint(), SCALE, NULL))
    save_row(simulator.simulate(noise, torch.linspace(0, 1, STEPS + 1), y=torch.arange(10)), path)


def save_row(images: Tensor, path: Path) -> None:
    """Save a row of images as a grey picture, light ink on dark paper; the page inverts it in the light theme."""
    sheet = torch.from_numpy(tile(images.nan_to_num(), columns=len(images), gap=4)).nan_to_num(-1)
    picture = Image.fromarray(((sheet + 1) * 127.5).round().to(torch.uint8).numpy(), mode="L")
    scale = WIDTH // picture.width
    picture = picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.BICUBIC)
    picture.quantize(16).save(path, optimize=True)


def three_blobs(names: dict, right: dict, path: Path) -> None:
    """Train with the loss in a namespace, and draw samples by the right velocity and step, at w = 1 and w = 3."""
    torch.manual_seed(0)
    toy, null = right["toy"], right["TOY_NULL"]
    way = right["GaussianConditionalPath"](toy, (1, 1, 2), LinearAlpha(), LinearBeta())
    trainer = names["CFGTrainer"](way, LabelledMLP((1, 1, 2), num_labels=4), eta=0.1, null_label=null)
    trainer.train(TOY_STEPS, "cpu", lr=2e-3, batch_size=TOY_BATCH)
    noise = torch.randn(3 * TOY_POINTS, 1, 1, 2, generator=torch.Generator().manual_seed(5))
    labels = torch.arange(3).repeat_interleave(TOY_POINTS)
    fig, axes = plt.subplots(1, 2, figsize=(4.4, 2.2), gridspec_kw={"wspace": 0.04}, layout="none")
    for ax, w in zip(axes, (1.0, 3.0)):
        simulator = right["EulerSimulator"](right["CFGVectorFieldODE"](trainer.model, w, null))
        points = simulator.simulate(noise, torch.linspace(0, 1, 41), y=labels).flatten(1)
        for k, (color, marker) in enumerate(zip((BLUE, ORANGE, GREEN), "o^s")):
            ax.scatter(*points[labels == k].T, s=7, color=color, marker=marker, linewidths=0, alpha=0.8)
            ax.scatter(*toy.means[k].flatten(), marker="x", s=60, color=GREY, linewidths=2, zorder=3)
        ax.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), aspect="equal", facecolor="none")
        ax.text(0.03, 0.03, f"w = {w:g}", transform=ax.transAxes, fontsize=8, color=GREY)
        bare(ax)
    fig.subplots_adjust(0, 0, 1, 1)
    fig.savefig(path, dpi=150, transparent=True)
    plt.close(fig)
    Image.open(path).quantize(64).save(path, optimize=True)


def fingerprint(mistake: Mistake) -> str:
    """Return a hash of the wrong answer without comments and layout, by which a stale picture is known."""
    return hashlib.sha256(ast.unparse(ast.parse(mistake.source())).encode()).hexdigest()[:12]


def draw(mistake: Mistake | None, of_loss: bool, path: Path) -> None:
    """Draw the picture of one mistake, or of the right answers where it is None."""
    lab = solved_lab("lab4")
    names = namespace_of(lab, mistake.mutant) if mistake else lab.namespace
    with contextlib.redirect_stdout(io.StringIO()):
        if of_loss:
            three_blobs(names, lab.namespace, path)
        else:
            ten_digits(names, path)


def main(only: list[str]) -> None:
    """Draw what is missing or stale, and remember from which source each picture was drawn."""
    PICTURES.mkdir(exist_ok=True)
    table = PICTURES / "drawn_from.json"
    drawn = json.loads(table.read_text()) if table.exists() else {}
    tasks: list[tuple[str, Mistake | None, bool, str]] = [
        (REFERENCES[of_loss], None, of_loss, "model answers") for of_loss in (False, True)
    ]
    tasks += [(m.key, m, m.of_loss, fingerprint(m)) for m in all_mistakes()]
    for name, mistake, of_loss, source in tasks:
        path = PICTURES / f"{name}.png"
        if (only and name not in only) or (path.exists() and drawn.get(name) == source and not only):
            continue
        draw(mistake, of_loss, path)
        drawn[name] = source
        table.write_text(json.dumps(drawn, indent=1, sort_keys=True) + "\n")
        print(path, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
