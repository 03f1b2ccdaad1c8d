"""Lab 1: the formulas that grade, and those that students are given, against independent truths in float64."""

import math

import pytest
import torch
from scipy import special, stats

from autograder.exercises.lab1 import Law, new_x
from tests.lab1 import oracles
from utils import settings, simplex, vp
from utils.checks import lab1
from utils.checks.challenge import Challenge

CHALLENGE = Challenge("lab1.test", b"a key")
SMALL = [name for name, run in lab1.LAW_RUNS.items() if run[1] ** run[0] <= 5000]


@pytest.mark.parametrize("name", SMALL)
def test_the_graders_law_is_the_sum_over_all_words(name):
    x, t, y, setting = lab1.law_setting(CHALLENGE, name)
    law = Law(x, t, setting)
    assert torch.allclose(law.posterior(), oracles.posterior(x, t, setting), atol=1e-6 if name == "single" else 1e-9)
    score = (law.a * law.mean(y) - law.x) / law.s**2
    expected = oracles.score(x, t, y, setting)
    assert (score - expected).abs().max() <= (1e-4 if name == "single" else 1e-8) * expected.abs().max()


@pytest.mark.parametrize("name", ["spins", "letters", "far"])
def test_both_oracles_of_the_posterior_agree(name):
    x, t, _, setting = lab1.law_setting(CHALLENGE, name)
    assert torch.allclose(oracles.posterior_in_decimals(x, t, setting), oracles.posterior(x, t, setting), atol=1e-9)


def test_the_public_numbers_come_from_the_oracles():
    for table, numbers in oracles.public_numbers().items():
        assert getattr(lab1, table) == pytest.approx(numbers, abs=2e-7), table


def test_the_graders_step_is_the_reverse_equation():
    for name in lab1.STEP_RUNS:
        inputs = {k: v.double() if torch.is_tensor(v) else v for k, v in lab1.step_setting(CHALLENGE, name).items()}
        assert torch.allclose(new_x(**inputs), oracles.step(**inputs), atol=1e-12)


@pytest.mark.parametrize("t", [1e-3, 0.01, 0.3, 0.7, 1.0])
def test_the_schedule_solves_its_equations(t):
    a, v = oracles.mean_and_variance(t)
    time = torch.tensor(t, dtype=torch.float64)
    assert float(vp.a(time)) == pytest.approx(a, rel=1e-8) and float(vp.sigma(time)) ** 2 == pytest.approx(v, rel=1e-7)


def test_times_fall_from_noise_to_data():
    grid = vp.times(50)
    assert grid[0] == 1 and float(grid[-1]) == pytest.approx(vp.T_MIN) and (grid.diff() < 0).all()
    assert len(grid) == 51 and grid.diff().abs()[0] > grid.diff().abs()[-1]


# --- the worlds

WORLDS = [
    settings.noisy_spins(), settings.ferromagnet(), settings.all_down(), settings.majority(), settings.majority(ratio=0.75),
    *(make(sites, letters) for make in (
        settings.disjoint_letters, settings.dirichlet_letters, settings.biased_letters, settings.redrawn_letters,
        settings.uniform_letters,
    ) for sites, letters in ((12, 6), (5, 3), (1, 2), (7, 5))),
]  # fmt: skip


@pytest.mark.parametrize("world", WORLDS, ids=lambda w: f"{w.name} {w.sites}x{w.letters}")
def test_worlds_are_laws_of_two_classes(world):
    assert world.classes == 2 and torch.allclose(world.prior, torch.tensor([0.5, 0.5]).double())
    letters = torch.randint(world.letters, (5, world.sites), generator=CHALLENGE.generator("words"))
    assert torch.equal(
        world.read(world.embed(letters) + 0.1 * CHALLENGE.randn("noise", (5, world.sites, world.points.shape[1]))),
        letters,
    )


def test_an_odd_alphabet_is_shared_out_whole():
    world = settings.disjoint_letters(4, 5)
    assert torch.equal((world.probs > 0).sum(0), torch.ones(4, 5, dtype=torch.long))


def test_the_majority_is_where_its_name_says():
    assert settings.majority(ratio=0.75).probs[0, :, 1].eq(0.25).all()


def test_law_of_ups_is_a_mixture_of_binomials():
    k = torch.arange(37)
    law = settings.law_of_ups(settings.ferromagnet())
    expected = sum(stats.binom.pmf(k, 36, q) for q in (0.0, 1.0, 0.1, 0.9)) / 4
    assert law[0].numpy() == pytest.approx(expected, abs=1e-12)
    assert law[1].numpy() == pytest.approx(stats.binom.pmf(k, 36, 0.5), abs=1e-12)


@pytest.mark.parametrize(("world", "accuracy"), [(settings.ferromagnet(), 0.9975), (settings.all_down(), 0.9990)])
def test_the_text_quotes_the_best_possible_accuracy(world, accuracy):
    law = settings.law_of_ups(world) / 2
    assert float(law.max(0).values.sum()) == pytest.approx(accuracy, abs=6e-5)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: settings.disjoint_letters(letters=1), "letters"),
        (lambda: settings.uniform_letters(sites=0), "sites"),
        (lambda: settings.biased_letters(bias=0), "bias"),
        (lambda: settings.biased_letters(bias=math.inf), "probs"),
        (lambda: settings.redrawn_letters(redraw=(0.1, 1.5)), "redraw"),
        (lambda: settings.majority(ratio=0.2), "ratio"),
        (lambda: settings.ferromagnet(flip=-0.1), "ups"),
        (lambda: settings.spin_setting("x", [0.5], [[0.5], [1.0]]), "weights"),
        (lambda: settings.spin_setting("x", [0.5], [[0.5, 0.5], [1.0, 0.0]]), "weights"),
        (
            lambda: settings.Setting("x", torch.full((1, 3, 2), 0.5), torch.ones(1, 1), torch.ones(1), torch.eye(3)),
            "points",
        ),
        (
            lambda: settings.Setting(
                "x", torch.full((1, 3, 2), 0.5), torch.ones(1, 1), torch.ones(1), torch.eye(2), side=2
            ),
            "side",
        ),
        (lambda: settings.law_of_ups(settings.disjoint_letters()), "up spins"),
    ],
)
def test_bad_arguments_are_named(make, word):
    with pytest.raises(ValueError, match=word):
        make()


# --- beyond: the simplex


@pytest.mark.parametrize("k", [2, 3, 4])
@pytest.mark.parametrize("alpha", [1.2, 3.0, 7.5])
def test_the_speed_keeps_the_incomplete_beta_function(k, alpha):
    """Mass below a point that moves with the flow stays: dI/dalpha + beta density · speed · (1 - x) = 0."""
    x = torch.linspace(0.02, 0.98, 25, dtype=torch.float64)
    h = 1e-5
    by_alpha = (special.betainc(alpha + h, k - 1, x.numpy()) - special.betainc(alpha - h, k - 1, x.numpy())) / (2 * h)
    flux = stats.beta.pdf(x.numpy(), alpha, k - 1) * (simplex.speed(x, alpha, k) * (1 - x)).numpy()
    assert by_alpha + flux == pytest.approx(0, abs=2e-8)


def test_two_letters_have_a_short_formula():
    x = torch.linspace(0.01, 0.99, 50, dtype=torch.float64)
    assert torch.allclose(simplex.speed(x, 2.5, 2), -x * x.log() / (2.5 * (1 - x)), rtol=1e-11)


@pytest.mark.parametrize("k", [2, 3, 4])
def test_velocities_stay_on_the_simplex_and_point_to_their_corner(k):
    x = simplex.sample(torch.zeros(40, dtype=torch.long), 2.0, k, CHALLENGE.generator("x"))
    u = simplex.conditional_velocity(x, 0, 2.0)
    assert u.sum(-1).abs().max() < 1e-12 and (u[:, 0] > 0).all() and (u[:, 1:] <= 0).all()


@pytest.mark.parametrize("k", [2, 3, 4])
def test_densities_are_dirichlet(k):
    x = simplex.sample(torch.ones(10, dtype=torch.long), 3.0, k, CHALLENGE.generator("x"))
    concentration = torch.ones(k, dtype=torch.float64)
    concentration[1] = 3.0
    expected = torch.distributions.Dirichlet(concentration).log_prob(x)
    assert torch.allclose(simplex.log_density(x, 1, 3.0), expected, atol=1e-10)


def test_samples_are_dirichlet():
    x = simplex.sample(torch.zeros(4000, dtype=torch.long), 4.0, 3, CHALLENGE.generator("x"))
    assert stats.kstest(x[:, 0].numpy(), stats.beta(4.0, 2).cdf).pvalue > 1e-7


@pytest.mark.parametrize("k", [2, 3, 4])
def test_the_guided_posterior_is_the_posterior_given_the_class(k):
    """With the exact noisy classifier the identity is exact."""
    alpha, probs = 3.5, CHALLENGE.rand("probs", (2, k), 0.1, 1.0)
    probs = probs / probs.sum(1, keepdim=True)
    whole = probs.mean(0)
    x = simplex.sample(torch.zeros(20, dtype=torch.long), 2.0, k, CHALLENGE.generator("x")).requires_grad_()
    densities = torch.stack(
        [torch.stack([simplex.log_density(x, i, alpha) for i in range(k)], -1) + q.log() for q in probs]
    )
    log_class = densities.logsumexp(-1).log_softmax(0)[0]
    (gradient,) = torch.autograd.grad(log_class.sum(), x)
    guided = simplex.guided_posterior(x.detach(), simplex.posterior(x.detach(), whole, alpha), gradient, alpha)
    assert torch.allclose(guided, simplex.posterior(x.detach(), probs[0], alpha), atol=1e-12)


@pytest.mark.parametrize("k", [2, 3, 4, 9])
def test_the_projection_is_the_nearest_point(k):
    y = CHALLENGE.randn(f"y {k}", (60, k))
    p = simplex.project(y)
    assert (p >= 0).all() and (p.sum(-1) - 1).abs().max() < 1e-12
    others = torch.distributions.Dirichlet(torch.ones(k, dtype=torch.float64)).sample((200,))
    nearest = (y - p).square().sum(-1)
    assert (nearest[:, None] <= (y[:, None] - others).square().sum(-1) + 1e-12).all()
    # The condition for a minimum: all coordinates above 0 were shifted by the same number, the others by no more.
    shift = torch.where(p > 0, y - p, torch.nan)
    assert (shift - shift.nanmean(-1, keepdim=True)).nan_to_num().abs().max() < 1e-12
    assert torch.allclose(simplex.project(p), p, atol=1e-12)
    assert not math.isnan(float(p.sum()))
