"""Trains the checkpoint of lab 4 with the lab's own answers: `python -m solutions.train_lab4 lab4 [--steps N]`.

`utils` holds no answer, so the loss, the guided velocity and the Euler step come from the instructor source.
The measurement on the card is a quick one; `python -m solutions.stored_results lab4` makes the real ones.
The run is resumable: kill it, start the same command again, and it goes on where it was. Until the learning rate falls
(the last 30 %), a resumed run may be given another number of steps.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from autograder.course.labs import find_lab
from autograder.course.solved import SolvedLab
from solutions.digit_quality import digit_quality, reference_classifier
from utils.data import load_digits
from utils.metrics import in_batches, over_seeds
from utils.nets import DigitClassifier, UNet, count_parameters
from utils.paths import LinearAlpha, LinearBeta
from utils.reference import FLOORS
from utils.runtime import current_device, fast_bf16, seed_everything
from utils.training import CHECKPOINTS, load_weights, save_weights

NULL = 10


def in_words(values: list[float]) -> str:
    """Mean and standard error; one value has none."""
    return str(over_seeds(values)) if len(values) > 1 else f"{values[0]:.3g}"


@torch.no_grad()
def evaluate(
    lab: dict,
    net: torch.nn.Module,
    classifier: DigitClassifier,
    real: torch.Tensor,
    device: torch.device,
    scales: list[float],
    seeds: int = 1,
    images: int = 1000,
    steps: int = 20,
) -> dict[str, dict[str, str]]:
    """Conditional accuracy and Fréchet distance by guidance scale; `images` from each seed, as many of every digit."""
    labels = torch.arange(10, device=device).repeat(images // 10)
    was_training = net.training
    net.eval()
    table = {}
    for w in scales:
        simulator = lab["EulerSimulator"](lab["CFGVectorFieldODE"](net, w, NULL))
        hits, distances = [], []
        for seed in range(seeds):
            noise = torch.randn(images, 1, 32, 32, generator=torch.Generator().manual_seed(1000 + seed)).to(device)
            grid = torch.linspace(0, 1, steps + 1, device=device)
            with torch.autocast(device.type, torch.bfloat16, enabled=fast_bf16(device)):
                parts = zip(noise.split(100), labels.split(100))
                x = torch.cat([simulator.simulate(n, grid, y=y) for n, y in parts]).float()
            quality = digit_quality(classifier, x, labels, real)
            hits.append(quality.accuracy)
            distances.append(quality.distance)
        table[f"{w:g}"] = {"accuracy": in_words(hits), "Frechet distance": in_words(distances)}
    net.train(was_training)
    return table


def read_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lab", choices=["lab4"])
    parser.add_argument("--steps", type=int, default=20000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--ema", type=float, default=0.999)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", type=int, default=300, help="images for the quick measurement on the card")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where the state of the run is kept")
    parser.add_argument("--out", type=Path, default=CHECKPOINTS / "lab4_cfg.safetensors")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Train lab 4's network, and write its checkpoint and card."""
    args = read_arguments(arguments)
    device = current_device()
    lab = SolvedLab(find_lab(args.lab)).namespace
    seed_everything(args.seed)
    data = load_digits("train", device=device)
    path = lab["GaussianConditionalPath"](data, (1, 32, 32), LinearAlpha(), LinearBeta()).to(device)
    net = UNet()
    classifier = reference_classifier(device)
    reference_card = json.loads((CHECKPOINTS / "reference_classifier.json").read_text())
    real = in_batches(classifier.features, load_digits("test", device=device)[:][0])
    trainer = lab["CFGTrainer"](path, net, 0.1, NULL)
    resume, log = args.runs / f"{args.out.stem}.resume", args.runs / f"{args.out.stem}.log.jsonl"

    def card(weights: torch.nn.Module, seeds: int, scales: list[float], images: int = 1000, euler: int = 20) -> dict:
        return {
            "what": "U-Net velocity u(x, t, y) of digits, label 10 is the null label; running mean of the weights",
            "data": f"{data.source}, {len(data)} training images, 32x32 pixels in [-1, 1]",
            "made by": f"python -m solutions.train_lab4 {args.lab} --steps {args.steps} --batch {args.batch} "
            f"--lr {args.lr:g} --ema {args.ema:g} --seed {args.seed}",
            "settings": net.settings,
            "parameters": count_parameters(net),
            "eta": 0.1,
            "steps": len(trainer.history),
            "last loss": round(sum(trainer.history[-200:]) / len(trainer.history[-200:]), 4),
            "device": f"{device}, {'bfloat16' if fast_bf16(device) else 'float32'}, "
            f"{torch.get_num_threads()} thread(s)",
            "seconds": round(trainer.seconds),
            "sampler": f"Euler, {euler} uniform steps; {images} images, as many of each digit; {seeds} seed(s)",
            "by guidance scale": evaluate(lab, weights, classifier, real, device, scales, seeds, images, euler),
            FLOORS: reference_card[FLOORS],
            "more measurements": "lab4_sweep.json, by python -m solutions.stored_results lab4",
        }

    def keep(trainer) -> None:
        """Now and then: the weights so far, with a quick measurement."""
        keep.calls += 1
        if keep.calls % 10 == 0 or len(trainer.history) == args.steps:
            facts = card(trainer.ema_model, 1, [2.0], min(300, args.images), 15)
            save_weights(trainer.ema_model, args.out, facts)
            args.out.with_suffix(".json").write_text(json.dumps(facts, indent=2) + "\n")
            with log.open("a") as file:
                file.write(
                    json.dumps({k: facts[k] for k in ("steps", "seconds", "last loss", "by guidance scale")}) + "\n"
                )

    keep.calls = 0
    trainer.train(
        args.steps, device, lr=args.lr, batch_size=args.batch, ema=args.ema, bf16=True, checkpoint=resume,
        channels_last=True, on_save=keep,
    )  # fmt: skip
    facts = card(net, 1, [2.0], min(300, args.images), 15)
    save_weights(net, args.out, facts)
    args.out.with_suffix(".json").write_text(json.dumps(facts, indent=2) + "\n")
    print(json.dumps(facts, indent=2))


if __name__ == "__main__":
    main()
