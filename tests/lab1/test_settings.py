"""Lab 1's toy problems: distributions of two classes, and errors that name the argument."""

import math

import pytest
import torch
from scipy import stats

from utils import settings
from utils.checks.challenge import Challenge

CHALLENGE = Challenge("lab1.test", b"a key")

WORLDS = [
    settings.noisy_spins(), settings.ferromagnet(), settings.all_down(), settings.majority(),
    settings.majority(ratio=0.75),
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
