"""Compare lab 4's U-Net on pixels with the one on patches: `python -m solutions.patch_curve`. It needs MNIST.

Both networks are trained with the lab's own answers, the same batch, learning rate, moving average and seed. After each
mark of seconds (CPU seconds without a GPU), both are sampled at w = 2. The networks take turns, so that a busy machine
disturbs both alike. A killed run continues. The table goes to utils/checkpoints/lab4_patches.json, which the lab draws.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch

from autograder.course.labs import find_lab
from autograder.course.solved import SolvedLab
from solutions.digit_quality import digit_quality, reference_classifier
from solutions.train_lab4 import NULL
from utils.data import load_digits
from utils.nets import DigitClassifier, UNet, count_parameters
from utils.paths import LinearAlpha, LinearBeta
from utils.reference import real_features
from utils.runtime import current_device, seed_everything
from utils.training import CHECKPOINTS, load_weights

MARKS = tuple(round(424 * 2 ** (-k / 2)) for k in reversed(range(6)))  # seconds of training
PATCHES = {"pixels": 1, "patches": 2}
SETTINGS = {
    "batch": 64, "lr": 2e-3, "warm-up steps": 100, "ema": 0.999, "seed": 0, "w": 2.0, "images": 200, "euler steps": 8,
}  # fmt: skip
CHUNK = 5  # training steps between two looks at the clock


def clock(device: torch.device) -> float:
    """Return the seconds of this device's clock: wall time on a GPU, CPU time elsewhere."""
    if device.type == "cuda":
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def warm_up(device: torch.device) -> None:
    """Take a step of a small network, so that no clock runs while PyTorch loads what it needs."""
    net = UNet(channels=(8, 8), layers=1).to(device)
    x, y = torch.zeros(2, 1, 8, 8, device=device), torch.zeros(2, dtype=torch.long, device=device)
    net(x, torch.zeros(2, 1, 1, 1, device=device), y).sum().backward()
    torch.optim.Adam(net.parameters()).step()


class Contestant:
    """One of the two networks in training.

    Args:
        lab: the names of the solved lab.
        patch: the side of the network's patches, in pixels.
        row: where its seconds, steps and measurements are kept.
        resume: the file that holds the state of its training.
    """

    def __init__(self, lab: dict, patch: int, row: dict, resume: Path):
        self.lab, self.row, self.resume, self.device = lab, row, resume, current_device()
        seed_everything(SETTINGS["seed"])
        data = load_digits("train", device=self.device)
        path = lab["GaussianConditionalPath"](data, (1, 32, 32), LinearAlpha(), LinearBeta()).to(self.device)
        self.trainer = lab["CFGTrainer"](path, UNet(patch=patch), 0.1, NULL)
        if not resume.exists():
            row.update({"parameters": count_parameters(self.trainer.model), "seconds": 0.0, "steps": 0, "curve": []})

    def train(self, seconds: float) -> None:
        """Train until the network has used this many CPU seconds in all (seconds of the clock on a GPU)."""
        if not self.resume.exists():
            seed_everything(SETTINGS["seed"])  # both networks see the same batches
        while self.row["seconds"] < seconds:
            start, steps = clock(self.device), self.row["steps"] + CHUNK
            rate = SETTINGS["lr"] * min(1, steps / SETTINGS["warm-up steps"])
            self.trainer.train(
                steps, self.device, lr=rate, batch_size=SETTINGS["batch"],
                ema=SETTINGS["ema"], bf16=True, channels_last=True, decay=False, checkpoint=self.resume,
            )  # fmt: skip
            self.row["seconds"] += clock(self.device) - start
            self.row["steps"] = len(self.trainer.history)

    def measure(self, classifier: DigitClassifier) -> None:
        """Sample digits, and append their accuracy and Fréchet distance to the curve."""
        images = SETTINGS["images"]
        noise = torch.randn(images, 1, 32, 32, generator=torch.Generator().manual_seed(1000)).to(self.device)
        labels = torch.arange(10, device=self.device).repeat(images // 10)
        x = self.lab["sample_digits"](self.trainer.model, noise, labels, SETTINGS["w"], SETTINGS["euler steps"])
        quality = digit_quality(classifier, x, labels, real_features(self.device))
        self.row["curve"].append({
            "seconds": round(self.row["seconds"], 1),
            "steps": self.row["steps"],
            "accuracy": round(quality.accuracy, 3),
            "distance": round(quality.distance, 3),
        })  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    """Train both networks to every mark, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where the states of the runs are kept")
    parser.add_argument("--out", type=Path, default=CHECKPOINTS / "lab4_patches.json")
    parser.add_argument("--marks", type=float, nargs="+", default=MARKS, help="seconds of training")
    args = parser.parse_args(arguments)
    device, lab = current_device(), SolvedLab(find_lab("lab4")).namespace
    classifier = reference_classifier(device)
    state = args.runs / "lab4_patches.json"
    table = json.loads(state.read_text()) if state.exists() else {}
    if not table:
        for name in PATCHES:
            (args.runs / f"lab4_{name}.resume").unlink(missing_ok=True)
    table |= {"made by": "python -m solutions.patch_curve", "settings": SETTINGS, "device": device.type}
    contestants = {
        name: Contestant(lab, patch, table.setdefault(name, {}), args.runs / f"lab4_{name}.resume")
        for name, patch in PATCHES.items()
    }
    warm_up(device)
    for i, mark in enumerate(args.marks):
        for name, contestant in contestants.items():
            if len(table[name]["curve"]) > i:
                continue
            contestant.train(mark)
            contestant.measure(classifier)
            for file in (state, args.out):
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
            print(f"{name}: {table[name]['curve'][-1]}", flush=True)


if __name__ == "__main__":
    main()
