"""Lab 2's model answers against automatic differentiation, quadrature and closed forms, in float64."""

from __future__ import annotations

import math

import numpy as np
import oracles
import pytest
import torch

from autograder.course.labs import find_lab
from utils.atoms import CENTRES, SIGMA_D, SIGMA_MIN, TwoAtoms, distance_to_crystal, generate, uniform_states
from utils.checks import lab2 as checks
from utils.checks.challenge import Challenge
from utils.experiments.answers import run_cells


@pytest.fixture(scope="module")
def lab() -> dict:
    return run_cells(find_lab("lab2").solution)


@pytest.fixture(autouse=True)
def double():
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(torch.float32)


def hard_places(n: int = 600) -> torch.Tensor:
    """Random states, the cell's corners and edges, the diagonal, the crystal's places and their surroundings."""
    x = torch.rand(n, 2)
    x[:4] = torch.cartesian_prod(torch.tensor([0.0, 1.0]), torch.tensor([0.0, 1.0]))
    x[4:30, 0], x[30:60, 1] = 0.0, 1 - 1e-12
    x[60:120, 1] = x[60:120, 0]
    x[120:150, 1] = (x[120:150, 0] + 0.5) % 1
    x[150], x[151] = torch.tensor(CENTRES), torch.tensor(CENTRES).flip(0)
    x[152:200] = torch.tensor(CENTRES) + 0.02 * torch.randn(48, 2)
    return x


def square(points: int) -> torch.Tensor:
    side = (torch.arange(points) + 0.5) / points
    return torch.cartesian_prod(side, side)


def density(x, sigma, sigma_d=SIGMA_D):
    return oracles.log_density(x, torch.full((len(x), 1), sigma), sigma_d).exp()


@pytest.mark.parametrize("sigma", [0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.5])
def test_the_score_is_the_gradient_of_the_log_density(lab, sigma):
    x = hard_places()
    width = torch.full((len(x), 1), sigma)
    exact = oracles.exact_score(x, width, SIGMA_D)
    error = (lab["analytic_score"](x, width, SIGMA_D) - exact).abs().max()
    assert error < 1e-9 * exact.abs().max()


def test_the_oracle_is_a_density():
    assert density(square(400), 0.05).mean().item() == pytest.approx(1, abs=1e-12)


def test_the_score_knows_no_order_and_no_cell(lab):
    x, width = torch.rand(50, 2), torch.rand(50, 1) * 0.3 + 0.01
    score = lab["analytic_score"](x, width, SIGMA_D)
    torch.testing.assert_close(lab["analytic_score"](x.flip(1), width, SIGMA_D), score.flip(1))
    turned = lab["analytic_score"](x + torch.tensor([1.0, -1.0]), width, SIGMA_D)
    torch.testing.assert_close(turned, score, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("time", [0.0, 0.2, 0.5, 0.8, 1.0])
def test_the_exact_score_obeys_the_equation(lab, time):
    schedule, x = lab["ExponentialNoise"](), hard_places()

    def score(x, t):
        return lab["analytic_score"](x, schedule.sigma(t), SIGMA_D)

    t = torch.full((len(x), 1), time)
    residual = lab["fokker_planck_residual"](score, x, t, schedule.sigma)
    change = (score(x, t + 1e-6) - score(x, t - 1e-6)) / 2e-6
    assert residual.abs().max() < 1e-8 * change.abs().max()


def test_a_field_that_is_no_solution_has_the_residual_that_was_computed_by_hand(lab):
    """s = (t x1, t x2), sigma(t)² = t: d_t s = x, div s = 2 t, grad |s|² = 2 t² x, so the residual is (1 - t²) x."""
    x, t = torch.rand(20, 2), torch.rand(20, 1) + 0.1
    residual = lab["fokker_planck_residual"](lambda x, t: t * x, x, t, torch.sqrt)
    torch.testing.assert_close(residual, (1 - t**2) * x)


def test_the_mean_target_of_score_matching_is_the_score(lab):
    """E[grad log K(x | x0) | x] by quadrature over x0, both orders."""
    sigma = 0.08
    side = torch.linspace(-6, 6, 121) * SIGMA_D
    offsets = torch.cartesian_prod(side, side)
    weights = torch.exp(-(offsets**2).sum(1) / (2 * SIGMA_D**2))
    x0 = torch.cat([torch.tensor(c) + offsets for c in (CENTRES, CENTRES[::-1])])
    weights = weights.repeat(2)
    for x in torch.tensor([[0.1, 0.5], [0.3, 0.35], [0.99, 0.02]]):
        width = torch.full((len(x0), 1), sigma)
        likelihood = oracles.log_wrapped(x - x0, width.expand_as(x0)).sum(1).exp()
        pulls = oracles.kernel_score(x.expand_as(x0), x0, width)
        share = (weights * likelihood / (weights * likelihood).sum())[:, None]
        score = lab["analytic_score"](x[None], width[:1], SIGMA_D)[0]
        torch.testing.assert_close((share * pulls).sum(0), score, rtol=1e-7, atol=1e-7)


def test_scores_at_two_times_agree(lab):
    """The identity behind consistency, by quadrature over y: s_t(x) = E[grad log K(x - y) | x]."""
    start, end = 0.15, 0.1
    y = square(300)
    shape = torch.full((len(y), 1), 1.0)
    gap = math.sqrt(start**2 - end**2)
    for x in torch.tensor([[0.05, 0.4], [0.5, 0.52]]):
        kernel = oracles.log_wrapped(x - y, (gap * shape).expand_as(y)).sum(1).exp()
        share = density(y, end) * kernel
        share = (share / share.sum())[:, None]
        target = lab["consistency_target"](x.expand_as(y), y, start * shape, end * shape)
        score = lab["analytic_score"](x[None], start * shape[:1], SIGMA_D)[0]
        torch.testing.assert_close((share * target).sum(0), start * score, rtol=1e-8, atol=1e-8)


def test_the_loss_of_the_exact_score_is_the_floor_that_the_text_tells(lab):
    """E|sigma grad log K|² - E|sigma s|², by quadrature over states and times."""
    schedule, points = lab["ExponentialNoise"](), 220
    x, u = square(points), ((torch.arange(3000) + 0.5) / 3000)[:, None]
    floors = []
    times = (torch.arange(16) + 0.5) / 16
    for t in times:
        sigma = float(schedule.sigma(t.reshape(1, 1)))
        width = torch.full((len(u), 1), sigma)
        kernel = oracles.log_wrapped(u, width).exp()[:, 0]
        target = (kernel * (sigma * oracles.kernel_score(u, torch.zeros_like(u), width)[:, 0]) ** 2).mean()
        p, score = density(x, sigma), oracles.exact_score(x, torch.full((len(x), 1), sigma), SIGMA_D)
        known = (p[:, None] * (sigma * score) ** 2).mean() / p.mean()
        floors.append(float(target - known))
    floor = float(np.mean(floors))
    trainer = lab["ScoreTrainer"](
        schedule,
        lambda x, t: schedule.sigma(t) * lab["analytic_score"](x, schedule.sigma(t), SIGMA_D),
        TwoAtoms(dtype=torch.float64),
    )
    losses = [float(trainer.get_train_loss(20_000)) for _ in range(5)]
    assert np.mean(losses) == pytest.approx(floor, abs=0.01)
    assert floor == pytest.approx(0.469, abs=0.004)


def test_steps_on_a_gaussian_are_the_affine_maps_that_are_known(lab):
    """For N(m, V) with its exact score, a predictor step shrinks x - m by 1 - g²/V and adds g² of variance; Langevin by 1 - step/V."""
    m, V = 0.5, 0.01
    x, noise = m + 0.05 * torch.randn(200, 1), torch.randn(200, 1)
    score = -(x - m) / V
    now, later = torch.full_like(x, 0.09), torch.full_like(x, 0.07)
    g2 = 0.09**2 - 0.07**2
    expected = m + (1 - g2 / V) * (x - m) + math.sqrt(g2) * noise
    torch.testing.assert_close(lab["predictor_step"](x, score, now, later, noise), expected % 1)
    step = torch.full_like(x, 1e-3)
    expected = m + (1 - 0.1) * (x - m) + math.sqrt(2e-3) * noise
    torch.testing.assert_close(lab["corrector_step"](x, score, step, noise), expected % 1)


def test_the_sampler_meets_the_rayleigh_law_and_both_orders(lab):
    schedule = lab["ExponentialNoise"]()
    n = 4000
    x = generate(
        lambda x, t: lab["analytic_score"](x, schedule.sigma(t), SIGMA_D),
        schedule, lab["predictor_step"], lab["corrector_step"], uniform_states(n, dtype=torch.float64), steps=200,
    )  # fmt: skip
    law = math.hypot(SIGMA_D, SIGMA_MIN) * math.sqrt(math.pi / 2)
    assert distance_to_crystal(x).mean().item() == pytest.approx(law, rel=0.05)
    first = ((x[:, 0] - 0.25).abs() < 0.1).double().mean().item()
    assert first == pytest.approx(0.5, abs=5 * 0.5 / math.sqrt(n))


def test_the_wrong_start_is_as_wrong_as_the_text_says():
    """Total variation between the noised states at t = 1 and the uniform law, by quadrature."""
    x = square(400)
    seen = {sigma: float((density(x, sigma) - 1).abs().mean() / 2) for sigma in (0.2, 0.3, 0.5)}
    assert seen[0.2] == pytest.approx(0.173, abs=0.001)
    assert seen[0.3] == pytest.approx(0.023, abs=0.001)
    assert seen[0.5] == pytest.approx(4e-5, abs=1e-5)
    p = density(x, 0.2)
    assert float(p.min()) == pytest.approx(0.352, abs=0.002)
    assert float(p.max()) == pytest.approx(2.0, abs=0.01)


def test_one_step_of_a_networks_own_score_teaches_nothing(lab):
    """The mean target after one step is what the network says, whatever it says; after several it is something else."""
    schedule, walks = lab["ExponentialNoise"](), 400_000
    x, t = torch.tensor([[0.3, 0.6]]).repeat(walks, 1), torch.full((walks, 1), 0.7)

    def network(x, t):  # nonsense
        return torch.cos(2 * math.pi * x + 3 * t) * 0.7

    def mean_target(steps):
        y = x
        for i in range(steps):
            now, later = (schedule.sigma(t - j / 20) for j in (i, i + 1))
            y = lab["predictor_step"](y, network(y, t - i / 20) / now, now, later, torch.randn_like(y))
        target = lab["consistency_target"](x, y, schedule.sigma(t), later)
        return target.mean(0), target.std(0) / math.sqrt(walks)

    says = network(x[:1], t[:1])[0]
    mean, error = mean_target(1)
    assert ((mean - says).abs() < 5 * error).all()
    mean, error = mean_target(8)
    assert ((mean - says).abs() > 10 * error).any()


# --- the numbers of the public checks, made again


def test_public_scores():
    challenge = Challenge.public("lab2.analytic_score")
    assert set(checks.PUBLIC_SCORES) == set(checks.SCORE_RUNS)
    for name, number in checks.PUBLIC_SCORES.items():
        x, sigma, sigma_d = checks.score_setting(challenge, name)
        exact = oracles.exact_score(x.double(), sigma.double(), sigma_d)
        assert float((exact * checks.score_probe(challenge, name)).mean()) == pytest.approx(number, abs=1e-6)


def test_public_steps():
    """By hand-written numpy."""
    challenge = Challenge.public("lab2.predictor_corrector")
    assert {name for _, name in checks.PUBLIC_STEPS} == set(checks.STEP_RUNS)
    for (short, name), number in checks.PUBLIC_STEPS.items():
        v = {key: value.double().numpy() for key, value in checks.step_setting(challenge, name).items()}
        drift = v["sigma"] ** 2 - v["sigma_next"] ** 2 if short == "predictor" else v["step"]
        width = np.sqrt(drift if short == "predictor" else 2 * drift)
        state = v["x"] + drift * v["score"] + width * v["noise"]
        assert np.cos(2 * np.pi * state).mean() == pytest.approx(number, abs=1e-5)


def test_public_targets():
    challenge = Challenge.public("lab2.consistency")
    assert set(checks.PUBLIC_CONSISTENCY) == set(checks.TARGET_RUNS)
    for name, number in checks.PUBLIC_CONSISTENCY.items():
        x, y, start, end = (value.double() for value in checks.target_setting(challenge, name))
        target = start * oracles.kernel_score(x, y, (start**2 - end**2).sqrt())
        assert float(target.abs().mean()) == pytest.approx(number, abs=1e-5)
