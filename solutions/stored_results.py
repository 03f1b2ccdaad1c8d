"""The stored results of labs 3 and 4: `python -m solutions.stored_results lab4`. Run it after a new checkpoint.

1. checkpoints/labN_sweep.json: accuracy, Fréchet distance, precision and recall by guidance scale; for lab 4 also the
   baselines of the few-step challenge. Each number is written as it comes; a killed run goes on where it was.
2. checkpoints/lab3_results.safetensors: the picture with which lab 3 opens.
3. checkpoints/lab4_results.safetensors: what the notebook's illustrations show, for students whose earlier answer is
   missing. They are the variables of the notebook after all of its cells have run at this budget.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib
import torch

from autograder.course.labs import find_lab
from autograder.course.solved import SolvedLab
from solutions.digit_quality import digit_quality, reference_classifier
from utils.data import load_digits
from utils.fallback import stored_table
from utils.metrics import in_batches, precision_recall
from utils.nets import DigitClassifier, NoiseUNet, NoisyDigitClassifier, UNet
from utils.reference import real_floors
from utils.runtime import current_device
from utils.training import CHECKPOINTS, load_weights, save_tensors

SCALES = {"lab3": (0.0, 1.0, 2.0, 3.0, 4.0, 8.0), "lab4": (0.5, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 100.0)}
OPENING = (0.0, 1.0, 2.0, 4.0, 8.0)  # rows of the picture with which lab 3 opens
Sampler = Callable[[torch.Tensor, torch.Tensor, float], torch.Tensor]  # noise, labels, w


def lab3_sampler(steps: int) -> tuple[Sampler, dict]:
    """Guided DDIM with the checkpoints and the lab's answers; and what the table depends on."""
    lab, device = SolvedLab(find_lab("lab3")).namespace, current_device()
    schedule = lab["linear_schedule"](1000).to(device)
    net, classifier = NoiseUNet(schedule.alpha_bars).to(device), NoisyDigitClassifier(1000).to(device)
    trained = {
        f"{name} steps": load_weights(model, CHECKPOINTS / f"lab3_{name}.safetensors")["steps"]
        for name, model in (("noise", net), ("classifier", classifier))
    }

    def sample(noise, labels, w):
        parts = zip(noise.split(100), labels.split(100))
        return torch.cat([lab["sample_digits"](net, classifier, n, y, w, steps, schedule) for n, y in parts])

    return sample, trained | {"ddim steps": steps}


def lab4_sampler(steps: int) -> tuple[Sampler, dict]:
    """Guided Euler steps with the checkpoint and the lab's answers; and what the table depends on."""
    lab, net = SolvedLab(find_lab("lab4")).namespace, UNet(**stored_table("lab4_cfg")["settings"])
    card = load_weights(net, CHECKPOINTS / "lab4_cfg.safetensors")
    net.to(current_device(), memory_format=torch.channels_last)
    sample = lambda noise, labels, w: lab["sample_digits"](net, noise, labels, w, steps)  # noqa: E731
    return sample, {"checkpoint steps": card["steps"], "euler steps": steps}


def sweep(sample: Sampler, facts: dict, scales: Sequence[float], out: Path, images: int, seeds: int) -> None:
    """Fill the table, one (scale, seed) at a time."""
    device = current_device()
    classifier = reference_classifier(device)
    reference = in_batches(classifier.features, load_digits("test", device=device)[:][0])
    key = facts | {"images": images, "seeds": seeds}
    table = json.loads(out.read_text()) if out.exists() else {}
    if {name: table.get(name) for name in key} != key:
        table = key | {"by scale": {}}
    table["floor"] = real_floors()[images]
    labels = torch.arange(10, device=device).repeat(images // 10)
    for w in scales:
        row = table["by scale"].setdefault(f"{w:g}", {"accuracy": [], "distance": [], "precision": [], "recall": []})
        for seed in range(len(row["recall"]), seeds):
            noise = torch.randn(images, 1, 32, 32, generator=torch.Generator().manual_seed(1000 + seed))
            quality = digit_quality(classifier, sample(noise, labels, w), labels, reference)
            near = precision_recall(reference[:: len(reference) // images][:images], quality.features)
            row["accuracy"].append(quality.accuracy)
            row["distance"].append(quality.distance)
            row["precision"].append(near[0])
            row["recall"].append(near[1])
            out.write_text(json.dumps(table, indent=1) + "\n")
            print(
                f"w = {w:g}, seed {seed}: " + ", ".join(f"{name} {values[-1]:.4g}" for name, values in row.items()),
                flush=True,
            )
    table["by scale"] = dict(sorted(table["by scale"].items(), key=lambda row: float(row[0])))
    out.write_text(json.dumps(table, indent=1) + "\n")


def as_bytes(images: torch.Tensor) -> torch.Tensor:
    """Return images of [-1, 1] as bytes of 0 to 255."""
    return ((images.float().cpu().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def store_opening_of_lab3(steps: int) -> None:
    """Store the picture with which lab 3 opens: ten digits from the same noises, for each scale."""
    sample, _ = lab3_sampler(steps)
    noise = torch.randn(10, 1, 32, 32, generator=torch.Generator().manual_seed(14))
    digits = torch.stack([sample(noise, torch.arange(10), w) for w in OPENING])
    save_tensors({"by_scale": as_bytes(digits)}, CHECKPOINTS / "lab3_results.safetensors")


def main() -> None:
    """Measure the sweep of a lab, and store its pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lab", choices=["lab3", "lab4"])
    parser.add_argument("--images", type=int, default=1000, choices=sorted(real_floors()))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, help="of the sampler: 25 of DDIM, or 10 of Euler")
    parser.add_argument("--scales", type=float, nargs="+", help="other guidance scales than the notebook's")
    parser.add_argument("--out", type=Path, help="another table than the notebook's")
    parser.add_argument("--only", choices=["sweep", "pictures"])
    args = parser.parse_args()
    table = args.out or CHECKPOINTS / f"{args.lab}_sweep.json"
    if args.only != "pictures":
        sample, facts = lab3_sampler(args.steps or 25) if args.lab == "lab3" else lab4_sampler(args.steps or 10)
        sweep(sample, facts, args.scales or SCALES[args.lab], table, args.images, args.seeds)
    if args.only == "sweep":
        return
    if args.lab == "lab3":
        store_opening_of_lab3(args.steps or 25)
        return
    matplotlib.use("Agg")
    names = SolvedLab(find_lab(args.lab), all_cells=True, quiet=False).namespace
    facts = json.loads(table.read_text())
    facts["few steps"] = {name: {str(k): v for k, v in row.items()} for name, row in names["board"].items()}
    facts["few steps images"] = names["challenge_images"]
    table.write_text(json.dumps(facts, indent=1) + "\n")
    pictures = {"small_grid": names["mine"], "by_scale": names["sheets"], "film": names["frames"]}
    arrays = {
        "toy_history": torch.tensor(names["toy_history"]),
        "digits_history": torch.tensor(names["my_history"]),
        "toy_paths": names["toy_paths"].half(),
    }
    save_tensors(
        arrays | {name: as_bytes(value) for name, value in pictures.items()},
        CHECKPOINTS / "lab4_results.safetensors",
    )


if __name__ == "__main__":
    main()
