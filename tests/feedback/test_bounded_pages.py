"""No text of a student's keeps a page waiting: it is formatted within bounds of time, or shown as it was typed."""

from __future__ import annotations

import time

import nbformat
import pytest

from autograder.bounded import Bounded, Bounds, FailedInside, OutOfBounds
from autograder.feedback import render
from autograder.feedback.page import Summary
from autograder.feedback.render import safe_code, safe_markdown
from autograder.gradebook import safe_html
from autograder.gradebook.outputs import few_colours, safe_outputs
from autograder.intake.cell_matching import visible, without_comments
from tests.feedback.test_page import RESOURCES

# Texts on which a Markdown library, a highlighter or a cleaner takes quadratic time, or did once.
TANGLED = {
    "open comments": "<!--" * 500_000,
    "open formulas": "\\[" * 20_000,
    "open brackets": "[" * 40_000,
    "open links": "[a](" * 20_000,
    "open pictures": "![" * 20_000,
    "stars": "*" * 60_000,
    "stars and letters": "*a **a " * 10_000,
    "backticks": "".join("`" * n + " " for n in range(300)),
    "underscores": "_a " * 20_000,
    "nested lists": "".join(" " * n + "- x\n" for n in range(400)),
    "nested quotes": ">" * 5_000 + " x",
    "a wide table": "|" * 20_000 + "\n" + "|-" * 20_000 + "\n",
    "ampersands": "&" * 100_000,
    "dollars": "$a" * 20_000,
    "reference links": "[a]: x\n" * 10_000 + "[a]" * 10_000,
    "less-than signs": "<" * 50_000,
    "open tags": "<a " * 30_000,
    "nested tags": "<b><i>" * 10_000,
    "headings": "#" * 50_000,
    "line ends": "\n" * 200_000 + "x",
    "e-mails": "a@" * 30_000,
    "addresses": "http://a." * 20_000,
    "a page of each": "[*_`$<&|" * 8_000,
}

FEW = ("open comments", "open formulas", "open brackets", "stars", "backticks")


@pytest.fixture
def short_bounds(monkeypatch):
    """Renderers that give up after one second, so that the tests need not wait."""
    bounds = Bounds(cpu_s=1.0, memory_bytes=render.CELL.memory_bytes)
    markdown, html = Bounded(render.render, bounds, fork=False), Bounded(safe_html.clean, bounds, fork=False)
    monkeypatch.setattr(render, "renderer", lambda: markdown)
    monkeypatch.setattr(safe_html, "cleaner", lambda: html)
    yield
    markdown.close()
    html.close()


@pytest.mark.parametrize(
    "names", [pytest.param(FEW, id="some"), pytest.param(tuple(TANGLED), id="all", marks=pytest.mark.slow)]
)
def test_no_text_takes_longer_than_its_bound(names, short_bounds):
    """The text is formatted, or all of it is shown as it was typed with a note. This process does next to nothing."""
    start = time.process_time()
    for name in names:
        text = TANGLED[name]
        resources: dict = {}
        page = safe_markdown({"cell": {}, "resources": resources}, text)
        assert resources.get(render.SPENT, 0.0) <= 1.5, name
        assert render.AS_TYPED not in page or page.count("<pre>") == 1, name
        assert "class=" in safe_code({"resources": {}}, text[:49_000]), name
    assert time.process_time() - start < 10


def test_a_page_of_many_slow_cells_is_bounded_as_a_whole(monkeypatch):
    """Each cell alone is allowed; together they are not, and the rest is shown as it was typed at once."""

    class Slow:
        spent_s, calls = 3.0, 0

        def __call__(self, **_):
            self.calls += 1
            return "<p>formatted</p>"

    slow = Slow()
    monkeypatch.setattr(render, "renderer", lambda: slow)
    context = {"cell": {}, "resources": {}}
    pages = [safe_markdown(context, "text") for _ in range(4000)]
    assert slow.calls == render.PAGE_S / slow.spent_s + 1
    assert pages[0] == "<p>formatted</p>" and pages[-1] == f"{render.AS_TYPED}<pre>text</pre>"
    assert safe_markdown({"cell": {}, "resources": {}}, "text") == "<p>formatted</p>", "the next page starts over"


def test_honest_text_after_a_slow_one_is_formatted(short_bounds):
    resources: dict = {}
    assert render.render_bounded(resources, kind="markdown", source="\\begin{a}" * 40_000) is None  # it takes minutes
    assert resources[render.SPENT] == 1.0
    hostile = safe_markdown({"cell": {}}, "\\begin{a}" * 40_000)
    assert hostile.startswith(render.AS_TYPED) and hostile.count("begin{a}") == 40_000
    assert safe_markdown({"cell": {}}, "*a*").strip() == "<p><em>a</em></p>"


def test_an_output_that_is_slow_to_clean_is_shown_as_text(short_bounds, monkeypatch):
    (output,) = safe_outputs([{"output_type": "display_data", "data": {"text/html": "<b>x</b>"}}])
    assert output.data["text/html"] == "<b>x</b>"

    class Never:
        def __call__(self, **_):
            raise OutOfBounds("time", Bounds())

    monkeypatch.setattr(safe_html, "cleaner", Never)
    (output,) = safe_outputs([{"output_type": "display_data", "data": {"text/html": "<b>x</b>"}}])
    assert output.data["text/html"] == "<pre>&lt;b&gt;x&lt;/b&gt;</pre>"


def test_a_million_colours_are_taken_out():
    assert few_colours("\x1b[31mred\x1b[0m") == "\x1b[31mred\x1b[0m"
    assert few_colours("\x1b[31mx" * 20_000) == "x" * 20_000


LINEAR = {
    "comments": lambda n: without_comments("<!--" * n),
    "closed comments": lambda n: without_comments("<!-- x -->" * n),
    "hidden tests": lambda n: visible("### BEGIN HIDDEN TESTS" * n),
    "the summary": lambda n: Summary().preprocess(
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("<!--" * n)]), {"nbgrader": dict(RESOURCES)}
    ),
}


@pytest.mark.parametrize("function", LINEAR.values(), ids=LINEAR)
def test_the_graders_own_searches_are_linear(function):
    """Sixteen times the text takes sixteen times as long, and not 256 times."""

    def seconds(n):
        start = time.process_time()
        function(n)
        return time.process_time() - start

    seconds(10)
    assert seconds(400_000) < 64 * max(seconds(25_000), 0.02)


def misbehave(how: str) -> str:
    """Do what student data makes a library do."""
    if how == "loop":
        while True:
            pass
    if how == "fill":
        return str(len(bytearray(4 * 2**30)))
    if how == "raise":
        raise ValueError("a\nb")
    if how == "recurse":
        return misbehave(how)
    return how


@pytest.mark.parametrize("fork", [True, False])
def test_a_child_that_reaches_a_limit_is_replaced(fork):
    with Bounded(misbehave, Bounds(cpu_s=1.0), fork) as bounded:
        if not fork:  # this module has no name that another interpreter could import
            bounded.function = render.render
            assert "<em>" in bounded(kind="markdown", source="*a*")
            return
        for how, error, words in (
            ("loop", OutOfBounds, "more than 1 s of computing time"),
            ("fill", OutOfBounds, "more than 1,536 MB of memory"),
            ("raise", FailedInside, "ValueError"),
            ("recurse", FailedInside, "nested too deeply"),
        ):
            with pytest.raises(error, match=words):
                bounded(how=how)
            assert bounded(how="fine") == "fine"
