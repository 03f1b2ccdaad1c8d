"""What lab 3 shows beyond its exercises: the networks, the counterexample, words, colours."""

import json

import jupytext
import pytest
import torch

from autograder.course.labs import find_lab
from autograder.course.solved import SolvedLab
from tests.exercises.lab3 import oracles
from utils import captions, data
from utils.nets import NoiseUNet, NoisyDigitClassifier
from utils.training import CHECKPOINTS, load_weights


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


def test_the_mended_sampler_draws_the_class_and_the_suspicious_one_does_not(lab):
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
    [(3.0, (1.051, 0.457), (1.519, 0.315), (1.240, 0.432)), (1.0, (0.998, 0.501), (0.998, 0.501), (0.998, 0.501))],
)
def test_two_clouds_end_elsewhere_than_claimed(lab, w, claim, ode, sde):
    """4,000 particles: a mean's standard error is at most 0.008, a standard deviation's 0.006; T = 1000 adds 0.005."""
    x, law = lab["claimed_law"](w)
    mean = float(torch.trapezoid(x * law, x))
    spread = float(torch.trapezoid((x - mean) ** 2 * law, x)) ** 0.5
    assert (mean, spread) == pytest.approx(claim, abs=0.003)
    samples = lab["walk_clouds"](w, 4000)
    for name, expected in (("DDIM", ode), ("DDPM", sde)):
        values = samples[name]
        assert (float(values.mean()), float(values.std())) == pytest.approx(expected, abs=0.045), name


def test_time_reaches_the_classifiers_gradient(schedule):
    torch.manual_seed(0)
    classifier = NoisyDigitClassifier(1000)
    x = torch.randn(2, 1, 32, 32).requires_grad_()
    grads = [torch.autograd.grad(classifier(x, torch.full((2,), t))[:, 3].sum(), x)[0] for t in (10, 900)]
    assert float((grads[0] - grads[1]).abs().max()) > 1e-4


@torch.no_grad()
def test_samples_do_not_speak_to_each_other(schedule):
    torch.manual_seed(0)
    net, classifier = NoiseUNet(schedule.alpha_bars, channels=(16, 32), layers=1), NoisyDigitClassifier(1000)
    x, t = torch.randn(3, 1, 32, 32), torch.tensor([1, 500, 999])
    for model in (net, classifier):
        together = model(x, t)
        alone = torch.cat([model(x[i : i + 1], t[i : i + 1]) for i in range(3)])
        assert torch.allclose(together, alone, atol=1e-5)


@torch.no_grad()
def test_the_noise_network_is_the_velocity_in_other_clothes(schedule):
    """With a U-Net that returns x_0 - noise exactly, the network returns the noise exactly."""
    net = NoiseUNet(schedule.alpha_bars.double())
    x0, noise = torch.randn(4, 1, 8, 8).double(), torch.randn(4, 1, 8, 8).double()
    t = torch.tensor([0, 300, 700, 999])
    bar = net.alpha_bars.double()[t][:, None, None, None]
    net.alpha_bars = net.alpha_bars.double()
    net.unet.forward = lambda x, share, y: x0 - noise
    assert torch.allclose(net(bar.sqrt() * x0 + (1 - bar).sqrt() * noise, t), noise, atol=1e-6)


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


def test_the_stored_sweep_is_complete():
    table = json.loads((CHECKPOINTS / "lab3_sweep.json").read_text())
    assert list(table["by scale"]) == ["0", "1", "2", "4", "8"]
    for row in table["by scale"].values():
        assert {len(row[name]) for name in ("accuracy", "distance", "precision", "recall")} == {table["seeds"]}
    accuracy = [sum(row["accuracy"]) / table["seeds"] for row in table["by scale"].values()]
    assert accuracy[0] < 0.25 < 0.9 < accuracy[3]


# --- words


def test_captions_tell_ink_and_slant():
    picture = torch.full((3, 1, 32, 32), -1.0)
    picture[0, 0, 4:28, 15:17] = 1  # upright
    for i in range(24):
        picture[1, 0, 4 + i, 20 - i // 3 : 22 - i // 3] = 1  # leans to the right
        picture[2, 0, 4 + i, 10 + i // 3 : 16 + i // 3] = 1  # leans to the left, and is bold
    lean = captions.slant(picture)
    assert float(lean[0]) == pytest.approx(0, abs=1e-6)
    assert float(lean[1]) == pytest.approx(1 / 3, abs=0.02)
    assert float(lean[2]) == pytest.approx(-1 / 3, abs=0.02)
    assert captions.captions(picture, torch.tensor([1, 7, 3])) == [
        "a fine upright one", "a fine slanted seven", "a bold upright three",
    ]  # fmt: skip


def test_contrastive_loss_of_known_points():
    """Two captions, perfectly told apart by unit vectors: log(1 + exp(-2 sharpness)) each way."""
    points = torch.tensor([[1.0, 0.0], [-1.0, 0.0]]).double()
    loss = captions.contrastive_loss(points, points, torch.eye(2).double(), sharpness=3.0)
    assert float(loss) == pytest.approx(float(torch.log1p(torch.exp(torch.tensor(-6.0).double()))))
    alike = torch.ones(2, 2).double()  # one caption for both: nothing to tell apart
    same = captions.contrastive_loss(points[:1].expand(2, 2), points[:1].expand(2, 2), alike)
    assert float(same) == pytest.approx(float(torch.log(torch.tensor(2.0))))


def test_unknown_words_are_named():
    with pytest.raises(ValueError, match="'cat'"):
        captions.TinyCLIP().encode_text(["a bold cat"])


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


class StandIn(torch.nn.Module):
    """As much of open_clip as the adapter uses."""

    class visual:
        image_size = (16, 16)

    def encode_image(self, x):
        assert x.shape[1:] == (3, 16, 16)
        return x.flatten(1)[:, :6]

    def encode_text(self, tokens):
        return tokens.float()


def test_open_clip_fits_the_two_methods(monkeypatch):
    import sys
    import types

    stand_in = types.SimpleNamespace(
        create_model=lambda name, pretrained: StandIn(),
        get_tokenizer=lambda name: lambda texts: torch.tensor([[len(t)] * 6 for t in texts]),
        OPENAI_DATASET_MEAN=(0.5, 0.5, 0.5), OPENAI_DATASET_STD=(0.25, 0.25, 0.25),
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "open_clip", stand_in)
    model = captions.OpenCLIP()
    x = torch.rand(2, 1, 32, 32).requires_grad_()
    image, text = model.encode_image(x), model.encode_text(["seven", "a bold one"])
    assert image.shape == text.shape == (2, 6)
    assert torch.allclose(image.norm(dim=1), torch.ones(2))
    assert torch.autograd.grad((image * text).sum(), x)[0].shape == x.shape


def test_without_open_clip_the_adapter_says_what_to_install(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(ImportError, match="pip install open_clip_torch"):
        captions.OpenCLIP()


# --- colours


def write_cifar(folder, images: int = 40):
    folder.mkdir(parents=True)
    pixels = torch.randint(256, (images, 3 * 32 * 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    labels = (torch.arange(images) % 10).to(torch.uint8)
    records = torch.cat([labels[:, None], pixels], dim=1).numpy()
    for name in (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"):
        records.tofile(folder / name)
    return pixels.reshape(-1, 3, 32, 32), labels


def test_cifar_is_read_as_it_was_written(tmp_path, monkeypatch):
    monkeypatch.setenv("LAB_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="download_cifar"):
        data.load_cifar()
    pixels, labels = write_cifar(tmp_path / "cifar-10-batches-bin")
    train, test = data.load_cifar("train"), data.load_cifar("test")
    assert len(train) == 200 and len(test) == 40
    images, y = test[:]
    assert torch.allclose(images, pixels.float() / 127.5 - 1)
    assert torch.equal(y, labels.long())


def test_damaged_cifar_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("LAB_DATA", str(tmp_path))
    folder = tmp_path / "cifar-10-batches-bin"
    write_cifar(folder)
    whole = (folder / "data_batch_3.bin").read_bytes()
    (folder / "data_batch_3.bin").write_bytes(whole[:-5])
    with pytest.raises(data.DamagedFile, match="data_batch_3"):
        data.load_cifar("train")
    (folder / "data_batch_3.bin").write_bytes(b"\xff" + whole[1:])
    with pytest.raises(data.DamagedFile, match="labels above 9"):
        data.load_cifar("train")


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
