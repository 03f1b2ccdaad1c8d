"""The site: complete, without answers, every link leads somewhere, and nothing is fetched from elsewhere."""

from __future__ import annotations

import importlib.util
import re

import nbformat
import pytest

pytest.importorskip("sphinx", reason="the site's extra is not installed: pip install -e '.[site]'")

from autograder import ROOT
from autograder.course.cells import BEGIN, END, role_of
from autograder.course.labs import labs
from tests.syllabus import minimum
from utils.checks.exercise import load

spec = importlib.util.spec_from_file_location("site_build", ROOT / "docs" / "site" / "build.py")
site_build = importlib.util.module_from_spec(spec)
spec.loader.exec_module(site_build)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site, built once."""
    folder = tmp_path_factory.mktemp("build") / "site"
    assert site_build.build(folder) == 0, "the links, or an answer: see above"
    return folder


def page_of(site, lab):
    return site / "labs" / lab.name / f"{lab.name}.html"


def test_every_lab_is_there_with_its_figures_and_formulas(site):
    front = (site / "index.html").read_text(encoding="utf-8")
    for lab in labs():
        page = page_of(site, lab).read_text(encoding="utf-8")
        assert f"labs/{lab.name}/{lab.name}.html" in front
        figures = set(re.findall(r'src="[./]*(_images/\w+\.(?:png|gif))"', page))
        least = minimum(lab)
        assert len(figures) >= least.figures and all((site / figure).stat().st_size > 1000 for figure in figures)
        assert page.count("<math") >= least.formulas and 'class="tex"' not in page, "a formula that was not translated"
        assert page.count("NotImplementedError") >= least.answers, "the student's cells"


def test_the_syllabus_says_what_the_registry_says(site):
    words = " ".join(site_build.Page((site / "syllabus.html").read_text(encoding="utf-8")).words)
    for lab in labs():
        for entry in load(lab.short):
            assert entry.title in words and entry.name in words
        assert f"{sum(entry.points for entry in load(lab.short)):g}" in words.split()


def test_the_three_doors_are_there(site):
    for name in ("docs/student.html", "docs/instructor.html", "CONTRIBUTING.html"):
        assert (site / name).is_file()


def test_no_page_holds_an_answer(site):
    """Another check than the build's own: all the code between the markers, and every model answer's sentences."""
    for lab in labs():
        text = site_build.squeeze("".join(site_build.Page(page_of(site, lab).read_text(encoding="utf-8")).words))
        for cell in nbformat.read(lab.solution, as_version=4).cells:
            if role_of(cell) == "answer":
                for part in re.findall(f"{BEGIN}(.*?){END}", cell.source, re.DOTALL):
                    assert site_build.squeeze(part) not in text
            elif role_of(cell) == "written":
                for sentence in re.findall(r"[A-Z][^.*`$|<]{40,}\.", cell.source):
                    assert site_build.squeeze(sentence) not in text
        assert "BEGINHIDDEN" not in text and "utils.checks.graded" not in text


def test_a_leaked_answer_and_a_broken_link_are_found(site, tmp_path):
    lab = labs()[0]
    answer = next(c for c in nbformat.read(lab.solution, as_version=4).cells if role_of(c) == "answer")
    (tmp_path / "leak.html").write_text(f"<pre>{answer.source.replace('<', '&lt;')}</pre>", encoding="utf-8")
    assert any(lab.name in problem for problem in site_build.answers_shown(tmp_path))
    (tmp_path / "links.html").write_text(
        '<a href="gone.html">x</a><a href="#nowhere">y</a><a href="https://example.org">fine</a>'
        '<script src="https://example.org/a.js"></script><h1 id="here"></h1><a href="#here">fine</a>'
    )
    (tmp_path / "style.css").write_text('@import "https://example.org/font.css";')
    problems = " | ".join(site_build.broken_links(tmp_path))
    assert "gone.html" in problems and "#nowhere" in problems and "a.js from elsewhere" in problems
    assert "font.css from elsewhere" in problems and "#here" not in problems and len(problems.split(" | ")) == 4
