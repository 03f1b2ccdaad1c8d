"""Train the two networks of lab 3 with the lab's own code: `python -m solutions.train_lab3 noise|classifier`.

`noise` starts from lab 4's checkpoint unless --from-scratch: a U-Net with the null label already predicts a velocity,
from which the noise follows. Lab 4's network reads patches and lab 3's reads pixels, so their first and last
convolutions differ in shape and start from random weights. With --start it continues an earlier network of lab 3; the
committed one began with a lab 4 network that read pixels. If a run is killed, the same command continues it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from autograder.course.labs import find_lab
from autograder.course.solved import SolvedLab
from solutions.train_lab4 import NULL
from utils.data import LabelledImages, load_digits
from utils.metrics import in_batches
from utils.nets import NoiseUNet, NoisyDigitClassifier, count_parameters
from utils.runtime import current_device, fast_bf16, seed_everything
from utils.training import CHECKPOINTS, load_tensors, load_weights, save_weights

STEPS = 1000  # T


def from_lab4(net: NoiseUNet) -> str:
    """Fill the U-Net with those of lab 4's weights that have its shapes; its one label is lab 4's null label.

    Returns:
        What was taken over, as a line for the card.
    """
    tensors, facts = load_tensors(CHECKPOINTS / "lab4_cfg.safetensors")
    tensors["y_embedding.weight"] = tensors["y_embedding.weight"][NULL:]
    own = net.unet.state_dict()
    fitting = {name: value for name, value in tensors.items() if value.shape == own[name].shape}
    net.unet.load_state_dict(own | fitting)
    rest = f"; {', '.join(sorted(own.keys() - fitting))} from random weights" if len(fitting) < len(own) else ""
    return f"lab 4's checkpoint, null label, trained for {facts['steps']} steps{rest}"


@torch.no_grad()
def accuracies(lab: dict, classifier: torch.nn.Module, data: LabelledImages, schedule, images: int = 1000) -> dict:
    """On test images, by noise level."""
    x0, y = data[:images]
    noise = torch.randn(x0.shape, generator=torch.Generator().manual_seed(1)).to(x0.device)
    table = {}
    for level in (0, 100, 200, 300, 400, 500, 600, 700, 800, 999):
        t = torch.full((images,), level, device=x0.device)
        x = lab["add_noise"](x0, t, noise, schedule)
        logits = in_batches(lambda rows, t=t: classifier(rows, t[: len(rows)]), x)
        table[str(level)] = round(float((logits.argmax(1) == y).double().mean()), 3)
    return table


def main(arguments: list[str] | None = None) -> None:
    """Train one of lab 3's networks, and write its checkpoint and card."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", choices=["noise", "classifier"])
    parser.add_argument("--steps", type=int, help="1500 for the noise, 5000 for the classifier")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--ema", type=float, default=0.998)
    parser.add_argument("--seed", type=int, default=0)
    start_of = parser.add_mutually_exclusive_group()
    start_of.add_argument("--from-scratch", action="store_true")
    start_of.add_argument("--start", type=Path, help="a checkpoint of the same network to begin with")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where the state of the run is kept")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args(arguments)
    steps = args.steps or {"noise": 1500, "classifier": 5000}[args.network]
    out = args.out or CHECKPOINTS / f"lab3_{args.network}.safetensors"
    device, lab = current_device(), SolvedLab(find_lab("lab3")).namespace
    seed_everything(args.seed)
    schedule = lab["linear_schedule"](STEPS).to(device)
    data = load_digits("train", device=device)
    start = "random weights"
    if args.network == "noise":
        net = NoiseUNet(schedule.alpha_bars)
        if not args.from_scratch and not args.start:
            start = from_lab4(net)
        trainer = lab["NoiseTrainer"](net, data, schedule)
        what = "noise estimate of x_t without a label, T = 1000, linear schedule; running mean of the weights"
    else:
        net = NoisyDigitClassifier(STEPS)
        trainer = lab["NoisyClassifierTrainer"](net, data, schedule, lab["add_noise"])
        what = "classifier of noisy digits, T = 1000, linear schedule; running mean of the weights"
    if args.start:
        earlier = load_weights(net, args.start)
        start = f"an earlier network of {earlier['steps']} steps, which started from {earlier['started from']}"

    def keep(trainer) -> None:
        losses = trainer.history[-200:]
        facts = {
            "what": what,
            "data": f"{data.source}, {len(data)} training images, 32x32 pixels in [-1, 1]",
            "made by": f"python -m solutions.train_lab3 {args.network} --steps {steps} --batch {args.batch} "
            f"--lr {args.lr:g} --ema {args.ema:g} --seed {args.seed}" + " --from-scratch" * args.from_scratch,
            "started from": start,
            "parameters": count_parameters(net),
            "steps": len(trainer.history),
            "last loss": round(sum(losses) / len(losses), 4),
            "device": f"{device}, {'bfloat16' if fast_bf16(device) else 'float32'}, "
            f"{torch.get_num_threads()} thread(s)",
            "seconds": round(trainer.seconds),
        }
        if args.network == "classifier":
            test = load_digits("test", device=device)
            facts["test accuracy by t"] = accuracies(lab, trainer.ema_model, test, schedule)
        save_weights(trainer.ema_model, out, facts)
        out.with_suffix(".json").write_text(json.dumps(facts, indent=2) + "\n")

    trainer.train(steps, device, lr=args.lr, batch_size=args.batch, ema=args.ema, bf16=True, save_seconds=120,
                  checkpoint=args.runs / f"{out.stem}.resume", on_save=keep)  # fmt: skip
    print(out.with_suffix(".json").read_text())


if __name__ == "__main__":
    main()
