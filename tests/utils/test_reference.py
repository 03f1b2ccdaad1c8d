"""The stored features of MNIST's test images: small, complete, and those of the stored classifier."""

import pytest
import torch

from autograder import ROOT
from utils.data import find_mnist, load_digits
from utils.fallback import stored_table
from utils.metrics import frechet_distance, in_batches
from utils.nets import DigitClassifier
from utils.reference import FLOORS, real_features, real_floors
from utils.training import CHECKPOINTS, load_weights


@pytest.fixture(scope="module")
def classifier() -> DigitClassifier:
    """The stored reference classifier."""
    model = DigitClassifier()
    load_weights(model, CHECKPOINTS / "reference_classifier.safetensors")
    return model


def test_the_features_are_small_and_tell_ten_digits_apart(classifier):
    assert (CHECKPOINTS / "reference_features.safetensors").stat().st_size < 1.5e6
    features = real_features()
    assert features.shape == (10000, 64) and features.dtype == torch.float32 and features.isfinite().all()
    with torch.no_grad():
        counts = classifier.head(features).argmax(1).bincount(minlength=10)
    assert counts.tolist() == pytest.approx([980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009], abs=10)


def test_the_floors_fall_with_the_number_of_digits():
    floors = real_floors()
    assert [floors[n] for n in sorted(floors)] == sorted(floors.values(), reverse=True)
    assert 0.3 < floors[200] < 0.4


@pytest.mark.skipif(find_mnist() is None, reason="needs MNIST")
def test_the_features_are_those_of_mnist(classifier):
    images, _ = load_digits("test")[::10]
    computed, stored = in_batches(classifier.features, images), real_features()[::10]
    assert torch.allclose(computed, stored, rtol=2e-3, atol=2e-3)
    assert frechet_distance(computed, stored) < 1e-5


def test_other_digits_are_far_from_them(classifier, tmp_path, monkeypatch):
    """Offline, samples of the checkpoints must be compared with MNIST: the digits at hand are far from it."""
    monkeypatch.setenv("LAB_DATA", str(tmp_path))
    monkeypatch.setenv("LAB_BUDGET", "grade")  # nothing is downloaded
    monkeypatch.chdir(tmp_path)
    images, _ = load_digits("test")[:]
    assert frechet_distance(in_batches(classifier.features, images), real_features()) > 5


@pytest.mark.parametrize("table", ["lab3_sweep", "lab4_sweep"])
def test_there_is_one_floor(table):
    """The card of the reference classifier has it; tables, cards and README repeat it."""
    stored = stored_table(table)
    assert stored["floor"] == real_floors()[stored["images"]]
    floors = stored_table("reference_classifier")[FLOORS]
    assert stored_table("lab4_cfg")[FLOORS] == floors
    for page in ("README.md", "bench/README.md"):
        assert floors["1000"] in (ROOT / page).read_text(encoding="utf-8"), page
