"""The feedback page of a student: the summary, formulas without a network, and nothing that it must not show."""

from __future__ import annotations

import re
import time

import nbformat
import pytest

from autograder import ROOT
from autograder.course.cells import role_of
from autograder.course.labs import find_lab
from autograder.course.source import read_source
from autograder.feedback.page import FeedbackExporter, Summary
from autograder.gradebook.outputs import safe_outputs, verdict_outputs
from utils.checks.exercise import load
from utils.checks.judging import Finding, Verdict

LAB = find_lab("lab4")
RESOURCES = {"assignment": LAB.name, "notebook": LAB.name, "student": "ada", "score": 11.5, "max_score": 18.0}
WRONG = Verdict(1.5, 4.0, [Finding("eta_inverted", "You keep <b>labels</b> with probability eta.")])


@pytest.fixture
def graded():
    """A notebook as nbgrader leaves it: scores in the metadata, verdicts in the outputs, hidden tests in the source."""
    notebook = read_source(LAB)
    points = {entry.grade_id: entry for entry in load("lab4")}
    for cell in notebook.cells:
        role, data = role_of(cell), cell.metadata.get("nbgrader", {})
        if role == "test":
            entry = points[data["grade_id"]]
            verdict = WRONG if entry.name == "lab4.cfg_train_loss" else Verdict(entry.points, entry.points, [])
            cell.outputs = verdict_outputs(verdict)
            data["score"] = verdict.points
            assert "BEGIN HIDDEN" in cell.source
        elif role == "written":
            data |= {"score": 0.0, "open": data["grade_id"] == "lab4_guidance_essay"}
            cell.source = "My answer. With $a < b$ and `c < d`."
        elif role == "answer":
            data["comment"] = "Nicely *done*: $x^2$" if data["grade_id"] == "lab4_cfg_drift_answer" else None
    notebook.metadata["guidance_labs"] |= {
        "repairs": ["the missing cell setup was restored"],
        "problems": ["Cell 7 <i>"],
    }
    return notebook


def page_of(notebook, late=0.0):
    """Return the feedback page of a notebook."""
    resources = {"nbgrader": RESOURCES | {"late_penalty": late}}
    notebook, resources = Summary().preprocess(notebook, resources)
    return FeedbackExporter().from_notebook_node(notebook, resources=resources)[0]


def words(page):
    """Return the text of a page."""
    page = re.sub(r"<style.*?</style>", "", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def rows(page):
    """Return the text of each row of the summary."""
    table = re.search(r'<table class="summary">(.*?)</table>', page, re.DOTALL).group(1)
    return [words(row) for row in re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)][1:]


def test_the_summary_stands_first(graded):
    page = page_of(graded, late=2.0)
    assert words(page).index("11.5 of 18 points") < words(page).index("Your notebook")
    assert "written answers worth 2 more have not been graded yet" in words(page)
    assert "2 points were deducted because the submission was late" in words(page)
    actual = rows(page)
    assert len(actual) == len(load("lab4"))
    assert re.match(r"◐ 4\.2 .* 1\.5 of 4 You keep &lt;b&gt;labels&lt;/b&gt; .* eta_inverted$", actual[1])
    assert re.match(r"✓ 4\.1 .* 3 of 3 All checks", actual[0])
    assert re.match(r"✗ 4\.5 .* 0 of 2 Graded manually", actual[4]) and re.match(
        r"… 4\.7 .* – of 2 Not graded yet", actual[6]
    )
    assert "the missing cell setup was restored" in page and "Cell 7 &lt;i&gt;" in page
    assert words(page).count("Nicely done") == 2, "a comment at the top, and where the exercise is"
    for link in re.findall(r'href="#([^"]+)"', page):
        assert f'id="{link}"' in page


def test_there_is_one_title_and_the_notebook_stands_below_it(graded):
    graded.cells.insert(2, nbformat.v4.new_markdown_cell("# Mine\n\n<h1>typed</h1>\n\n###### deep"))
    levels = [int(level) for level in re.findall(r"<h([1-6])", page_of(graded))]
    assert levels.count(1) == 1 and levels[0] == 1 and levels.count(2) >= 1
    page = page_of(graded)
    assert "<h3>Mine</h3>" in page and "<h3>typed</h3>" in page and "<h6>deep</h6>" in page


def test_wide_formulas_take_the_focus_and_short_ones_do_not():
    wide = "$" + " + ".join(f"x_{{{n}}}" for n in range(20)) + "$"
    cells = [nbformat.v4.new_markdown_cell(text) for text in ("$$x$$", "$y$", wide)]
    formulas = re.findall(r"<math[^>]*>", page_of(nbformat.v4.new_notebook(cells=cells)))
    assert [("tabindex" in formula) for formula in formulas] == [True, False, True]


def test_the_page_has_a_dark_style(graded):
    page = page_of(graded)
    assert page.count("prefers-color-scheme: dark") == 2 and "color-scheme: light dark" in page


def test_hidden_tests_are_never_shown(graded):
    page = page_of(graded)
    for word in ("HIDDEN", "utils.checks.graded", "NBVAL", "# TEST:"):
        assert word not in page


def test_nothing_is_fetched_and_nothing_runs(graded):
    page = page_of(graded)
    assert "default-src 'none'" in page
    assert "<script" not in page and "mathjax" not in page.lower() and "cdn" not in page.lower()
    assert not re.findall(r'(?:src|link[^>]* href)="(?!data:image/)', page)


def test_formulas_are_drawn_and_signs_survive(graded):
    page = page_of(graded)
    assert page.count("<math") > 60 and 'class="tex"' not in page
    # Raw TeX would be left where a formula was missed; code may hold dollars.
    text = words(re.sub(r"(?s)<(pre|code)\b.*?</\1>", "", page))
    assert "$" not in text and "\\" not in text
    assert "<mo>&lt;</mo>" in page and "<code>c &lt; d</code>" in page


HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)><iframe src='https://e.org'></iframe>",
    "[click](javascript:alert(3)) [data](data:text/html,hello) ![spy](https://e.org/p.png)",
    "![lost](attachment:lost.png) $\\href{javascript:alert(4)}{x}$ <style>body{display:none}</style>",
    "# <b onclick=alert(5)>T</b>\n<meta http-equiv=refresh content='0;url=https://e.org'>",
)


def assert_harmless(page):
    """Check that a page has no script and loads nothing."""
    tags = re.findall(r"<[a-zA-Z][^>]*>", page)
    assert not [tag for tag in tags if re.match(r"<(script|iframe|style|meta|object|form)\b", tag, re.I)]
    assert not [tag for tag in tags if re.search(r"\son\w+=|javascript:|data:text|src=\"?(?!\"?data:image)", tag, re.I)]


def test_a_hostile_notebook_gets_a_harmless_page(graded):
    graded.cells[2:2] = [nbformat.v4.new_markdown_cell(text) for text in HOSTILE]
    graded.metadata["guidance_labs"]["repairs"].append("<script>alert(6)</script>")
    page = page_of(graded)
    assert_harmless(page[page.index("<body") :])


def test_formgrader_shows_nothing_that_runs(graded):
    """A script in an essay would have the rights of the TA who opens it, and that TA may run code on the machine."""
    from nbconvert.exporters import HTMLExporter
    from nbgrader.server_extensions.formgrader import handlers
    from traitlets.config.loader import PyFileConfigLoader

    config = PyFileConfigLoader("nbgrader_config.py", path=str(ROOT)).load_config()
    config.HTMLExporter.template_name = "formgrade"  # as the extension sets it
    config.HTMLExporter.extra_template_basedirs = [handlers.template_path]
    pictures = {"image/png": "iVBOR' onerror='alert(7)", "image/jpeg": '"><script>alert(8)</script>'}
    outputs = [
        {"output_type": "display_data", "data": pictures, "metadata": {}},
        {"output_type": "display_data", "data": {"text/html": HOSTILE[0]}, "metadata": {}},
        {"output_type": "error", "ename": HOSTILE[0], "evalue": HOSTILE[0], "traceback": [HOSTILE[0]]},
    ]
    written = next(cell for cell in graded.cells if role_of(cell) == "written")
    written.source = "MARK " + " ".join(HOSTILE) + " and $a < b$"
    own = [nbformat.v4.new_markdown_cell(text) for text in HOSTILE]
    own += [nbformat.v4.new_code_cell(HOSTILE[0], outputs=safe_outputs(outputs)), nbformat.v4.new_raw_cell(HOSTILE[0])]
    graded.cells = [*own, written]
    about = dict.fromkeys(
        ("last_name", "first_name", "student", "notebook_path", "mathjax_url", "mathjax_config", "base_url"), ""
    )
    about |= {"assignment_id": "a", "notebook_id": "n", "submission_id": "1", "index": 0, "total": 1}
    page = HTMLExporter(config=config).from_notebook_node(graded, resources=about)[0]
    cells = page[page.index('id="notebook-container"') :]
    assert "MARK" in cells and "alert(1)" in cells  # its code is shown as text
    assert_harmless(re.sub(r"<textarea.*?</textarea>|<input[^>]*>", "", cells, flags=re.DOTALL))


TANGLED = {
    "environments": lambda n: nbformat.v4.new_markdown_cell("\\begin{a}" * n),
    "blank lines": lambda n: nbformat.v4.new_code_cell("\t\n" * n + "x"),
    "dots": lambda n: nbformat.v4.new_code_cell("a." * n),
    "ellipses": lambda n: nbformat.v4.new_code_cell("..." * n + "<i>"),
}


@pytest.mark.parametrize("tangled", TANGLED.values(), ids=TANGLED)
def test_a_tangled_cell_is_rendered_in_linear_time(tangled):
    """Four times the text takes four times as long, and not sixteen times, in this process's own time."""

    def seconds(size):
        notebook = nbformat.v4.new_notebook(cells=[tangled(size)])
        start = time.process_time()
        page = page_of(notebook)
        assert "..<i>" not in page
        return time.process_time() - start

    # The least of three, taken in turn: for a while, other work on the machine makes measurements longer.
    rounds = [[seconds(size) for size in (1, 1_500, 6_000)] for _ in range(3)]
    bare, short, long = (min(times) for times in zip(*rounds, strict=True))
    assert long - bare < 10 * max(short - bare, 0.05), rounds


def test_pasted_pictures_are_shown(graded):
    cell = nbformat.v4.new_markdown_cell(
        "![sketch](attachment:s.png)", attachments={"s.png": {"image/png": "iVBORw0K"}}
    )
    graded.cells.insert(2, cell)
    assert 'src="data:image/png;base64,iVBORw0K"' in page_of(graded)


def test_a_page_of_an_older_verdict_keeps_its_reasons(graded):
    test = next(
        cell for cell in graded.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == "lab4_cfg_train_loss"
    )
    for output in test.outputs:
        output.metadata = {}
    assert "eta_inverted: You keep" in rows(page_of(graded))[1]


def test_backticks_are_code_and_the_page_says_whose_it_is(graded):
    test = next(c for c in graded.cells if c.metadata.get("nbgrader", {}).get("grade_id") == "lab4_cfg_train_loss")
    test.outputs = verdict_outputs(Verdict(0.0, 4.0, [Finding("x", "`randn` and <b>`rand`</b>")]))
    page = page_of(graded)
    assert "<code>randn</code> and &lt;b&gt;<code>rand</code>&lt;/b&gt;" in page
    assert "Feedback for ada" in words(page) and "<title>ada: " in page
