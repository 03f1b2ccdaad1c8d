"""The figures and tables of labs 1 and 2 that need no answer, and the numbers that their text quotes."""

import io

import matplotlib
import matplotlib.pyplot as plt
import pytest
import torch
from PIL import Image

from utils.experiments.figures import draw_marginals
from utils.figures import lab1, lab1_results, lab2
from utils.toy_problems import ferromagnet


@pytest.fixture(autouse=True)
def no_window(monkeypatch):
    matplotlib.use("Agg")
    monkeypatch.setattr(plt, "show", lambda: None)
    yield
    plt.close("all")


@pytest.mark.parametrize("draw", [lab1.draw_opening, lab1.draw_simplex, lab2.draw_opening, lab2.draw_data])
def test_it_draws_without_an_answer(draw):
    draw()
    assert plt.get_fignums()


def test_the_stored_opening_shows_that_guidance_makes_clean_lattices():
    samples = lab1.stored_tensors("lab1_opening")["samples"]
    clean = [sum(len(set((x > 0).flatten().tolist())) == 1 for x in row) for row in samples]
    assert samples.shape == (3, 10, 36, 1) and clean[0] < clean[2]


def test_the_film_has_a_frame_for_each_time_and_a_pause():
    states = [torch.linspace(-1, 1, 5)[:, None, None, None].expand(5, 3, 36, 1)] * 2
    film = lab1_results.film_of_lattices(states, [1.0, 0.7, 0.4, 0.1, 0.001], [0.0, 4.0])
    with Image.open(io.BytesIO(film.data)) as picture:
        assert picture.n_frames >= 5


def test_the_exact_distances_from_uniform_are_those_of_the_text():
    found = [lab2.uniform_distance(sigma) for sigma in (0.2, 0.3, 0.5)]
    assert found == pytest.approx([0.1726, 0.0232, 4.2e-5], rel=0.02)


def test_the_tilted_curve_of_the_clean_share_is_on_a_fine_grid():
    curves = lab1_results.clean_share(
        ferromagnet(), [0.0, 1.0], {"exact gradient": lambda w: torch.full((4, 36, 1), -1.0)}
    )
    scales, tilted = curves["tilted, exact"]
    assert len(scales) == 81 and float(tilted[0]) < float(tilted[-1])
    assert curves["exact gradient"][1].tolist() == [1.0, 1.0]


def test_narrow_peaks_are_enlarged():
    narrow, wide = torch.full((1, 50, 2), 0.25) + 0.01 * torch.randn(1, 50, 2), torch.rand(1, 50, 2)
    result = {
        "walk_times": torch.tensor([1.0, 0.0]),
        "walk": torch.cat([wide, narrow]),
        "forward": torch.cat([wide, narrow]),
    }
    axes = draw_marginals(result).axes
    assert axes[0].get_xlim()[1] > 0.9 and axes[1].get_xlim()[1] < 0.4
