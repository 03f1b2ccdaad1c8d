"""Lab 1's toy problems: distributions of two classes, and errors that name the argument."""

import math

import pytest
import torch
from scipy import stats

from utils import toy_problems
from utils.checks.challenge import Challenge

CHALLENGE = Challenge("lab1.test", b"a key")

WORLDS = [
    toy_problems.noisy_spins(),
    toy_problems.ferromagnet(),
    toy_problems.all_down(),
    toy_problems.majority(),
    toy_problems.majority(ratio=0.75),
    *(
        make(sites, letters)
        for make in (
            toy_problems.disjoint_letters,
            toy_problems.dirichlet_letters,
            toy_problems.biased_letters,
            toy_problems.redrawn_letters,
            toy_problems.uniform_letters,
        )
        for sites, letters in ((12, 6), (5, 3), (1, 2), (7, 5))
    ),
]


@pytest.mark.parametrize("world", WORLDS, ids=lambda w: f"{w.name} {w.sites}x{w.letters}")
def test_toy_problems_have_two_classes(world):
    assert world.classes == 2 and torch.allclose(world.prior, torch.tensor([0.5, 0.5]).double())
    letters = torch.randint(world.letters, (5, world.sites), generator=CHALLENGE.generator("words"))
    assert torch.equal(
        world.read(world.embed(letters) + 0.1 * CHALLENGE.randn("noise", (5, world.sites, world.points.shape[1]))),
        letters,
    )


def test_an_odd_alphabet_is_shared_out_whole():
    world = toy_problems.disjoint_letters(4, 5)
    assert torch.equal((world.probs > 0).sum(0), torch.ones(4, 5, dtype=torch.long))


def test_the_majority_is_where_its_name_says():
    assert toy_problems.majority(ratio=0.75).probs[0, :, 1].eq(0.25).all()


def test_up_spin_pmf_is_a_mixture_of_binomials():
    k = torch.arange(37)
    pmf = toy_problems.up_spin_pmf(toy_problems.ferromagnet())
    expected = sum(stats.binom.pmf(k, 36, q) for q in (0.0, 1.0, 0.1, 0.9)) / 4
    assert pmf[0].numpy() == pytest.approx(expected, abs=1e-12)
    assert pmf[1].numpy() == pytest.approx(stats.binom.pmf(k, 36, 0.5), abs=1e-12)


@pytest.mark.parametrize(
    ("world", "accuracy"), [(toy_problems.ferromagnet(), 0.9975), (toy_problems.all_down(), 0.9990)]
)
def test_the_text_quotes_the_best_possible_accuracy(world, accuracy):
    pmf = toy_problems.up_spin_pmf(world) / 2
    assert float(pmf.max(0).values.sum()) == pytest.approx(accuracy, abs=6e-5)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: toy_problems.disjoint_letters(letters=1), "letters"),
        (lambda: toy_problems.uniform_letters(sites=0), "sites"),
        (lambda: toy_problems.biased_letters(bias=0), "bias"),
        (lambda: toy_problems.biased_letters(bias=math.inf), "probs"),
        (lambda: toy_problems.redrawn_letters(redraw=(0.1, 1.5)), "redraw"),
        (lambda: toy_problems.majority(ratio=0.2), "ratio"),
        (lambda: toy_problems.ferromagnet(flip=-0.1), "ups"),
        (lambda: toy_problems.spin_problem("x", [0.5], [[0.5], [1.0]]), "weights"),
        (lambda: toy_problems.spin_problem("x", [0.5], [[0.5, 0.5], [1.0, 0.0]]), "weights"),
        (
            lambda: toy_problems.ToyProblem(
                "x", torch.full((1, 3, 2), 0.5), torch.ones(1, 1), torch.ones(1), torch.eye(3)
            ),
            "points",
        ),
        (
            lambda: toy_problems.ToyProblem(
                "x", torch.full((1, 3, 2), 0.5), torch.ones(1, 1), torch.ones(1), torch.eye(2), side=2
            ),
            "side",
        ),
        (lambda: toy_problems.up_spin_pmf(toy_problems.disjoint_letters()), "up spins"),
    ],
)
def test_bad_arguments_are_named(make, word):
    with pytest.raises(ValueError, match=word):
        make()
