"""The number of up spins: the tilted distribution at its ends, and what chance does."""

import pytest
import torch

from utils.toy_data import FreshWords, StoredWords, generator
from utils.toy_problems import all_down, ferromagnet, noisy_spins, up_spin_pmf
from utils.up_spins import chance_distance, count_up, histogram, tilted_pmf, total_variation


@pytest.mark.parametrize("problem", [ferromagnet(), all_down(), noisy_spins()], ids=lambda problem: problem.name)
def test_the_tilted_distribution_is_the_world_at_0_and_the_class_at_1(problem):
    per_class = up_spin_pmf(problem)
    assert torch.allclose(tilted_pmf(problem, 0, 0.0), problem.prior @ per_class)
    assert torch.allclose(tilted_pmf(problem, 0, 1.0), per_class[0])
    assert float(tilted_pmf(problem, 0, 3.0).sum()) == pytest.approx(1)


def test_a_world_without_classes_is_not_tilted():
    assert torch.allclose(tilted_pmf(noisy_spins(), 0, 5.0), tilted_pmf(noisy_spins(), 0, 0.0))


def test_chance_shrinks_with_the_number_of_draws():
    pmf = tilted_pmf(ferromagnet(), 0, 1.0)
    few, many = chance_distance(pmf, 100), chance_distance(pmf, 10_000)
    assert many < few / 5 and few < 0.3


def test_histograms_count_spins_above_0():
    x = torch.tensor([[[0.3], [-0.2], [1.1]], [[-1.0], [-1.0], [-1.0]]])
    assert histogram(count_up(x), 3).tolist() == [0.5, 0.0, 0.5, 0.0]
    assert total_variation(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])) == 1


def sample(problem, label, n, source):
    """Return words of the class's first component whose letters are all the same: enough to follow the classes."""
    return torch.full((n, problem.sites), label)


def test_fresh_and_stored_words_belong_to_their_class():
    problem = all_down()
    x0, y = FreshWords(problem, sample).sample(50)
    assert x0.dtype == torch.float32 and torch.equal(x0[:, 0, 0] > 0, y == 1) and 0 < int(y.sum()) < 50
    stored = StoredWords(problem, sample, n=4)
    assert stored.y.tolist() == [0] * 4 + [1] * 4
    rows, labels = stored.sample(30)
    assert torch.equal(rows[:, 0, 0] > 0, labels == 1)
    assert torch.equal(torch.rand(3, generator=generator(1)), torch.rand(3, generator=generator(1)))
