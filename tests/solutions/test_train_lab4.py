"""The training of lab 4: the reference classifier, the checkpoint, and the script."""

from __future__ import annotations

import contextlib
import io
import json

import pytest
import torch

from autograder.course.labs import find_lab
from autograder.course.solved import SolvedLab
from solutions import train_lab4 as train
from utils.data import LabelledImages, find_mnist, load_digits
from utils.metrics import frechet_distance, in_batches
from utils.nets import DigitClassifier, UNet
from utils.training import CHECKPOINTS, load_weights


@pytest.fixture(scope="module")
def lab() -> dict:
    """The namespace of the solved lab."""
    with contextlib.redirect_stdout(io.StringIO()):
        return SolvedLab(find_lab("lab4")).namespace


@pytest.fixture(autouse=True)
def seed():
    """Fix the random numbers."""
    torch.manual_seed(0)


def card(name: str) -> dict:
    return json.loads((CHECKPOINTS / f"{name}.json").read_text())


def test_checkpoints_are_small_and_have_cards():
    for name in ("reference_classifier", "lab4_cfg"):
        assert (CHECKPOINTS / f"{name}.safetensors").stat().st_size < 5e6
        facts = card(name)
        assert {"data", "made by", "seconds", "device", "parameters"} <= set(facts)
    assert card("reference_classifier")["test accuracy"] >= 0.993


@pytest.mark.skipif(find_mnist() is None, reason="needs MNIST")
def test_the_reference_classifier_measures_what_its_card_says():
    model = DigitClassifier()
    load_weights(model, CHECKPOINTS / "reference_classifier.safetensors")
    images, labels = load_digits("test")[:2000]
    features = in_batches(model.features, images)
    assert (model.head(features).argmax(1) == labels).double().mean() > 0.985
    first, second = features[:1000], features[1000:]
    real = frechet_distance(first, second)
    blurred = torch.nn.functional.avg_pool2d(images[:1000], 3, 1, 1)
    noisy = images[:1000] + 0.4 * torch.randn(1000, 1, 32, 32)
    blank = frechet_distance(in_batches(model.features, -torch.ones(200, 1, 32, 32)), second)
    distances = [real, *(frechet_distance(in_batches(model.features, x), second) for x in (blurred, noisy)), blank]
    assert distances[0] < 1 and distances == sorted(distances), distances


@pytest.mark.skipif(find_mnist() is None, reason="needs MNIST")
def test_the_checkpoint_draws_the_digit_that_was_asked_for(lab):
    net, judge = UNet(**card("lab4_cfg")["settings"]), DigitClassifier()
    load_weights(net, CHECKPOINTS / "lab4_cfg.safetensors")
    load_weights(judge, CHECKPOINTS / "reference_classifier.safetensors")
    labels = torch.arange(10).repeat(3)
    images = lab["sample_digits"](net, torch.randn(30, 1, 32, 32), labels, w=3.0, steps=8)
    assert (in_batches(judge, images).argmax(1) == labels).sum() >= 27


def test_one_command_trains_the_checkpoint_and_goes_on_after_a_cut(tmp_path, capsys, monkeypatch):
    few = LabelledImages(torch.randint(256, (300, 1, 32, 32), dtype=torch.uint8), torch.arange(300) % 10, "a test")
    monkeypatch.setattr(train, "load_digits", lambda split, device: few)
    monkeypatch.setattr(train, "UNet", lambda: UNet(channels=(8, 8), layers=1))
    where = ["--images", "10", "--batch", "2", "--out", str(tmp_path / "net.safetensors"), "--runs", str(tmp_path)]
    for steps in (2, 5):  # the second command finds the state of the first
        train.main(["lab4", "--steps", str(steps), *where])
    facts = json.loads((tmp_path / "net.json").read_text())
    assert (
        facts["steps"] == 5
        and facts["seconds"] >= 0
        and set(facts["by guidance scale"]["2"]) == {"accuracy", "Frechet distance"}
    )
    load_weights(UNet(channels=(8, 8), layers=1), tmp_path / "net.safetensors")
    assert len((tmp_path / "net.log.jsonl").read_text().splitlines()) == 2
