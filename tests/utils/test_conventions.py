"""The table of conventions says what the code does."""

import importlib

import pytest
import torch

from tests.syllabus import FINISHED
from utils.atoms import SIGMA_MAX, SIGMA_MIN
from utils.conventions import CONVENTIONS, SYMBOLS, spaced, symbols
from utils.diffusion import Schedule
from utils.labs import LABS
from utils.paths import LinearAlpha, LinearBeta


def names_of(convention) -> dict[str, object]:
    """What the expressions of a row refer to: the lab's module, and what its exercises define."""
    betas = torch.linspace(1e-4, 0.02, 1000)
    schedule = Schedule(betas, 1 - betas, (1 - betas).cumprod(0))
    module = vars(importlib.import_module(convention.module))
    given = {
        "lab1": {},
        "lab2": {"sigma": lambda t: SIGMA_MIN * (SIGMA_MAX / SIGMA_MIN) ** t},
        "lab3": schedule._asdict(),
        "lab4": {"alpha": LinearAlpha(), "beta": LinearBeta()},
    }
    return {**module, **given[convention.lab]}


def time(convention, words: str) -> torch.Tensor:
    value = 999 if "T - 1" in words else int(words[-1])
    return torch.tensor(value) if "int" in convention.time else torch.tensor(float(value))


def test_every_finished_lab_has_a_row():
    rows = [row.lab for row in CONVENTIONS]
    assert rows == [short for short in LABS if short in rows] and set(FINISHED) <= set(rows)


@pytest.mark.parametrize("row", CONVENTIONS, ids=lambda row: row.lab)
def test_scales_at_both_ends_of_time(row):
    data_scale, noise_scale = (
        {end: float(eval(text, names_of(row), {"t": time(row, end)})) for end in (row.clean_at, row.noise_at)}
        for text in (row.data_scale, row.noise_scale)
    )
    assert data_scale[row.clean_at] == pytest.approx(1, abs=1e-3)
    assert noise_scale[row.clean_at] < 0.02
    assert noise_scale[row.noise_at] > 10 * noise_scale[row.clean_at]
    if row.lab != "lab2":  # there the data keep their scale
        assert noise_scale[row.noise_at] == pytest.approx(1, abs=1e-3)
        assert data_scale[row.noise_at] < 0.01


def test_index_0_of_the_times():
    from utils.vp import times

    assert times(5)[0] > times(5)[-1]
    betas = names_of(CONVENTIONS[2])["betas"]
    assert betas[0] == betas.min()


@pytest.mark.parametrize("lab", [row.lab for row in CONVENTIONS])
def test_the_table_of_symbols_marks_the_lab(lab):
    lines = symbols(lab)._repr_markdown_().splitlines()
    heads = lines[0].strip("| ").split(" | ")
    assert [head for head in heads if "▶" in head] == [f"**▶ {spaced(lab)}, this one**"]
    assert {line.count(" | ") for line in [lines[0].replace("| |", "| x |"), *lines[2:]]} == {len(CONVENTIONS)}


def test_an_unknown_lab_has_no_table_of_symbols():
    with pytest.raises(ValueError, match="there is no lab 'lab9'"):
        symbols("lab9")


def test_the_two_tables_agree_on_the_data_and_on_the_time_of_the_data():
    rows = {row.meaning: row for row in SYMBOLS}
    for row in CONVENTIONS:
        assert getattr(rows["time of the data"], row.lab).replace("$", "") == row.clean_at
        assert getattr(rows["data"], row.lab).strip("$").replace("_", "") == row.clean
