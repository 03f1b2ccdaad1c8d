"""Lab 3: the formulas that grade, and those that students are given, against independent truths in float64."""

import pytest
import torch

from autograder.exercises import lab3 as verdicts
from tests.lab3 import oracles
from utils.checks import lab3
from utils.checks.challenge import Challenge
from utils.checks.stubs import StubClassifier
from utils.diffusion import at
from utils.mixture import Mixture

CHALLENGE = Challenge("lab3.test", b"a key")
SCHEDULE = lab3.made_up_schedule(CHALLENGE)
DOUBLE = [name for name, (_, dtype) in lab3.RUNS.items() if dtype == torch.float64]


def test_the_public_numbers_come_from_the_oracles():
    for table, numbers in oracles.public_numbers().items():
        assert getattr(lab3, table) == pytest.approx(numbers, abs=2e-6), table


@pytest.mark.parametrize("name", DOUBLE)
def test_the_graders_steps(name):
    given = lab3.ddpm_setting(CHALLENGE, name)
    here = verdicts.Here(CHALLENGE, given["t"], given["x"])
    step = verdicts.ddpm(given["x"], given["noise_estimate"], given["noise"], here)
    assert torch.allclose(step, oracles.ddpm(**given), atol=1e-11)
    given = lab3.ddim_setting(CHALLENGE, name)
    assert bool((given["t_prev"] < given["t"]).all())
    padded = torch.cat([SCHEDULE.alpha_bars, torch.ones(1, dtype=torch.float64)])
    step = verdicts.ddim(given["x"], given["noise_estimate"], at(SCHEDULE.alpha_bars, given["t"], given["x"]), at(padded, given["t_prev"], given["x"]))  # fmt: skip
    assert torch.allclose(step, oracles.ddim(**given), atol=1e-11)


def test_the_graders_sigmas():
    t = torch.arange(lab3.MADE_UP_STEPS)
    here, truth = verdicts.Here(CHALLENGE, t, torch.zeros(len(t))), oracles.sigmas(t, SCHEDULE)
    assert torch.allclose(here.sigma, truth["total"], atol=1e-12)
    assert torch.allclose(here.posterior, truth["posterior"], atol=1e-7)
    assert float(here.posterior[0]) == 0


@pytest.mark.parametrize("name", ["plain", "one"])
def test_the_graders_gradient_is_a_difference_quotient(name):
    _, x, t, y = lab3.gradient_setting(CHALLENGE, name)
    stub = StubClassifier(CHALLENGE, lab3.GRADIENT_CLASSES, torch.float64, mixed=True)
    right = verdicts.gradient_mistakes(stub, x, t, y)[0][2]
    assert torch.allclose(right, oracles.gradient(stub, x, t, y), atol=1e-6)


@pytest.mark.parametrize(
    ("S", "s", "w"), [(4.0, 1.0, 3.0), (2.0, 1.0, 3.0), (3.0, 0.5, 1.7), (2.0, 1.0, 0.0), (2.0, 1.0, 1.0)]
)
def test_the_three_variances_solve_their_equations(S, s, w):
    truth = oracles.variances(S, s, w)
    for label, value in zip(("tilt", "ode", "sde"), verdicts.variances(S, s, w)):
        assert float(value) == pytest.approx(truth[label], rel=1e-4), label


def test_the_simulated_numbers_of_the_public_check():
    truth = oracles.variances(4.0, 1.0, 3.0)
    assert pytest.approx(truth, rel=1e-3) == lab3.SIMULATED


def test_the_mixtures_noise_and_classifier_are_exact():
    """Against automatic differentiation of a density written down anew."""
    world = Mixture(
        torch.tensor([[1.0, 0.0], [-1.0, 0.5], [0.0, 2.0]]).double(), torch.tensor([0.3, 0.6, 0.2]).double(),
        torch.tensor([0.5, 0.2, 0.3]).double(),
    )  # fmt: skip
    x = torch.randn(12, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64).requires_grad_()
    t = torch.randint(lab3.MADE_UP_STEPS, (12,), generator=torch.Generator().manual_seed(2))
    shares, variances = oracles.chain(SCHEDULE)
    share, variance = shares[t + 1], variances[t + 1]
    joint = []
    for mean, std, prior in zip(world.means, world.stds, world.prior):
        spread = (share**2 * std**2 + variance)[:, None].expand(-1, 2)
        law = torch.distributions.Normal(share[:, None] * mean, spread.sqrt())
        joint.append(prior.log() + law.log_prob(x).sum(1))
    joint = torch.stack(joint, dim=1)
    score = torch.autograd.grad(joint.logsumexp(1).sum(), x)[0]
    assert torch.allclose(world.noise(x, t, SCHEDULE), -variance.sqrt()[:, None] * score, atol=1e-10)
    assert torch.allclose(world.logits(x, t, SCHEDULE).softmax(1), joint.softmax(1), atol=1e-10)


def test_the_mixtures_samples():
    world = Mixture(torch.tensor([[3.0], [-3.0]]), torch.tensor([0.5, 0.1]), torch.tensor([0.75, 0.25]))
    x, y = world.sample(40_000, torch.Generator().manual_seed(0))
    assert float((y == 0).double().mean()) == pytest.approx(0.75, abs=0.015)  # 7 standard errors
    for k in (0, 1):
        assert float(x[y == k].mean()) == pytest.approx(float(world.means[k]), abs=0.03)
        assert float(x[y == k].std()) == pytest.approx(float(world.stds[k]), rel=0.04)
