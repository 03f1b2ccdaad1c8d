"""Train the reference classifier: `python -m solutions.train_reference_classifier`. It needs MNIST.

The command writes utils/checkpoints/reference_classifier.safetensors and its card.

The classifier reads clean digits at 32×32 pixels. Its 64 features are where Fréchet distances are measured. The
features of the test images are stored beside it, because without a network a student has no MNIST to measure them on:
utils/checkpoints/reference_features.safetensors. With `--only features` they are made again from the stored classifier.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.transforms.v2 import RandomAffine

from utils.data import LabelledImages, load_digits
from utils.metrics import in_batches, real_distance
from utils.nets import DigitClassifier, count_parameters
from utils.reference import FLOORS
from utils.runtime import current_device, fast_bf16, seed_everything
from utils.training import CHECKPOINTS, Trainer, load_weights, save_tensors, save_weights

FEATURES = CHECKPOINTS / "reference_features.safetensors"
FLOOR_IMAGES = (10, 200, 500, 1000)  # the numbers of samples at which the labs compare


class ClassifierTrainer(Trainer):
    """Cross-entropy on digits that are shifted and turned a little, a fresh way each time."""

    def __init__(self, model: nn.Module, data: LabelledImages):
        super().__init__(model)
        self.data = data
        self.shake = RandomAffine(degrees=8, translate=(0.06, 0.06), scale=(0.93, 1.07), fill=-1)

    def get_train_loss(self, batch_size: int) -> Tensor:
        """Return the cross-entropy of one batch."""
        x, y = self.data.sample(batch_size)
        parts = [self.shake(part) for part in x.chunk(8)]  # one turn for each eighth of the batch
        return nn.functional.cross_entropy(self.model(torch.cat(parts)), y)


def accuracy(model: nn.Module, data: LabelledImages) -> float:
    """Return the share of images that the model classifies correctly."""
    images, labels = data[:]
    return float((in_batches(model, images).argmax(1) == labels).double().mean())


def train_classifier(args: argparse.Namespace) -> None:
    """Train the classifier, and write its checkpoint and card."""
    seed_everything(args.seed)
    device = current_device()
    train, test = load_digits("train", device=device), load_digits("test", device=device)
    model = DigitClassifier()
    trainer = ClassifierTrainer(model, train)
    resume = args.runs / f"{args.out.stem}.resume"
    trainer.train(args.steps, device, lr=4e-3, batch_size=96, bf16=True, checkpoint=resume)
    card = {
        "what": "classifier of clean digits, 32x32 pixels in [-1, 1]; its 64 features measure Frechet distances",
        "data": f"{train.source}, {len(train)} training images, shaken (8 degrees, 6 %, scale 0.93 to 1.07)",
        "made by": f"python -m solutions.train_reference_classifier --steps {args.steps} --seed {args.seed}",
        "parameters": count_parameters(model),
        "device": f"{device}, {'bfloat16' if fast_bf16(device) else 'float32'}, {torch.get_num_threads()} thread(s)",
        "seconds": round(trainer.seconds),
        "test accuracy": round(accuracy(model, test), 4),
    }
    save_weights(model, args.out, card)
    args.out.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n")
    resume.unlink(missing_ok=True)


def store_features(weights: Path, out: Path = FEATURES, draws: int = 40) -> None:
    """Store the features of the test images, and on the card the distances of real training images from them.

    All tables, cards and figures take their floor of real digits from this card.

    Args:
        weights: the stored classifier. Its rounded weights are what students load, so they make the features.
        out: the file to write.
        draws: how often each distance is measured.
    """
    device, card = current_device(), weights.with_suffix(".json")
    train, test = load_digits("train", device=device), load_digits("test", device=device)
    model = DigitClassifier().to(device)
    load_weights(model, weights)
    real = in_batches(model.features, test[:][0])
    made = f"{test.source}, {len(test)} test images; python -m solutions.train_reference_classifier --only features"
    save_tensors({"test": real.half().cpu()}, out, {"made by": made})
    floors = {}
    for images in FLOOR_IMAGES:
        seed_everything(0)  # a further number of images leaves the others as they are
        floors[str(images)] = str(real_distance(model.features, train, real, images, draws))
    card.write_text(json.dumps(json.loads(card.read_text()) | {FLOORS: floors}, indent=2) + "\n")


def main() -> None:
    """Train the reference classifier, and write its checkpoint, its card and its features of the test images."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=5500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where the state of the run is kept")
    parser.add_argument("--out", type=Path, default=CHECKPOINTS / "reference_classifier.safetensors")
    parser.add_argument("--only", choices=["features"], help="do not train; use the stored classifier")
    args = parser.parse_args()
    if args.only != "features":
        train_classifier(args)
    store_features(args.out, args.out.with_name(FEATURES.name))
    print(args.out.with_suffix(".json").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
