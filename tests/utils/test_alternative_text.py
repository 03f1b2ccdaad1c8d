"""Each figure says what it shows: where it is drawn, in the stored outputs, and on the pages that show it."""

from __future__ import annotations

import matplotlib.pyplot as plt
import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell

from autograder.gradebook.outputs import MAX_ALT, safe_outputs
from utils.alternative_text import describe, description_of, picture_metadata, store_descriptions

PICTURES = ("image/png", "image/jpeg", "image/gif")


@pytest.fixture(autouse=True)
def no_figure_stays_open():
    yield
    plt.close("all")


def test_a_sentence_that_was_given_is_the_description():
    figure, _ = plt.subplots()
    describe("A first sentence.")
    describe("Two clouds.", figure)
    assert description_of(figure) == "Two clouds."
    assert picture_metadata(figure) == ({}, {"image/png": {"alt": "Two clouds."}})


def test_the_titles_of_panels_are_read_when_the_figure_is_shown():
    figure, axes = plt.subplots(1, 2)
    describe("Clouds.", figure, panels=True)
    assert description_of(figure) == "Clouds."
    axes[0].set_title("w = 0")
    axes[1].set_title("$w = 3$\nguided", loc="center")
    assert description_of(figure) == "Clouds. Panels: w = 0; w = 3 guided."


def test_a_students_own_figure_is_described_by_its_labels():
    figure, ax = plt.subplots()
    assert description_of(figure) == "A figure without titles."
    ax.plot([1, 2], label="mine")
    ax.set(title="Loss", xlabel="step", ylabel="loss")
    assert description_of(figure) == "A figure: Loss: loss against step (mine)."
    figure.colorbar(plt.cm.ScalarMappable(), ax=ax)
    assert description_of(figure).startswith("A figure: Loss"), "a colour bar is no panel"


def test_a_notebook_stores_the_description_beside_the_picture(monkeypatch):
    shell = InteractiveShell()
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    store_descriptions()
    figure, _ = plt.subplots()
    describe("Two clouds.", figure)
    _, metadata = shell.display_formatter.format(figure)
    assert metadata["image/png"]["alt"] == "Two clouds."


def test_every_stored_figure_of_a_lab_has_a_sentence(lab):
    cells = nbformat.read(lab.solution, as_version=4).cells
    found = []
    for cell in cells:
        for output in cell.get("outputs", []):
            for kind in PICTURES:
                if kind in output.get("data", {}):
                    found.append((cell.id, output.metadata.get(kind, {}).get("alt", "")))
    assert found
    bad = [(name, text) for name, text in found if len(text.split()) < 5 or not text.endswith(".")]
    assert not bad, "run `make execute`: these figures have no sentence"


@pytest.mark.parametrize(
    ("metadata", "alt"),
    [
        ({"image/png": {"alt": "Two clouds."}}, "Two clouds."),
        ({"image/png": {"alt": "x" * 5000}}, "x" * MAX_ALT),
        ({"image/png": {"alt": "a\x1b[31mb"}}, "ab"),
        ({"image/png": {"alt": ["a"]}}, ""),
        ({"image/png": "a"}, ""),
        (["a"], ""),
        ({}, ""),
    ],
)
def test_the_feedback_page_keeps_the_text_and_nothing_else(metadata, alt):
    output = {"output_type": "display_data", "data": {"image/png": "aGk="}, "metadata": metadata}
    (kept,) = safe_outputs([output])
    assert kept.metadata == ({"image/png": {"alt": alt}} if alt else {})
