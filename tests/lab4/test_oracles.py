"""Lab 4's model answers against closed forms: Gaussian data, where velocity, score, loss and samplers are known exactly."""

from __future__ import annotations

import contextlib
import io
import json
import math

import pytest
import torch

from autograder.course.labs import find_lab
from autograder.course.solved import SolvedLab
from solutions import train_lab4 as train
from utils.checks import lab4 as checks
from utils.checks.challenge import Challenge
from utils.data import LabelledImages, find_mnist, load_digits
from utils.distributions import GaussianClasses
from utils.dynamics import ODE
from utils.metrics import frechet_distance, in_batches
from utils.nets import DigitClassifier, UNet
from utils.paths import CosineAlpha, CosineBeta, LinearAlpha, LinearBeta
from utils.training import CHECKPOINTS, load_weights


@pytest.fixture(scope="module")
def lab() -> dict:
    with contextlib.redirect_stdout(io.StringIO()):
        return SolvedLab(find_lab("lab4")).namespace


@pytest.fixture(autouse=True)
def double():
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(torch.float32)


def velocity(x, t, mean, std):
    """The exact velocity for data N(mean, std² I) on the straight path."""
    v = t**2 * std**2 + (1 - t) ** 2
    return mean + (t * std**2 - (1 - t)) / v * (x - t * mean)


class GaussianFlow(ODE):
    def __init__(self, mean, std):
        self.mean, self.std = mean, std

    def drift_coefficient(self, x, t, **kwargs):
        return velocity(x, t, self.mean, self.std)


@pytest.mark.parametrize("schedules", [(LinearAlpha(), LinearBeta()), (CosineAlpha(), CosineBeta())])
def test_velocity_and_score_of_the_path(lab, schedules):
    alpha, beta = schedules
    path = lab["GaussianConditionalPath"](GaussianClasses(torch.zeros(1, 1, 2, 2)), (1, 2, 2), alpha, beta)
    z, noise, t = torch.randn(50, 1, 2, 2), torch.randn(50, 1, 2, 2), torch.rand(50, 1, 1, 1) * 0.999
    x = alpha(t) * z + beta(t) * noise
    torch.testing.assert_close(path.conditional_vector_field(x, z, t), alpha.dt(t) * z + beta.dt(t) * noise)
    torch.testing.assert_close(path.conditional_score(x, z, t), -noise / beta(t))


def test_the_conditional_mean_of_the_field_is_the_marginal_velocity(lab):
    """Regression on the conditional field has the marginal velocity as its minimiser: checked by linear regression."""
    std, t = 0.7, 0.4
    path = lab["GaussianConditionalPath"](
        GaussianClasses(torch.tensor([[1.5]]), std=std), (1,), LinearAlpha(), LinearBeta()
    )
    z, _ = path.p_data.sample(400_000)
    time = torch.full((len(z), 1), t)
    x = path.sample_conditional_path(z, time)
    u = path.conditional_vector_field(x, z, time)
    slope = ((x - x.mean()) * (u - u.mean())).mean() / x.var()
    exact = (t * std**2 - (1 - t)) / (t**2 * std**2 + (1 - t) ** 2)
    assert slope.item() == pytest.approx(exact, abs=0.01)


@pytest.mark.parametrize("std", [0.3, 1.0])
def test_the_irreducible_loss_is_half_pi_times_the_width(lab, std):
    data = GaussianClasses(torch.tensor([[[[2.0, -1.0]]], [[[0.0, 1.0]]]]), std=std)
    path = lab["GaussianConditionalPath"](data, (1, 1, 2), LinearAlpha(), LinearBeta())
    trainer = lab["CFGTrainer"](path, lambda x, t, y: velocity(x, t, data.means[y], std), eta=0.0, null_label=2)
    losses = torch.tensor([trainer.get_train_loss(batch_size=20_000).item() for _ in range(40)])
    error = losses.std().item() / math.sqrt(len(losses))
    assert losses.mean().item() == pytest.approx(math.pi / 2 * std, abs=5 * error)


def test_the_floor_of_the_blobs_is_the_one_in_the_text(lab):
    """The unconditional part by Monte Carlo with the exact mixture velocity."""
    toy, std = lab["toy"], lab["TOY_STD"]
    means = toy.means.double().flatten(1)
    y = torch.randint(3, (1_000_000,))
    z, noise, t = means[y] + std * torch.randn(len(y), 2), torch.randn(len(y), 2), torch.rand(len(y), 1)
    x = t * z + (1 - t) * noise
    v = t**2 * std**2 + (1 - t) ** 2
    weights = torch.stack([-((x - t * m) ** 2).sum(1) / (2 * v[:, 0]) for m in means], 1).softmax(1)
    u = sum(weights[:, k : k + 1] * velocity(x, t, means[k], std) for k in range(3))
    floor = 0.9 * math.pi / 2 * std + 0.1 * ((z - noise - u) ** 2).mean().item()
    assert floor == pytest.approx(lab["TOY_FLOOR"], abs=2e-3)


GRID = torch.tensor([0.0, 0.03, 0.2, 0.25, 0.5, 0.55, 0.8, 0.99, 1.0], dtype=torch.float64)


@pytest.mark.parametrize("std", [0.5, 2.0])
def test_euler_on_a_bent_grid_has_its_exact_gain(lab, std):
    x, mean = torch.randn(30, 1, 1, 2), torch.tensor([[[[0.7, -3.0]]]])
    end = lab["EulerSimulator"](GaussianFlow(mean, std)).simulate(x, GRID)
    a, b = GRID[:-1], GRID[1:]
    gain = ((a * b * std**2 + (1 - a) * (1 - b)) / (a**2 * std**2 + (1 - a) ** 2)).prod()
    torch.testing.assert_close(end, mean + gain * x)


def test_heun_on_a_bent_grid_has_its_exact_gain(lab):
    std, x, mean = 0.5, torch.randn(30, 1, 1, 2), torch.tensor([[[[0.7, -3.0]]]])
    end = lab["HeunSimulator"](GaussianFlow(mean, std)).simulate(x, GRID)
    k = (GRID * std**2 - (1 - GRID)) / (GRID**2 * std**2 + (1 - GRID) ** 2)
    h = GRID.diff()
    gain = (1 + h * (k[:-1] + k[1:]) / 2 + h**2 * k[:-1] * k[1:] / 2).prod()
    torch.testing.assert_close(end, mean + gain * x)


@pytest.mark.parametrize("steps, gain", [(2, 0.2), (4, 0.34054054), (10, 0.4307826), (100, 0.49264548)])
def test_euler_gains_that_were_computed_elsewhere(lab, steps, gain):
    x = torch.ones(1, 1, 1, 1)
    end = lab["EulerSimulator"](GaussianFlow(torch.zeros(1), 0.5)).simulate(x, torch.linspace(0, 1, steps + 1).double())
    assert end.item() == pytest.approx(gain, abs=5e-8)


def test_guided_means_are_extrapolated(lab):
    """Equal widths: the guided flow ends at (1 - w) m_null + w m_y, with the spread of the unguided one."""
    null, own = torch.tensor([0.0, 0.5]), torch.tensor([2.0, -1.0])
    w, std = 3.0, 0.5

    class Net(torch.nn.Module):
        def forward(self, x, t, y):
            mean = torch.where((y == 7)[:, None], null, own)[:, None, None]
            return velocity(x, t, mean, std)

    ode = lab["CFGVectorFieldODE"](Net(), w, 7)
    x, y = torch.randn(40, 1, 1, 2), torch.tensor([1, 7]).repeat(20)
    end = lab["EulerSimulator"](ode).simulate(x, GRID, y=y)
    a, b = GRID[:-1], GRID[1:]
    gain = ((a * b * std**2 + (1 - a) * (1 - b)) / (a**2 * std**2 + (1 - a) ** 2)).prod()
    centre = torch.where((y == 7)[:, None], null, (1 - w) * null + w * own)[:, None, None]
    torch.testing.assert_close(end, centre + gain * x)


def test_conditional_accuracy_on_a_sampler_that_is_known(lab):
    labels = torch.tensor([0, 1, 2, 3, 9, 9])
    noise = torch.zeros(6, 1, 1, 1)

    def sample(noise, labels, w):  # right from class 2 on where w is small, from class 1 on where it is large
        return torch.where(labels >= (1 if w > 2 else 2), labels, labels + 1).double().reshape(-1, 1, 1, 1)

    def classify(images):
        return torch.nn.functional.one_hot(images.flatten().long(), 10).double()

    assert lab["conditional_accuracy"](sample, classify, labels, [0.5, 3.0], noise, 9) == {0.5: 0.5, 3.0: 0.75}


def test_the_public_numbers_of_the_score_come_from_an_oracle():
    challenge = Challenge.public("lab4.vector_field")
    for name, number in checks.PUBLIC_SCORES.items():
        z, noise, t, alpha, beta = checks.field_setting(challenge, name)
        x = (alpha(t) * z + beta(t) * noise).double().requires_grad_()
        z, t = z.double(), t.double()
        log_density = torch.distributions.Normal(alpha(t) * z, beta(t)).log_prob(x).sum()
        (score,) = torch.autograd.grad(log_density, x)
        assert (score * checks.score_probe(challenge, name)).mean().item() == pytest.approx(number, abs=1e-7)


# --- the yardstick and the checkpoint


def card(name: str) -> dict:
    return json.loads((CHECKPOINTS / f"{name}.json").read_text())


def test_checkpoints_are_small_and_have_cards():
    for name in ("yardstick", "lab4_cfg"):
        assert (CHECKPOINTS / f"{name}.safetensors").stat().st_size < 5e6
        facts = card(name)
        assert {"data", "made by", "seconds", "device", "parameters"} <= set(facts)
    assert card("yardstick")["test accuracy"] >= 0.993


@pytest.mark.skipif(find_mnist() is None, reason="needs MNIST")
def test_the_yardstick_measures_what_its_card_says():
    torch.set_default_dtype(torch.float32)
    model = DigitClassifier()
    load_weights(model, CHECKPOINTS / "yardstick.safetensors")
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
    torch.set_default_dtype(torch.float32)
    net, judge = UNet(**card("lab4_cfg")["settings"]), DigitClassifier()
    load_weights(net, CHECKPOINTS / "lab4_cfg.safetensors")
    load_weights(judge, CHECKPOINTS / "yardstick.safetensors")
    labels = torch.arange(10).repeat(3)
    images = lab["sample_digits"](net, torch.randn(30, 1, 32, 32), labels, w=3.0, steps=8)
    assert (in_batches(judge, images).argmax(1) == labels).sum() >= 27


def test_one_command_trains_the_checkpoint_and_goes_on_after_a_cut(tmp_path, capsys, monkeypatch):
    torch.set_default_dtype(torch.float32)
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
