"""Feedback page and class report under axe-core: wide and on a phone, light and dark, without a serious fault."""

from __future__ import annotations

import nbformat
import pytest

pytest.importorskip("selenium")

from autograder.feedback.class_report import write_page
from autograder.feedback.similarity import Pair, Similarity, write_similarity
from autograder.gradebook.outputs import verdict_outputs
from tests.browser import axe
from tests.feedback.made_class import NAMES, blank, class_report, student
from tests.feedback.test_page import graded, page_of  # noqa: F401 (a fixture)
from utils.checks.judging import Finding, Verdict

LONG_WORD = "w" * 120


def faults_in_all_views(browser, path) -> list[str]:
    """Return the faults of a page in each view, and how much wider it is than the window."""
    found = []
    for width, scheme in axe.VIEWS:
        axe.show(browser, path.as_uri(), width, scheme)
        found += [f"{width} {scheme}: {fault}" for fault in axe.faults(browser)]
        if beyond := axe.sideways(browser):
            found.append(f"{width} {scheme}: the page is {beyond} pixels too wide")
    return found


@pytest.fixture(autouse=True)
def one_view_does_not_reach_the_next_test(browser):
    yield
    axe.reset(browser)


def test_a_feedback_page(browser, graded, tmp_path):  # noqa: F811
    loss = next(c for c in graded.cells if c.metadata.get("nbgrader", {}).get("grade_id") == "lab4_cfg_train_loss")
    loss.outputs = verdict_outputs(Verdict(0.0, 4.0, [Finding("raised", f"The name `{LONG_WORD}` and {LONG_WORD}")]))
    text = f"# My title\n\n<h1>typed</h1>\n\n{LONG_WORD}\n\n| a | b |\n|---|---|\n| {LONG_WORD} | y |\n"
    code = f"# {LONG_WORD}\n@property\ndef f(x):\n    'doc'\n    return 1.5 if x in (None,) and not '%s' else ..."
    graded.cells[2:2] = [nbformat.v4.new_markdown_cell(text), nbformat.v4.new_code_cell(code)]
    page = tmp_path / "feedback.html"
    page.write_text(page_of(graded), encoding="utf-8")
    assert faults_in_all_views(browser, page) == []


def test_the_class_report(browser, tmp_path):
    eta = {NAMES[1]: [Finding("eta_inverted", f"You keep `labels` {LONG_WORD}")]}
    document = class_report([student("ada", [3, 4, 3, 2, 2]), blank("ben"), student("chi", [3, 0, 3, 1, 2], eta)])
    assert faults_in_all_views(browser, write_page(document, tmp_path / "report.html")) == []


def test_the_similarity_report(browser, tmp_path):
    pair = Pair(("ada", LONG_WORD), (0.9, 0.5), (f"x = {LONG_WORD}",))
    page = write_similarity(Similarity("lab4_mnist_cfg", 3, [pair], ["zoe"]), tmp_path / "similarity.html")
    assert faults_in_all_views(browser, page) == []


def test_axe_notices_a_fault(browser, tmp_path):
    """A grey on white that nobody reads, and a picture without a text."""
    page = tmp_path / "bad.html"
    page.write_text("<!doctype html><html lang=en><title>x</title><p style='color:#aaa'>text</p><img src='data:,'>")
    axe.show(browser, page.as_uri(), *axe.VIEWS[0])
    found = " ".join(axe.faults(browser))
    assert "color-contrast" in found and "image-alt" in found
