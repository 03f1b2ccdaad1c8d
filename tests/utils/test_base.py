"""The rooms that all labs share, tested against closed forms in float64 and against damage."""

from __future__ import annotations

import gzip
import math
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from torch import nn

from utils import data as data_module
from utils.data import DamagedFile, LabelledImages, find_mnist, load_digits, read_idx
from utils.distributions import GaussianClasses, IsotropicGaussian
from utils.dynamics import ODE, Simulator, record_every
from utils.metrics import frechet_distance, gaussian_distance, in_batches, over_seeds, precision_recall, real_distance
from utils.nets import DigitClassifier, FourierFeatures, LabelledMLP, UNet, count_parameters
from utils.paths import Alpha, Beta, CosineAlpha, CosineBeta, GaussianPath, LinearAlpha, LinearBeta
from utils.runtime import Budget, seed_everything, setup
from utils.stored import or_stored
from utils.training import Trainer, load_tensors, load_weights, save_tensors, save_weights, warm_flat_fall

# --- runtime


def test_budget_falls_back_to_the_next_larger_one():
    assert Budget("grade").pick(full=1, cpu=2, ci=3) == 3
    assert Budget("cpu").pick(full=1, ci=3) == 1
    with pytest.raises(ValueError, match="laptop"):
        Budget("cpu").pick(laptop=1)
    with pytest.raises(ValueError):
        Budget("full").pick(ci=3)


def test_a_bad_budget_is_named(monkeypatch):
    monkeypatch.setenv("LAB_BUDGET", "huge")
    with pytest.raises(ValueError, match=r"'huge'.*full, cpu, ci, grade"):
        setup("lab1_discrete_toys")


def test_setup_prints_one_line_and_seeds_everything(capsys, monkeypatch):
    monkeypatch.setenv("LAB_BUDGET", "ci")
    draws = []
    for _ in range(2):
        setup("lab4_mnist_cfg", seed=3)
        draws.append((torch.rand(()).item(), np.random.rand(), __import__("random").random()))
    assert draws[0] == draws[1]
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and "budget ci" in lines[0] and "data:" in lines[0]


# --- distributions and paths


def test_std_is_the_standard_deviation():
    torch.manual_seed(0)
    x, y = IsotropicGaussian((3,), std=2.0, mean=1.0).sample(40000)
    assert y is None
    assert abs(x.std().item() - 2.0) < 5 * 2.0 / math.sqrt(2 * x.numel())
    assert abs(x.mean().item() - 1.0) < 5 * 2.0 / math.sqrt(x.numel())


def test_classes_have_their_means():
    torch.manual_seed(0)
    means = torch.tensor([[0.0, 4.0], [7.0, -1.0]])
    x, y = GaussianClasses(means, std=0.5).sample(20000)
    assert y.dtype == torch.int64 and abs(y.double().mean().item() - 0.5) < 0.02
    for k in (0, 1):
        assert torch.allclose(x[y == k].mean(0), means[k], atol=0.03)
        assert torch.allclose(x[y == k].std(0), torch.full((2,), 0.5), atol=0.02)


@pytest.mark.parametrize("schedule", [LinearAlpha(), LinearBeta(), CosineAlpha(), CosineBeta()])
def test_derivatives_of_schedules(schedule):
    t = torch.linspace(0.01, 0.99, 25, dtype=torch.float64).reshape(-1, 1, 1, 1)
    h = 1e-6
    assert torch.allclose(schedule.dt(t), (schedule(t + h) - schedule(t - h)) / (2 * h), atol=1e-8)
    with torch.no_grad():
        assert schedule.dt(t).shape == t.shape  # works where no gradients are recorded


class AnyPath(GaussianPath):
    def conditional_vector_field(self, x, z, t):
        raise NotImplementedError

    def conditional_score(self, x, z, t):
        raise NotImplementedError


def test_the_path_has_the_law_it_says():
    torch.manual_seed(0)
    path = AnyPath(GaussianClasses(torch.tensor([[3.0, -2.0]]), std=0.0), (2,), CosineAlpha(), CosineBeta())
    t = torch.full((60000, 1), 0.3)
    z, _ = path.sample_conditioning_variable(len(t))
    x = path.sample_conditional_path(z, t)
    a, b = math.sin(0.15 * math.pi), math.cos(0.15 * math.pi)
    assert torch.allclose(x.mean(0), a * torch.tensor([3.0, -2.0]), atol=5 * b / math.sqrt(60000))
    assert torch.allclose(x.std(0), torch.full((2,), b), atol=0.015)


def test_wrong_shapes_are_named():
    path = AnyPath(GaussianClasses(torch.zeros(1, 1, 2, 2)), (1, 2, 2), LinearAlpha(), LinearBeta())
    z = torch.zeros(5, 1, 2, 2)
    with pytest.raises(ValueError, match=r"\(5,\).*\(b, 1, 1, 1\)"):
        path.sample_conditional_path(z, torch.rand(5))
    with pytest.raises(Exception, match="t"):
        path.sample_conditional_path(z, torch.zeros(4, 1, 1, 1))


def test_a_path_must_lead_from_noise_to_data():
    class Late(Alpha):
        def __call__(self, t):
            return 0.5 * t

    with pytest.raises(ValueError, match=r"alpha\(1\)"):
        AnyPath(GaussianClasses(torch.zeros(1, 2)), (2,), Late(), LinearBeta())
    with pytest.raises(TypeError):
        Beta()


# --- dynamics


class Count(Simulator):
    """x counts time: the end state is the sum of the steps."""

    def step(self, x, t, h, **kwargs):
        assert t.shape == h.shape == (x.shape[0],) + (1,) * (x.dim() - 1)
        return x + h


class Nothing(ODE):
    def drift_coefficient(self, x, t, **kwargs):
        return torch.zeros_like(x)


@pytest.mark.parametrize("shape", [(4, 2), (4, 1, 3, 3)])
def test_grids_shared_and_per_sample(shape):
    x, shared = torch.zeros(shape, dtype=torch.float64), torch.tensor([0.0, 0.1, 0.7, 1.0], dtype=torch.float64)
    simulator = Count(Nothing())
    ends = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
    own = shared * ends[:, None]
    assert torch.allclose(simulator.simulate(x, shared), torch.ones_like(x))
    expected = ends.reshape(-1, *[1] * (x.dim() - 1)).expand(shape)
    assert torch.allclose(simulator.simulate(x, own), expected)
    assert torch.allclose(simulator.simulate(x, own.reshape(4, 4, *[1] * (x.dim() - 1))), expected)
    with pytest.raises(ValueError, match="ts has shape"):
        simulator.simulate(x, own[:3])


def test_trajectories_keep_start_and_end():
    x = torch.zeros(2, 1, dtype=torch.float64)
    walk = Count(Nothing()).simulate_with_trajectory(x, torch.linspace(0, 1, 11, dtype=torch.float64), every=4)
    assert torch.allclose(walk[0].flatten(), torch.tensor([0.0, 0.4, 0.8, 1.0], dtype=torch.float64))
    assert record_every(9, 4).tolist() == [0, 4, 8] and record_every(1, 5).tolist() == [0]


# --- networks


def test_unet_treats_samples_one_by_one():
    torch.manual_seed(0)
    net = UNet(channels=(8, 16, 16), layers=1).train()
    for p in net.parameters():
        nn.init.normal_(p, std=0.1)  # the zero-initialised layers would hide a mistake
    x, t, y = torch.randn(6, 1, 16, 16), torch.rand(6, 1, 1, 1), torch.arange(6)
    whole = net(x, t, y)
    alone = torch.cat([net(x[i : i + 1], t[i : i + 1], y[i : i + 1]) for i in range(6)])
    assert torch.allclose(whole, alone, atol=1e-5)
    assert not torch.allclose(whole, net(x, t, y.flip(0)), atol=1e-3)
    assert not torch.allclose(whole, net(x, 1 - t, y), atol=1e-3)


def test_unet_has_the_size_of_the_text_and_any_label_width():
    assert 1.15e6 < count_parameters(UNet()) < 1.3e6
    net = UNet(channels=(8, 8), layers=1, t_dim=12, y_dim=20, num_labels=5, image_channels=3)
    assert net(torch.zeros(2, 3, 8, 8), torch.zeros(2, 1, 1, 1), torch.tensor([0, 4])).shape == (2, 3, 8, 8)


def test_unet_names_a_wrong_shape():
    with pytest.raises(Exception, match="t"):
        UNet(channels=(8, 8), layers=1)(torch.zeros(2, 1, 8, 8), torch.zeros(2), torch.zeros(2, dtype=torch.long))


def test_small_networks():
    assert LabelledMLP((1, 1, 2), 4)(torch.zeros(3, 1, 1, 2), torch.zeros(3, 1, 1, 1), torch.zeros(3, dtype=torch.long)).shape == (3, 1, 1, 2)  # fmt: skip
    assert FourierFeatures(8)(torch.rand(5, 1, 1, 1)).shape == (5, 8)
    assert DigitClassifier()(torch.zeros(2, 1, 32, 32)).shape == (2, 10)


# --- metrics


def test_frechet_distance_of_gaussians_is_the_closed_form():
    # diagonal covariances commute: |m|² + sum (s_a - s_b)²
    a = torch.diag(torch.tensor([1.0, 4.0, 9.0], dtype=torch.float64))
    b = torch.diag(torch.tensor([4.0, 4.0, 1.0], dtype=torch.float64))
    mean = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    expected = (1 + 4 + 0.25) + (1 - 2) ** 2 + 0 + (3 - 1) ** 2
    assert gaussian_distance(mean, a, torch.zeros(3, dtype=torch.float64), b) == pytest.approx(expected, abs=1e-10)
    turn = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64))[0]  # the distance does not know about axes
    turned = gaussian_distance(turn @ mean, turn @ a @ turn.T, torch.zeros(3, dtype=torch.float64), turn @ b @ turn.T)
    assert turned == pytest.approx(expected, abs=1e-9)


def test_frechet_distance_against_scipy():
    from scipy.linalg import sqrtm

    torch.manual_seed(1)
    a, b = torch.randn(200, 6).double() @ torch.randn(6, 6).double(), torch.randn(150, 6).double() + 1
    cov_a, cov_b = np.cov(a.numpy().T), np.cov(b.numpy().T)
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum().item() + np.trace(cov_a + cov_b - 2 * sqrtm(cov_a @ cov_b).real)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-8)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(a, b * float("nan")) == math.inf


def test_precision_and_recall_of_known_clouds():
    torch.manual_seed(0)
    square = torch.rand(400, 2)
    half = torch.rand(400, 2) * torch.tensor([0.5, 1.0])
    precision, recall = precision_recall(square, half)
    assert precision > 0.95 and 0.4 < recall < 0.65  # all fakes are fine, half of the truth is missing
    precision, recall = precision_recall(square, square + 10)
    assert precision == recall == 0


def test_the_distance_of_real_images_is_that_of_equal_shares():
    labels = torch.tensor([0] * 90 + [1] * 10)
    pixels = (255 * labels).to(torch.uint8)[:, None, None, None]  # class 0 is -1, class 1 is 1
    real = LabelledImages(pixels, labels, "test")
    equal = torch.tensor([-1.0, 1.0]).repeat(10)[:, None]
    assert real_distance(torch.nn.Flatten(), real, equal, 20).value == pytest.approx(0, abs=1e-9)

    as_they_come = torch.tensor([-1.0] * 18 + [1.0] * 2)[:, None]  # the means are 0 and -0.8
    wide, narrow = (math.sqrt(4 * share * (1 - share) * 20 / 19) for share in (0.5, 0.1))
    distance = real_distance(torch.nn.Flatten(), real, as_they_come, 20)
    assert distance.value == pytest.approx(0.8**2 + (wide - narrow) ** 2, rel=1e-6) and distance.error == 0


def test_error_bars():
    assert over_seeds([1.0, 2.0, 3.0]).value == 2 and over_seeds([1.0, 2.0, 3.0]).error == pytest.approx(
        1 / math.sqrt(3)
    )


# --- data


def test_sampling_is_uniform_and_hands_out_copies():
    pixels = torch.arange(4, dtype=torch.uint8).reshape(4, 1, 1, 1) * 85
    images = LabelledImages(pixels, torch.arange(4), "test")
    torch.manual_seed(0)
    x, y = images.sample(8000)
    assert torch.equal(((x.flatten() + 1) * 1.5).round().long(), y)  # image and label stay together
    counts = y.bincount(minlength=4)
    assert (counts - 2000).abs().max() < 5 * math.sqrt(8000 * 0.25 * 0.75)
    y.fill_(9)
    images[:][1].fill_(9)
    assert images.labels.tolist() == [0, 1, 2, 3]
    assert x.min() == -1 and x.max() == 1


@pytest.fixture
def fake_mnist(tmp_path, monkeypatch):
    """A tiny MNIST with checksums of its own."""
    import hashlib

    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    files = {}
    for name, (_, shape) in data_module.MNIST_FILES.items():
        small = (20, *shape[1:])
        header = bytes([0, 0, 8, len(small)]) + b"".join(n.to_bytes(4, "big") for n in small)
        body = np.random.default_rng(0).integers(0, 10 if len(small) == 1 else 256, small, dtype=np.uint8).tobytes()
        (raw / f"{name}.gz").write_bytes(gzip.compress(header + body))
        files[name] = (hashlib.sha256(header + body).hexdigest(), small)
    monkeypatch.setattr(data_module, "MNIST_FILES", files)
    monkeypatch.setenv("LAB_DATA", str(tmp_path))
    return raw


def test_mnist_is_found_in_lab_data(fake_mnist):
    assert find_mnist() == fake_mnist
    images = load_digits("test", size=16)
    assert images.source == "MNIST" and images.pixels.shape == (20, 1, 16, 16)


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "not_gzip"])
def test_damaged_files_are_named_and_never_half_read(fake_mnist, damage):
    path = fake_mnist / "train-images-idx3-ubyte.gz"
    content = path.read_bytes()
    if damage == "flipped":
        plain = bytearray(gzip.decompress(content))
        plain[500] ^= 1
        content = gzip.compress(bytes(plain))
    path.write_bytes(
        {"cut": content[: len(content) // 2], "empty": b"", "not_gzip": b"hello" * 10}.get(damage, content)
    )
    with pytest.raises(DamagedFile, match=r"train-images-idx3-ubyte\.gz"):
        load_digits("train")


def test_a_cut_unpacked_file_is_named(fake_mnist):
    path = fake_mnist / "t10k-labels-idx1-ubyte"
    path.write_bytes(gzip.decompress((fake_mnist / f"{path.name}.gz").read_bytes())[:-3])
    with pytest.raises(DamagedFile, match="25 bytes and should hold 28"):
        read_idx(fake_mnist, path.name)


def test_offline_digits_take_the_same_shape(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LAB_DATA", raising=False)
    monkeypatch.setenv("LAB_BUDGET", "grade")  # downloads nothing
    data_module.say_offline.cache_clear()
    train, test = load_digits("train"), load_digits("test")
    assert len(train) == 1437 and len(test) == 360 and train.pixels.shape[1:] == (1, 32, 32)
    assert len(capsys.readouterr().out.splitlines()) == 1  # said once
    assert train.labels.bincount().min() > 100
    assert not {bytes(p.numpy()) for p in test.pixels} & {bytes(p.numpy()) for p in train.pixels}


# --- training


class Line(Trainer):
    """Fits y = 2 x + 1 from noisy pairs."""

    def get_train_loss(self, batch_size):
        x = torch.rand(batch_size, 1)
        return ((self.model(x) - (2 * x + 1 + 0.1 * torch.randn_like(x))) ** 2).mean()


def line(tmp_path, name="line", **options):
    seed_everything(0)
    trainer = Line(nn.Linear(1, 1))
    trainer.train(options.pop("steps", 200), "cpu", lr=0.05, batch_size=32, checkpoint=tmp_path / name, **options)
    return trainer


def test_training_fits_and_ends_in_eval_mode(tmp_path):
    trainer = line(tmp_path, steps=400, ema=0.98)
    assert not trainer.model.training
    assert trainer.model.weight.item() == pytest.approx(2, abs=0.1)
    assert trainer.model.bias.item() == pytest.approx(1, abs=0.1)
    assert len(trainer.history) == 400 and trainer.history[-1] < 0.1 * trainer.history[0]


def test_a_run_that_was_cut_is_the_same_as_one_that_was_not(tmp_path):
    class Cut(Exception):
        pass

    def stop(trainer):
        if len(trainer.history) == 90:
            raise Cut

    whole = line(tmp_path, "whole", ema=0.9, save_seconds=0)
    with pytest.raises(Cut):
        line(tmp_path, "cut", ema=0.9, save_seconds=0, on_save=stop)
    torch.manual_seed(12345)  # another process has another state
    resumed = Line(nn.Linear(1, 1))
    resumed.train(200, "cpu", lr=0.05, batch_size=32, ema=0.9, checkpoint=tmp_path / "cut")
    assert resumed.history == whole.history
    assert torch.equal(resumed.model.weight, whole.model.weight)


def test_kill_9_loses_only_the_interval(tmp_path):
    """A process that is killed while it writes leaves a whole checkpoint behind."""
    program = (
        "import sys, torch; from tests.utils.test_base import line; from pathlib import Path\n"
        "print('started', flush=True); line(Path(sys.argv[1]), steps=10**6, save_seconds=0)"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, env=os.environ)
    process.stdout.readline()
    deadline = time.monotonic() + 30
    while not (tmp_path / "line").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    process.wait()
    tensors, facts = load_tensors(tmp_path / "line")
    done = len(tensors["history"])
    assert done > 0 and facts["seconds"] > 0
    resumed = Line(nn.Linear(1, 1))
    resumed.train(done + 5, "cpu", lr=0.05, batch_size=32, checkpoint=tmp_path / "line")
    assert len(resumed.history) == done + 5
    assert resumed.history[:done] == tensors["history"].tolist()


@pytest.mark.parametrize(
    "damage", [lambda whole: whole[:100], lambda whole: whole[:-3], lambda whole: b"", lambda whole: b"x" * 99]
)
def test_a_damaged_checkpoint_is_named(tmp_path, damage):
    line(tmp_path, steps=5)
    path = tmp_path / "line"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(RuntimeError, match=r"line is damaged.*delete it"):
        line(tmp_path, steps=8)


def test_what_is_no_damage_is_not_called_so(tmp_path):
    line(tmp_path, steps=5)
    with pytest.raises(RuntimeError) as error:  # torch has no such device: its own words
        load_tensors(tmp_path / "line", "cuda:99")
    assert "damaged" not in str(error.value)
    with pytest.raises(FileNotFoundError):
        load_tensors(tmp_path / "none")


def test_a_second_call_goes_on_and_a_finished_run_is_left_alone(tmp_path):
    torch.manual_seed(0)
    trainer = Line(nn.Linear(1, 1))
    first = list(trainer.train(5, "cpu", batch_size=8))
    assert trainer.train(8, "cpu", batch_size=8)[:5] == first and len(trainer.history) == 8
    before = trainer.model.weight.clone()
    assert len(trainer.train(8, "cpu", batch_size=8)) == 8 and torch.equal(trainer.model.weight, before)


def test_a_module_that_fails_in_a_batch_is_training_again_afterwards():
    net = nn.Linear(3, 2).train()
    assert in_batches(net, torch.zeros(7, 3), batch=2).shape == (7, 2) and net.training
    with pytest.raises(RuntimeError):
        in_batches(net, torch.zeros(4, 5))
    assert net.training


def test_a_loss_that_explodes_stops_the_run(tmp_path):
    class Bad(Line):
        def get_train_loss(self, batch_size):
            return self.model.weight.sum() * float("nan")

    with pytest.raises(FloatingPointError, match="step 0"):
        Bad(nn.Linear(1, 1)).train(5, "cpu", batch_size=1)


def test_the_learning_rate_rises_stays_and_falls():
    rates = [warm_flat_fall(i, 1000) for i in range(1000)]
    assert rates[0] < 0.1 and max(rates) == 1 and rates[500] == 1 and rates[-1] < 0.01
    assert rates[700:] == sorted(rates[700:], reverse=True)
    assert [warm_flat_fall(i, 9000) for i in range(100, 3000)] == [warm_flat_fall(i, 7000) for i in range(100, 3000)]


def test_weights_go_to_disk_and_back(tmp_path):
    net = nn.Linear(3, 2)
    save_weights(net, tmp_path / "w.safetensors", {"seed": 1})
    other = nn.Linear(3, 2)
    assert load_weights(other, tmp_path / "w.safetensors") == {"seed": 1}
    assert torch.allclose(other.weight, net.weight, atol=1e-3) and not other.training
    save_tensors({"a": torch.ones(2).expand(3, 2)}, tmp_path / "t")  # not contiguous
    assert oct((tmp_path / "t").stat().st_mode & 0o777) == "0o644"


def test_missing_answers_are_said(capsys):
    def blank():
        raise NotImplementedError

    assert or_stored(blank, lambda: 7, "The grid") == 7
    assert "The grid" in capsys.readouterr().out
