"""What a student wrote stays in its place on a page: it runs nothing, covers nothing and is bound to no button."""

from __future__ import annotations

import re
import time
from types import SimpleNamespace

import pytest
from bs4 import BeautifulSoup
from jinja2 import DictLoader, Environment
from nbconvert.exporters import HTMLExporter
from nbformat import v4
from nbgrader.server_extensions.formgrader import handlers
from nbgrader.server_extensions.formgrader.base import BaseHandler
from traitlets.config import Config

from autograder.feedback import formgrader
from autograder.feedback.render import safe_code, safe_markdown
from autograder.gradebook.safe_html import clean

BOUND = (
    "full-credit",
    "no-credit",
    "mark-graded",
    "score",
    "extra-credit",
    "comment",
    "tabbable",
    "help",
    "panel",
    "btn",
)
COVERING = ("modal-backdrop", "modal", "fade", "navbar-fixed-top", "affix", "in", "carousel-inner", "sr-only")
SCRIPT = "<img src=x onerror=\"fetch('/api/contents')\">"

PAYLOADS = {
    "an invisible backdrop that gives full credit": '<div class="modal-backdrop fade full-credit"></div>',
    "the whole answer as a button": '<div class="full-credit">the whole answer</div>',
    "every bound class on every tag": "".join(
        f'<{tag} class="{" ".join(BOUND + COVERING)}">x</{tag}>'
        for tag in ("div", "span", "pre", "code", "p", "a", "section")
    ),
    "a link around a backdrop": '<a href="https://example.org"><div class="modal-backdrop in">x</div></a>',
    "a link around a block": '<a href="https://example.org"><div>one</div><p>two</p></a>',
    "a link around a picture": '<a href="https://example.org"><img src="data:image/png;base64,AAAA" width="3000"></a>',
    "a link into the server": (
        '<a href="/lab/tree/x">one</a> <a href="../../api/shutdown">two</a> <a href="//example.org">3</a>'
    ),
    "a positioned style": '<p style="position: fixed; inset: 0">x</p>',
    "an id that the page looks for": '<p id="statusmessage">x</p><input id="lab4_unet_essay" class="score" value="2">',
    "a formula that is moved": (
        "<math><mpadded voffset='-400px' lspace='-300px' width='0'><mtext>x</mtext></mpadded></math>"
    ),
    "a formula that is huge": "<math><mstyle mathsize='900px'><mi>x</mi></mstyle><mspace width='-50em'/></math>",
    "data attributes": '<span data-toggle="tooltip" data-link="x" title="t">x</span>',
    "a script by every door": f"<script>x</script>{SCRIPT}<svg onload=x><a href='javascript:x'>y</a>",
    "TeX that names a class and a link": (
        r"$\class{full-credit}{x} \href{javascript:alert(1)}{y} \cssId{help}{z} \style{position:fixed}{w}$"
    ),
    "TeX behind entities": r"&#36;\class{full-credit}{x}&#36; \\(\class{full-credit}{y}\\)",
    "code in another language": '```"><div class=full-credit>\nx\n```',
}


def markdown(source: str) -> str:
    """Return Markdown as the pages show it."""
    return safe_markdown({"cell": {}}, source)


def assert_harmless(page: str) -> None:
    """Check that no element of a page runs, loads, covers or is bound to anything."""
    soup = BeautifulSoup(page, "html.parser")
    for tag in soup.find_all(True):
        classes = set(tag.get("class", []))
        assert not classes & {*BOUND, *COVERING}, (tag.name, classes)
        assert tag.name not in (
            "script",
            "style",
            "iframe",
            "object",
            "embed",
            "form",
            "input",
            "button",
            "svg",
            "link",
        )
        for name, value in tag.attrs.items():
            assert not name.startswith(("on", "data-")) and name not in ("style", "id"), (tag.name, name)
            assert "javascript:" not in str(value).lower() or name in ("title", "alt")
            if name == "href":
                assert re.match(r"https?://|mailto:|#", value), value
            if name == "src":
                assert value.startswith("data:image/")
        if tag.name == "a":
            assert not tag.find(["div", "p", "img", "table", "pre", "ul", "details", "math"]), "a link over a block"
        for name in (
            ("width", "height", "depth", "lspace", "rspace", "mathsize", "voffset") if tag.name[0] == "m" else ()
        ):
            assert "-" not in tag.get(name, "") and "px" not in tag.get(name, ""), (tag.name, name, tag[name])


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_a_payload_is_harmless_as_markdown_and_as_an_output(payload):
    assert_harmless(markdown(payload))
    assert_harmless(clean(payload))


def test_honest_markup_stays():
    page = markdown(
        "A [paper](https://arxiv.org/abs/2207.12598), *emphasis*, $\\frac{a}{b} \\quad c$, and\n\n"
        "```python\nimport torch\n```\n\n"
        "| a | b |\n|---|---|\n| 1 | 2 |\n\n<details><summary>more</summary>text</details>"
    )
    soup = BeautifulSoup(page, "html.parser")
    assert soup.find("a")["href"] == "https://arxiv.org/abs/2207.12598"
    assert soup.find("mfrac") and soup.find("table") and soup.find("details")
    assert soup.select_one("div.highlight span.kn"), "the colours of code"
    assert "highlight" in safe_code({}, "import torch")


def test_nested_links_cost_linear_time():
    def seconds(n: int) -> float:
        start = time.process_time()
        clean("<a href='https://x.org'>y" * n)
        clean("<a href='https://x.org'>" + "<b>" * n)
        return time.process_time() - start

    seconds(100)
    assert seconds(8000) < 12 * max(seconds(2000), 0.02)


@pytest.fixture
def exporter():
    """The exporter that formgrader creates, with what `nbgrader_config.py` adds."""
    config = Config()
    config.HTMLExporter.template_name = "formgrade"
    config.HTMLExporter.extra_template_basedirs = [handlers.template_path]
    config.HTMLExporter.preprocessors = ["autograder.feedback.formgrader.UntrustedNotebook"]
    config.HTMLExporter.filters = {"markdown2html": safe_markdown, "highlight_code": safe_code}
    return formgrader.OfflineExporter(config=config)


FIELDS = ("student", "last_name", "first_name", "notebook_path", "notebook_id", "assignment_id", "submission_id")


@pytest.mark.parametrize("field", FIELDS)
def test_formgrader_shows_a_hostile_name_as_text(exporter, field):
    """Every field of nbgrader's handler, one at a time, because they come from rosters and archives."""
    resources = {"index": 0, "total": 1, "base_url": ""} | {name: "Ada" for name in FIELDS}
    for hostile in (SCRIPT, '"><script>alert(1)</script>', "');alert(1);//"):
        page, _ = exporter.from_notebook_node(v4.new_notebook(), resources=resources | {field: hostile})
        soup = BeautifulSoup(page, "html.parser")
        assert not soup.select("img[onerror]"), field
        assert not any("alert(1)</" in str(script) and "var " not in str(script) for script in soup.find_all("script"))
        assert len(soup.find_all("script")) == len(
            BeautifulSoup(
                exporter.from_notebook_node(v4.new_notebook(), resources=resources)[0], "html.parser"
            ).find_all("script")
        )


def test_formgrader_shows_no_part_of_a_notebook_unescaped(exporter):
    resources = {"index": 0, "total": 1, "base_url": ""} | {name: "Ada" for name in FIELDS}
    nbgrader = {
        "grade": True,
        "solution": True,
        "grade_id": '"><img src=x onerror=alert(1)>',
        "points": 2,
        "locked": False,
    }
    cells = [
        v4.new_raw_cell(f"<script>alert(1)</script>{SCRIPT}"),
        v4.new_code_cell("1", metadata={"tags": ["x modal-backdrop full-credit"]}),
        v4.new_markdown_cell("x", metadata={"tags": ["x full-credit"], "nbgrader": nbgrader}),
    ]
    page, _ = exporter.from_notebook_node(v4.new_notebook(cells=cells), resources=resources)
    container = BeautifulSoup(page, "html.parser").select_one("#notebook-container")
    assert not container.select(".full-credit, .modal-backdrop, img[onerror], script")
    assert "alert(1)" in container.get_text(), "the raw cell is shown, as text"


def test_formgraders_own_pages_escape(monkeypatch):
    for name in ("render", "exporter", "content_security_policy"):
        monkeypatch.setattr(BaseHandler, name, getattr(BaseHandler, name))  # restored afterwards
    formgrader.secure_formgrader()
    environment = Environment(loader=DictLoader({"page": 'var student_id = "{{ student_id }}"; {{ student_id }}'}))
    handler = SimpleNamespace(settings={"nbgrader_jinja2_env": environment})
    page = BaseHandler.render(handler, "page", student_id=f'"{SCRIPT}')
    assert "<img" not in page and page.count('"') == 2
    policy = BaseHandler.content_security_policy
    assert "default-src 'self'" in policy and "http" not in policy
    handler.settings["nbgrader_exporter"] = HTMLExporter()
    page, _ = BaseHandler.exporter.fget(handler).from_notebook_node(v4.new_notebook())
    assert "mathjax" not in page.lower()
