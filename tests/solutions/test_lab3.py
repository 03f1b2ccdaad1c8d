"""What lab 3 shows beyond its exercises: the counterexample, the checkpoints, words, colours."""

from __future__ import annotations

import jupytext
import pytest
import torch

from autograder.course.labs import find_lab
from autograder.course.solved import SolvedLab
from solutions import train_lab3
from tests.exercises.lab3 import oracles
from tests.utils.test_data import write_cifar
from utils import captions, data
from utils.nets import (
    NoiseUNet,
    NoisyDigitClassifier,
)
from utils.training import CHECKPOINTS, load_tensors, load_weights


@pytest.fixture(scope="module")
def lab():
    """The answers, and the functions of the cell on two clouds."""
    namespace = SolvedLab(find_lab("lab3")).namespace
    cells = jupytext.read(find_lab("lab3").source, fmt="py:percent").cells
    (cell,) = [cell for cell in cells if "def walk_clouds" in cell.source]
    exec(compile(cell.source.rsplit("drawn(", 1)[0], "<two clouds>", "exec"), namespace)
    return namespace


@pytest.fixture(scope="module")
def schedule(lab):
    """The model answer's schedule of 1000 steps."""
    return lab["linear_schedule"](1000)


@pytest.mark.parametrize("w", [0.0, 1.0, 3.0])
def test_samplers_end_on_the_closed_forms_and_not_on_the_claim(lab, w):
    """A guided Gaussian stays Gaussian, and each step is affine: the variance follows without drawing a sample."""
    S, s = 4.0, 1.0
    schedule = lab["linear_schedule"](1000).to(torch.float64)
    tilt, ode, sde = lab["what_guidance_samples"](S, s, w)
    variance = {"ode": 1.0, "sde": 1.0}
    one = torch.ones(1, 1, dtype=torch.float64)
    for step in reversed(range(1000)):
        t = torch.tensor([step])
        bar = schedule.alpha_bars[step]
        of_all, of_class = (-one / (bar * v + 1 - bar) for v in (S, s))
        estimate = lab["guided_noise"](lab["noise_from_score"](of_all, t, schedule), of_class - of_all, t, w, schedule)
        flat = lab["ddim_step"](one, t, t - 1, estimate, schedule)
        variance["ode"] *= float(flat) ** 2
        kick = lab["ddpm_step"](0 * one, t, 0 * one, one, schedule)
        flat = lab["ddpm_step"](one, t, estimate, 0 * one, schedule)
        variance["sde"] = float(flat) ** 2 * variance["sde"] + float(kick) ** 2
    assert variance["ode"] == pytest.approx(ode, rel=0.015)
    assert variance["sde"] == pytest.approx(sde, rel=0.015)
    truth = oracles.variances(S, s, w)
    assert (tilt, ode, sde) == pytest.approx(tuple(truth.values()), rel=1e-4)
    if w == 3.0:
        assert variance["ode"] < tilt / 5
        assert variance["sde"] < 0.7 * tilt


def test_the_fixed_sampler_draws_the_class_and_the_suspicious_one_does_not(lab):
    from utils.mixture import Mixture

    lab_schedule = lab["linear_schedule"](1000)
    short = type(lab_schedule)(*(v[::10] for v in lab_schedule))
    betas = 1 - short.alpha_bars / torch.cat([torch.ones(1), short.alpha_bars[:-1]])
    short = type(lab_schedule)(betas, 1 - betas, short.alpha_bars)
    world = Mixture(torch.tensor([[2.0, 0.0], [-2.0, 0.0]]), torch.tensor([0.3, 0.3]))
    source = torch.Generator().manual_seed(0)
    x, noises = torch.randn(300, 2, generator=source), torch.randn(100, 300, 2, generator=source)
    y = torch.ones(300, dtype=torch.long)

    def share(sampler) -> float:
        end = sampler(
            x, y, 1.0, lambda x, t: world.noise(x, t, short), lambda x, t: world.logits(x, t, short), short,
            lab["classifier_gradient"], lab["ddpm_step"], noises,
        )  # fmt: skip
        return float((end[:, 0] < 0).double().mean())

    assert share(lab["guided_sampler"]) > 0.99
    assert share(lab["suspicious_sampler"]) < 0.6


@pytest.mark.parametrize(
    ("w", "claim", "ode", "sde"),
    # worked out beforehand, with 200,000 particles in continuous time: mean and standard deviation
    [
        (3.0, (1.051, 0.457), (1.519, 0.315), (1.240, 0.432)),
        pytest.param(1.0, (0.998, 0.501), (0.998, 0.501), (0.998, 0.501), marks=pytest.mark.slow),
    ],
)
def test_two_clouds_end_elsewhere_than_claimed(lab, w, claim, ode, sde):
    """4,000 particles: a mean's standard error is at most 0.008, a standard deviation's 0.006; T = 1000 adds 0.005."""
    x, density = lab["claimed_density"](w)
    mean = float(torch.trapezoid(x * density, x))
    spread = float(torch.trapezoid((x - mean) ** 2 * density, x)) ** 0.5
    assert (mean, spread) == pytest.approx(claim, abs=0.003)
    samples = lab["walk_clouds"](w, 4000)
    for name, expected in (("DDIM", ode), ("DDPM", sde)):
        values = samples[name]
        assert (float(values.mean()), float(values.std())) == pytest.approx(expected, abs=0.045), name


@torch.no_grad()
def test_the_checkpoints_load_and_know_their_trade(lab, schedule):
    classifier, net = NoisyDigitClassifier(1000), NoiseUNet(schedule.alpha_bars)
    load_weights(classifier, CHECKPOINTS / "lab3_classifier.safetensors")
    load_weights(net, CHECKPOINTS / "lab3_noise.safetensors")
    assert torch.allclose(net.alpha_bars, schedule.alpha_bars, atol=1e-3)  # kept in float16
    if data.find_mnist() is None:
        pytest.skip("the accuracies below are those on MNIST")
    x0, y = data.load_digits("test")[:200]
    noise = torch.randn(x0.shape, generator=torch.Generator().manual_seed(1))
    for level, least in ((0, 0.95), (200, 0.9), (400, 0.6)):
        t = torch.full((200,), level)
        x = lab["add_noise"](x0, t, noise, schedule)
        assert float((classifier(x, t).argmax(1) == y).double().mean()) > least
        error = (net(x[:50], t[:50]) - noise[:50]).square().mean()
        assert float(error) < (0.9 if level == 0 else 0.1)


def test_the_noise_network_starts_from_the_weights_of_lab_4_that_fit(schedule):
    net = NoiseUNet(schedule.alpha_bars)
    before = {name: value.clone() for name, value in net.unet.state_dict().items()}
    start, (lab4, facts) = train_lab3.from_lab4(net), load_tensors(CHECKPOINTS / "lab4_cfg.safetensors")
    lab4["y_embedding.weight"] = lab4["y_embedding.weight"][10:]  # the null label
    other = {"stem.weight", "head.2.weight", "head.2.bias"}  # of patches there, of pixels here
    assert other == {name for name, value in net.unet.state_dict().items() if value.shape != lab4[name].shape}
    for name, value in net.unet.state_dict().items():
        assert torch.equal(value, before[name] if name in other else lab4[name].float()), name
    assert f"{facts['steps']} steps" in start and all(name in start for name in other)


def test_words_steer(lab):
    """After a few steps of training the wanted caption becomes more probable, along the student's own gradient."""
    torch.manual_seed(0)
    digits = data.load_digits("train")
    model = captions.TinyCLIP()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(60):
        x, y = digits.sample(64)
        texts = captions.captions(x, y)
        same = torch.tensor([[float(a == b) for b in texts] for a in texts])
        loss = captions.contrastive_loss(model.encode_image(x), model.encode_text(texts), same)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert sum(losses[-5:]) < 0.85 * sum(losses[:5])
    texts = ["a fine upright one", "a bold slanted zero"]
    directions = model.encode_text(texts).detach()

    def fits(x, t):
        return 10 * model.encode_image(x) @ directions.T

    x, t, y = digits[:8][0], torch.zeros(8, dtype=torch.long), torch.ones(8, dtype=torch.long)
    g = lab["classifier_gradient"](fits, x, t, y)
    before, after = (fits(z, t).log_softmax(1)[:, 1].sum() for z in (x, x + 0.01 * g / g.norm()))
    assert float(after.detach()) > float(before.detach())


def test_the_notebooks_code_runs_on_colours(tmp_path, monkeypatch, capsys):
    """The cell on CIFAR-10, on files in its format, at the smallest budget."""
    monkeypatch.setenv("LAB_DATA", str(tmp_path))
    monkeypatch.setenv("LAB_BUDGET", "ci")
    write_cifar(tmp_path / "cifar-10-batches-bin")
    lab = SolvedLab(find_lab("lab3")).namespace
    cells = jupytext.read(find_lab("lab3").source, fmt="py:percent").cells
    (cell,) = [cell for cell in cells if "def on_cifar" in cell.source]
    exec(compile(cell.source, "<colours>", "exec"), lab)
    lines = capsys.readouterr().out.splitlines()
    assert sum("Fréchet distance" in line for line in lines) == 5
