"""Figures show the numbers that they are given."""

import matplotlib
import numpy as np
import pytest
import torch

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from utils import diagrams, films, plotting


@pytest.fixture(autouse=True)
def closed_figures():
    """Close all figures after each test."""
    yield
    plt.close("all")


def test_tile_places_images_row_by_row():
    images = torch.arange(3.0)[:, None, None, None].expand(3, 1, 2, 2) / 2
    sheet = plotting.tile(images, columns=2, gap=1)
    assert sheet[0, 0] == 0 and sheet[0, 3] == 0.5 and sheet[3, 0] == 1
    assert np.isnan(sheet[2]).all() and np.isnan(sheet[4, 4])


@pytest.mark.parametrize(("side", "lattice"), [(6, True), (32, False)])
def test_lattices_are_heat_maps_and_pictures_are_images(side, lattice):
    figure = plotting.show_table([torch.ones(2, 1, side, side)], ["row"], ["a", "b"])
    (ax,) = figure.axes
    assert bool(ax.collections) == lattice and bool(ax.images) != lattice
    names = [tick.get_text() for tick in ax.get_xticklabels()]
    assert names == ["a", "b"]
    assert ax.get_xticks()[0] == pytest.approx(side / 2)
    top, bottom = ax.get_ylim()
    assert top > bottom  # the first row is at the top


def test_the_sweep_shows_means_and_standard_errors():
    rows = {metric: [0.2, 0.4, 0.6] for metric in ("accuracy", "distance", "precision", "recall")}
    figure = plotting.draw_sweep({"by scale": {"0": rows, "2": rows}, "floor": 0.1})
    accuracy = figure.axes[0]
    assert accuracy.lines[0].get_ydata() == pytest.approx([0.4, 0.4])
    band = accuracy.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == pytest.approx((0.4 - 0.2 / 3**0.5, 0.4 + 0.2 / 3**0.5))


def test_diagrams_are_drawn():
    assert len(diagrams.draw_rosetta().axes) == 4
    words = " ".join(text.get_text() for text in diagrams.draw_unet().axes[0].texts)
    assert "velocity" in words and "skip: added" in words


def test_a_film_pauses_on_its_last_frame(tmp_path):
    from PIL import Image

    frames = [torch.full((2, 1, 4, 4), value) for value in (-1.0, 0.0, 1.0)]
    with Image.open(plotting.save_gif(frames, tmp_path / "film.gif", columns=2)) as film:
        durations = []
        for index in range(film.n_frames):
            film.seek(index)
            durations.append(film.info["duration"])
    assert durations == [1000, 1000, 1500]


def test_a_film_has_names_and_a_clock_beside_its_images():
    frame, side = torch.full((4, 1, 8, 8), -1.0), 2 * (8 + 2 + 8)
    bare = films.draw_frame(frame, 2, 2, [], [], "")
    named = films.draw_frame(frame, 2, 2, ["w = 1", "w = 3"], ["0", "1"], "t = 0.50")
    assert bare.size == (side, side) and np.array(bare).min() == films.PAPER  # white images, and no text
    left, top = named.width - side, named.height - side
    assert left > 20 and top == 2 * films.LINE
    ink = np.array(named) < 128
    assert ink[: films.LINE, :].any() and ink[films.LINE : top, left:].any()  # the clock, and the columns' names
    rows = ink[top:, :left].any(axis=1)
    assert rows[: side // 2].any() and rows[side // 2 :].any() and not ink[top:, left:].any()


def test_a_running_mean_stands_at_the_middle_of_its_window():
    history = [0.0] * 10 + [1.0] * 10
    (_, mean) = plotting.plot_loss(history, window=5).lines
    half = np.interp(0.5, mean.get_ydata(), mean.get_xdata())
    assert half == pytest.approx(9.5)


@pytest.mark.parametrize("end", [0.1, 1.0, 27_000.0, -3.0, float("nan")])
def test_a_loss_that_ends_outside_the_usual_limits_is_shown(end):
    ax = plotting.plot_loss([2.0] * 10 + [end] * 60, limits=(0.4, 1.2))
    low, high = ax.get_ylim()
    assert low <= 0.4 and high >= 1.2
    assert (low, high) == (0.4, 1.2) or low < end < high
