"""Stored samples of two explorables: the number of up spins under guidance (lab 1), and guided digits (lab 4)."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from autograder.course.labs import find_lab
from autograder.course.solved import SolvedLab
from utils.explorables.card import HERE
from utils.fallback import stored_table
from utils.nets import UNet
from utils.toy_problems import ToyProblem, all_down, ferromagnet
from utils.training import CHECKPOINTS, load_weights
from utils.up_spins import count_up

DATA = HERE / "stored"
SPIN_SCALES = [0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0]
LATTICES, SPIN_STEPS = 2000, 120
DIGIT_SCALES = [0.0, 1.0, 2.0, 3.0, 5.0, 10.0]
NOISES, EULER_STEPS, EVERY, NULL = 4, 10, 2, 10
SEED = 7
SIDE = 32  # pixels of a digit
LIMIT, NOISE_LIMIT = 1.25, 4.0  # the largest values that are stored of pictures and of noise
QUALITY = 48  # of WebP


def store_up_spins() -> Path:
    """Write how many of the guided lattices have k up spins, for each world and each w."""
    sample_guided = SolvedLab(find_lab("lab1")).namespace["sample_guided"]

    def counts(problem: ToyProblem, w: float) -> list[int]:
        ups = count_up(sample_guided(problem, 0, LATTICES, w, SPIN_STEPS))
        return torch.bincount(ups, minlength=problem.sites + 1).tolist()

    table = [[counts(problem, w) for w in SPIN_SCALES] for problem in (ferromagnet(), all_down())]
    stored = {"w": SPIN_SCALES, "samples": LATTICES, "steps": SPIN_STEPS, "counts": table}
    path = DATA / "up_spins.json"
    path.write_text(json.dumps(stored) + "\n")
    return path


@torch.no_grad()
def digits() -> Callable[[float, Tensor, Tensor], Tensor]:
    """Return a function of w, noise and labels: the walk of lab 4's checkpoint, shape (b, times, 1, 32, 32)."""
    lab = SolvedLab(find_lab("lab4")).namespace
    net = UNet(**stored_table("lab4_cfg")["settings"])
    load_weights(net, CHECKPOINTS / "lab4_cfg.safetensors")
    net.eval()
    grid = torch.linspace(0, 1, EULER_STEPS + 1)

    def walk(w: float, noise: Tensor, labels: Tensor) -> Tensor:
        simulator = lab["EulerSimulator"](lab["CFGVectorFieldODE"](net, w, NULL))
        return simulator.simulate_with_trajectory(noise, grid, every=EVERY, y=labels)

    return walk


def digit_noise() -> Tensor:
    """Return the noises that all digits start from, shape (NOISES, 1, 32, 32)."""
    return torch.randn(NOISES, 1, 32, 32, generator=torch.Generator().manual_seed(SEED))


def digit_rows() -> list[Tensor]:
    """Draw all digits: a row of pictures (n, 32, 32) for w = 0, then one for each larger w and each time after 0.

    A picture is the part of x_t that is not noise, (x_t - (1 - t) noise) / t. It is smooth, so it compresses well. A
    row holds NOISES pictures of each digit. At w = 0 the label does not matter: the first row holds NOISES pictures of
    each time.
    """
    walk, noise = digits(), digit_noise()
    labels = torch.arange(10).repeat_interleave(NOISES)
    start = noise.repeat(10, 1, 1, 1)

    def without_noise(states: Tensor, noise: Tensor) -> list[Tensor]:
        times = torch.linspace(0, 1, states.shape[1])
        return [((x - (1 - t) * noise) / t)[:, 0] for t, x in zip(times[1:], states.transpose(0, 1)[1:])]

    rows = [torch.cat(without_noise(walk(0.0, noise, labels[:NOISES]), noise))]
    for w in DIGIT_SCALES[1:]:
        rows += without_noise(walk(w, start, labels), start)
    return rows


def as_bytes(pictures: Tensor, most: float) -> Tensor:
    """Map values from -most (paper) to most (ink) to bytes from 255 to 0."""
    return ((1 - pictures.clamp(-most, most) / most) * 127.5).round().to(torch.uint8)


def store_digits(rows: list[Tensor] | None = None) -> Path:
    """Write the sheet of digits, and beside it what the card needs to read it: w, t and the noises.

    Args:
        rows: what `digit_rows` returns, if it was computed before.
    """
    rows = digit_rows() if rows is None else rows
    sheet = torch.full((len(rows) * SIDE, 10 * NOISES * SIDE), 255, dtype=torch.uint8)
    for i, row in enumerate(rows):
        for j, picture in enumerate(as_bytes(row, LIMIT)):
            sheet[i * SIDE : (i + 1) * SIDE, j * SIDE : (j + 1) * SIDE] = picture
    file = io.BytesIO()
    Image.fromarray(sheet.numpy()).convert("RGB").save(file, "WEBP", quality=QUALITY, method=6)
    (DATA / "guided_digits.webp").write_bytes(file.getvalue())
    noise = as_bytes(digit_noise()[:, 0], NOISE_LIMIT).numpy().tobytes()
    frames = EULER_STEPS // EVERY
    facts = {
        "w": DIGIT_SCALES, "t": [i / frames for i in range(frames + 1)], "noises": NOISES, "side": SIDE, "limit": LIMIT,
        "noise_limit": NOISE_LIMIT, "noise": base64.b64encode(noise).decode(),
    }  # fmt: skip
    path = DATA / "guided_digits.json"
    path.write_text(json.dumps(facts) + "\n")
    return path
