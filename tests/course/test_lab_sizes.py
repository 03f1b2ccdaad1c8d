"""How much a student reads: words of text and visible lines of code of each lab. `pytest -s` prints both."""

import re

import nbformat
import pytest

from autograder.course.cells import BOOTSTRAP, is_hidden
from autograder.course.labs import find_lab, labs

MOST_WORDS, MOST_LINES = 4500, 250


def words_of(notebook) -> int:
    """The words of all text cells that a student sees, folded hints and table cells included, formulas as they are."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    text = re.sub(r"<!--.*?-->|</?\w+>", " ", text, flags=re.DOTALL)
    return len([word for word in text.split() if re.search(r"\w", word)])


def visible_lines_of(notebook) -> int:
    """The lines of all code cells that are not folded away."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and not is_hidden(cell)]
    return sum(len(cell.source.splitlines()) for cell in code)


@pytest.mark.parametrize("short", [lab.short for lab in labs()])
def test_a_lab_is_no_longer_than_promised(short):
    notebook = nbformat.read(find_lab(short).student, as_version=4)
    words, lines = words_of(notebook), visible_lines_of(notebook)
    print(f"{short}: {words:,} words, {lines} visible lines of code")
    assert words <= MOST_WORDS and lines <= MOST_LINES


@pytest.mark.parametrize("short", [lab.short for lab in labs()])
def test_the_set_up_cell_is_folded_and_has_few_lines_of_its_own(short):
    cells = nbformat.read(find_lab(short).student, as_version=4).cells
    setup = next(cell for cell in cells if cell.metadata.get("nbgrader", {}).get("grade_id") == "setup")
    assert is_hidden(setup) and setup.source.startswith("# @title ") and setup.metadata["cellView"] == "form"
    own = len(setup.source.splitlines()) - len(BOOTSTRAP.splitlines()) - 1
    assert own <= 30


def test_words_and_lines_are_counted():
    fold = {"jupyter": {"source_hidden": True}}
    cells = [
        nbformat.v4.new_markdown_cell("<details><summary>One two</summary>\n\n| three | $x = 4$ |\n</details>"),
        nbformat.v4.new_code_cell("x = 1\ny = 2"),
        nbformat.v4.new_code_cell("z = 3", metadata=fold),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    assert (words_of(notebook), visible_lines_of(notebook)) == (5, 2)
