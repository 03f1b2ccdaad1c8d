"""Lab 4 side by side with a plain rendering of the same lab: `python -m bench.bench_lab4 [--curve SECONDS]`.

The plain rendering is how such a lab is usually written: batches of 250, images decoded one by one with PIL, BatchNorm,
float32, two network calls for guidance, 99 Euler steps, Adam at 1e-3, the last weights. Its network computes on pixels
and ours on patches of 2x2 pixels; both have the same channels and layers.
Times are CPU seconds of this process on a CPU, where other processes disturb them little, and wall seconds on a GPU.
The recipes take turns. Results go to bench/results/lab4.json.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import io
import json
import platform
import statistics
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.transforms import functional as pil

from autograder.course.labs import find_lab
from autograder.course.solved import SolvedLab
from bench.check import an_image
from solutions.digit_quality import digit_quality, reference_classifier
from solutions.patch_curve import clock
from solutions.train_lab4 import NULL
from utils.data import LabelledImages, load_digits
from utils.metrics import in_batches
from utils.nets import UNet
from utils.paths import LinearAlpha, LinearBeta
from utils.reference import real_features
from utils.runtime import current_device, fast_bf16, seed_everything
from utils.training import CHECKPOINTS, load_weights, update_ema

RESULTS = Path(__file__).parent / "results" / "lab4.json"


EULER, FEW = {"plain": 99}, 10  # steps of the samplers


def with_batch_norm(net: nn.Module) -> nn.Module:
    """The same network with BatchNorm in place of GroupNorm."""
    for module in net.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.GroupNorm):
                setattr(module, name, nn.BatchNorm2d(child.num_channels))
    return net


class ItemByItem(LabelledImages):
    """Each image goes through PIL on its way into the batch, and a batch is the head of a shuffle of all indices."""

    def sample(self, n: int) -> tuple[Tensor, Tensor]:
        """Return n images and their labels, each image resized on its own."""
        rows = torch.randperm(len(self))[:n]
        pictures = [pil.to_pil_image(self.small[i]) for i in rows]
        images = [pil.to_tensor(pil.resize(picture, [32, 32])) * 2 - 1 for picture in pictures]
        return torch.stack(images).to(self.pixels.device), self.labels[rows.to(self.labels.device)].clone()

    @classmethod
    def of(cls, device: torch.device) -> ItemByItem:
        """Return the training digits on a device."""
        small, large = load_digits("train", size=28), load_digits("train", size=32, device=device)
        data = cls(large.pixels, large.labels, large.source).to(device)
        data.small = small.pixels
        return data


class Recipe:
    """A way to train and to sample. `step()` is one training step; `sample` makes images."""

    def __init__(
        self, name: str, lab: dict, data, net: nn.Module, device, batch: int, lr: float, fast: bool, size: int = 32
    ):
        self.name, self.lab, self.device, self.batch, self.fast, self.size = name, lab, device, batch, fast, size
        self.net = net.to(device, memory_format=torch.channels_last if fast else torch.preserve_format)
        self.mean = copy.deepcopy(self.net).requires_grad_(False) if fast else None
        path = lab["GaussianConditionalPath"](data, (1, size, size), LinearAlpha(), LinearBeta()).to(device)
        self.trainer = lab["CFGTrainer"](path, self.net, 0.1, NULL)
        betas = (0.9, 0.99) if fast else (0.9, 0.999)
        self.lr, self.optimizer = lr, torch.optim.Adam(self.net.parameters(), lr=lr, betas=betas)
        self.steps = 0

    def autocast(self):
        """Return the context for bfloat16, where the recipe and the device allow it."""
        return (
            torch.autocast(self.device.type, torch.bfloat16)
            if self.fast and fast_bf16(self.device)
            else contextlib.nullcontext()
        )

    def step(self) -> None:
        """Do one training step."""
        self.net.train()
        for group in self.optimizer.param_groups:  # the course's loop raises the rate in a hundred steps
            group["lr"] = self.lr * min(1, (self.steps + 1) / 100) if self.fast else self.lr
        with self.autocast():
            loss = self.trainer.get_train_loss(self.batch)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        if self.mean is not None:
            update_ema(self.mean, self.net, min(0.995, (self.steps + 1) / (self.steps + 10)))
        self.steps += 1

    @torch.no_grad()
    def sample(self, images: int, steps: int, w: float = 3.0, seed: int = 0) -> tuple[Tensor, Tensor]:
        """Return images and their labels, sampled with guidance scale w."""
        net = (self.mean if self.mean is not None else self.net).eval()
        noise = torch.randn(images, 1, self.size, self.size, generator=torch.Generator().manual_seed(seed)).to(
            self.device
        )
        labels = (torch.arange(images, device=self.device) * 10) // images
        simulator = self.lab["EulerSimulator"](self.lab["CFGVectorFieldODE"](net, w, NULL))
        grid = torch.linspace(0, 1, steps + 1, device=self.device)
        part = 100 if self.fast else min(images, 200)  # 220 at once in the usual lab
        with self.autocast():
            pieces = zip(noise.split(part), labels.split(part))
            return torch.cat([simulator.simulate(x, grid, y=y) for x, y in pieces]).float(), labels


def recipes(lab: dict, device: torch.device) -> dict[str, Recipe]:
    """Return the recipes to compare, by their names."""
    seed_everything(0)
    digits, small = load_digits("train", device=device), load_digits("train", size=16, device=device)
    usual = with_batch_norm(UNet(patch=1))
    return {
        "plain": Recipe("plain", lab, ItemByItem.of(device), usual, device, 250, 1e-3, fast=False),
        "ours": Recipe("ours", lab, digits, UNet(), device, 64, 2e-3, fast=True),
        "ours, 16x16 (cpu budget)": Recipe(
            "ours16", lab, small, UNet(channels=(16, 32, 64), layers=1, patch=1), device, 64, 2e-3, fast=True, size=16
        ),
    }


def speed(ways: dict[str, Recipe], device: torch.device, rounds: int) -> dict:
    """Median seconds of a training step and of a sampled image, in turns."""
    steps: dict[str, list[float]] = {name: [] for name in ways}
    images: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):  # the first turn warms up
        for name, way in ways.items():
            start = clock(device)
            way.step()
            middle = clock(device)
            few = 2 if device.type == "cpu" else EULER.get(name, FEW)  # all Euler steps cost the same
            way.sample(100, few)
            end = clock(device)
            if turn:
                steps[name].append(middle - start)
                images[name].append((end - middle) / 100 / few * EULER.get(name, FEW))
    return {
        name: {
            "seconds a training step": round(statistics.median(steps[name]), 4),
            "images a training step": way.batch,
            "seconds a sampled image": round(statistics.median(images[name]), 5),
            "Euler steps": EULER.get(name, FEW),
        }
        for name, way in ways.items()
    }


def curve(ways: dict[str, Recipe], device: torch.device, seconds: float, until: float, points: int = 11) -> dict:
    """Accuracy and Fréchet distance at w = 3 against seconds of training: 200 images, 20 Euler steps for all.

    Measured each time that the training has grown by the root of 2, until the accuracy is reached or the time is spent.
    """
    classifier = reference_classifier(device)
    test = load_digits("test", device=device)[:][0]
    table: dict[str, list[dict]] = {}
    for name, way in ways.items():
        spent, rows = 0.0, []
        marks = [seconds * 2.0 ** ((i + 1 - points) / 2) for i in range(points)]
        while marks:
            start = clock(device)
            way.step()
            spent += clock(device) - start
            if spent < marks[0]:
                continue
            marks.pop(0)
            x, labels = way.sample(200, 20)
            reference = nn.functional.interpolate(
                nn.functional.interpolate(test, way.size, mode="area"), 32, mode="bilinear"
            )
            x = nn.functional.interpolate(x, 32, mode="bilinear") if way.size != 32 else x
            real = in_batches(classifier.features, reference if way.size != 32 else test)
            found = digit_quality(classifier, x, labels, real)
            rows.append(
                {
                    "seconds": round(spent, 1),
                    "steps": way.steps,
                    "accuracy": round(found.accuracy, 3),
                    "distance": round(found.distance, 2),
                }
            )
            print(f"  {name}: {rows[-1]}", flush=True)
            if found.accuracy >= until:
                break
        table[name] = rows
    return table


def quality(lab: dict, device: torch.device, images: int, w: float = 2.0) -> dict:
    """The checkpoint sampled from the same noise with the plain number of Euler steps and with ours.

    `speed` measures what the steps cost, because the plain rendering has another network.
    """
    classifier = reference_classifier(device)
    data, result = load_digits("train", device=device), {}
    way = Recipe("ours", lab, data, UNet(), device, 1, 1e-3, fast=True)
    load_weights(way.net, CHECKPOINTS / "lab4_cfg.safetensors")
    way.mean = None
    for name, steps in (("plain", EULER["plain"]), ("ours", FEW)):
        x, labels = way.sample(images, steps, w)
        found = digit_quality(classifier, x, labels, real_features(device))
        result[name] = {
            "Euler steps": steps,
            "accuracy": round(found.accuracy, 4),
            "distance": round(found.distance, 3),
        }
        print(f"  sampling the checkpoint, {images} images, w = {w:g}, {name}: {result[name]}", flush=True)
    return result | {"images": images, "guidance scale": w}


def time_to(rows: list[dict], accuracy: float) -> float | None:
    """Return the seconds until the curve reached an accuracy, or None if it did not."""
    return next((row["seconds"] for row in rows if row["accuracy"] >= accuracy), None)


def main(arguments: list[str] | None = None) -> None:
    """Measure the two recipes, and keep the results in a file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--curve", type=float, default=0.0, metavar="SECONDS", help="also train each recipe for so long"
    )
    parser.add_argument("--until", type=float, default=0.99, help="with --curve: stop at this accuracy")
    parser.add_argument("--only", default="", help="with --curve: the one recipe to train (plain, ours, ours16)")
    parser.add_argument("--quality", type=int, default=0, metavar="IMAGES", help="also sample the checkpoint both ways")
    options = parser.parse_args(arguments)
    device = current_device()
    with contextlib.redirect_stdout(io.StringIO()):
        lab = SolvedLab(find_lab("lab4")).namespace
    facts = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    where = (
        torch.cuda.get_device_name()
        if device.type == "cuda"
        else f"{platform.machine()}, {torch.get_num_threads()} thread(s)"
    )
    entry = facts.setdefault(device.type, {})
    if options.rounds:
        measure_speed(entry, lab, device, where, options.rounds)
    if options.curve:
        chosen = {name: way for name, way in recipes(lab, device).items() if options.only in ("", way.name)}
        entry["curve"] = entry.get("curve", {}) | curve(chosen, device, options.curve, options.until)
    if options.quality:
        entry["quality"] = quality(lab, device, options.quality)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(facts, indent=1) + "\n")
    report(entry)


def measure_speed(entry: dict, lab: dict, device: torch.device, where: str, rounds: int) -> None:
    """Measure the speed of every recipe, and keep it in the entry."""
    entry |= {"device": where, "torch": torch.__version__, "speed": speed(recipes(lab, device), device, rounds)}


def report(entry: dict) -> None:
    """Print one device's results."""
    plain, ours = entry["speed"]["plain"], entry["speed"]["ours"]
    print(f"lab 4 on {entry['device']}")
    for name, row in entry["speed"].items():
        print(f"  {name:<26} {row['seconds a training step']:8.3f} s a step of "
              f"{row['images a training step']:>3} images {1000 * row['seconds a sampled image']:9.1f} ms "
              f"a sampled image ({row['Euler steps']} Euler steps)")  # fmt: skip
    ratio = plain["seconds a sampled image"] / ours["seconds a sampled image"]
    training = an_image(plain) / an_image(ours)
    print(f"  sampling: {ratio:.1f} times faster; a training image: {training:.1f} times; a step: "
          f"{plain['seconds a training step'] / ours['seconds a training step']:.1f} times")  # fmt: skip
    for name, row in entry.get("quality", {}).items():
        if isinstance(row, dict):
            print(f"  the checkpoint sampled: {name:<10} {row}")
    for name, rows in entry.get("curve", {}).items():
        reached = time_to(rows, 0.95)
        last = rows[-1]
        when = f"{reached:.0f} s" if reached else f"more than {last['seconds']:.0f} s"
        print(f"  {name:<26} accuracy .95 at w = 3 after {when}"
              f"; then {last['accuracy']:.3f}, distance {last['distance']} after {last['seconds']:.0f} s")  # fmt: skip


if __name__ == "__main__":
    main()
