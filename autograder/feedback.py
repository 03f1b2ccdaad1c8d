"""The page that a student gets back: points and reasons first, then the notebook. One file, no script, no network.

`nbgrader_config.py` puts these classes into nbgrader's own `generate_feedback`; the template is pages/handback.
"""

from __future__ import annotations

import html
import re
from copy import deepcopy
from pathlib import Path

import nh3
from bs4 import BeautifulSoup
from jinja2 import pass_context
from nbconvert.exporters import HTMLExporter
from nbconvert.exporters.exporter import ResourcesDict
from nbconvert.filters.highlight import Highlight2HTML
from nbconvert.filters.markdown_mistune import InvalidNotebook, IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from nbgrader.preprocessors import GetGrades, NbGraderPreprocessor
from pygments.token import STANDARD_TYPES
from traitlets.config import Config

from autograder.author import BADGE, find_lab, role_of
from autograder.formulas import ATTRIBUTES, TAGS, mathml
from autograder.report import prose
from utils.checks.exercise import load

PAGES = Path(__file__).parent / "pages"
BADGES = re.compile(re.escape(BADGE.strip()).replace(r"\{address\}", r"[^)\s]*"))
# What a page takes too long to make of is shown as it is. nbconvert looks for the end of each LaTeX environment through
# the whole text, and pygments goes over blank lines again and again.
TANGLED = 10**7
LONG_CODE, BLANKS = 50_000, re.compile(r"\s{500}")
COMMENTS = re.compile(r"<!--.*?-->", re.DOTALL)
SAFE_TAGS = nh3.ALLOWED_TAGS | TAGS
SAFE_ATTRIBUTES = {tag: set(names) - {"align"} for tag, names in nh3.ALLOWED_ATTRIBUTES.items()} | {
    tag: set(ATTRIBUTES) for tag in TAGS
}  # without `align`, which lets a picture float over its neighbours
# Formgrader binds its buttons to classes, and its stylesheet moves elements by them: only the classes of code's colours are kept.
SAFE_CLASSES = {"div": {"highlight"}, "code": {"tex"}, "span": {name for name in STANDARD_TYPES.values() if name}}
# No block fits into a link: an invisible one could lie under everything that a TA clicks.
IN_A_LINK = nh3.ALLOWED_TAGS & {
    "abbr", "b", "bdi", "bdo", "cite", "code", "del", "em", "i", "ins", "kbd", "mark", "q", "s", "samp", "small", "span",
    "strong", "sub", "sup", "u", "var",
}  # fmt: skip
LINK = re.compile(r"https?://|mailto:|#", re.IGNORECASE)
# Formulas can move and stretch what they hold. These have the size of letters.
LENGTHS = {"mathsize", "lspace", "rspace", "minsize", "maxsize", "linethickness", "width", "height", "depth", "rowspacing", "columnspacing"}  # fmt: skip
LENGTH = re.compile(r"\+?(\d{0,2}(?:\.\d{0,6})?)(em|ex|mu|pt|%)?")
LONGEST_EM = 3.0


class Grades(GetGrades):
    """nbgrader's own, and whether a person still has to read an answer that has no points yet."""

    def _get_score(self, cell: NotebookNode, resources: ResourcesDict) -> None:
        super()._get_score(cell, resources)
        where = (self.notebook_id, self.assignment_id, self.student_id)
        grade = self.gradebook.find_grade(cell.metadata["nbgrader"]["grade_id"], *where)
        cell.metadata.nbgrader["open"] = bool(grade.needs_manual_grade) and grade.manual_score is None


class Summary(NbGraderPreprocessor):
    """What stands at the top; and test cells lose their source, so that no hidden test can be seen."""

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> tuple[NotebookNode, ResourcesDict]:
        entries = {entry.grade_id: (n, entry) for n, entry in enumerate(load(find_lab(lab_of(resources)).short), 1)}
        comments = {e.grade_id: comment_on(nb, e.answer_id) for _, e in entries.values()}
        rows = []
        for cell in nb.cells:
            role, data = role_of(cell), cell.metadata.get("nbgrader", {})
            cell.metadata["feedback"] = {"role": role}
            if role in ("test", "written"):
                number, entry = entries.get(data["grade_id"], ("", None))
                row = {
                    "id": data["grade_id"],
                    "number": f"{entry.lab[3:]}.{number}" if entry else "",
                    "title": entry.title if entry else data["grade_id"],
                    "manual": role == "written",
                    "open": bool(data.get("open")),
                    "score": float(data.get("score") or 0),
                    "points": float(data.get("points") or 0),
                    "findings": findings_of(cell) if role == "test" else [],
                    "comment": comments.get(data["grade_id"], ""),
                }
                row["state"] = "open" if row["open"] else state(row["score"], row["points"])
                rows.append(row)
                cell.metadata["feedback"]["row"] = row
            if role == "test":
                cell.source, cell.outputs = "", []
            elif cell.cell_type == "markdown":
                cell.source = COMMENTS.sub("", BADGES.sub("", cell.source)).strip()
        nb.cells = [cell for cell in nb.cells if cell.metadata["feedback"]["role"] != "check"]
        mark = nb.metadata.get("guidance_labs", {})
        resources["feedback"] = {
            "rows": rows,
            "open": sum(row["points"] for row in rows if row["open"]),
            "repairs": [str(line) for line in mark.get("repairs", [])],
            "problems": [str(line) for line in mark.get("problems", [])],
            "title": title_of(nb) or lab_of(resources),
        }
        return nb, resources


def lab_of(resources: ResourcesDict) -> str:
    return resources["nbgrader"]["assignment"]


def title_of(nb: NotebookNode) -> str:
    headings = (re.search(r"^# (.+)$", cell.source, re.M) for cell in nb.cells if cell.cell_type == "markdown")
    return next((heading.group(1) for heading in headings if heading), "")


def comment_on(nb: NotebookNode, answer_id: str) -> str:
    """What a TA has typed below an answer."""
    data = (cell.metadata.get("nbgrader", {}) for cell in nb.cells)
    return next((d.get("comment") or "" for d in data if d.get("grade_id") == answer_id), "")


def state(score: float, points: float) -> str:
    return "full" if score >= points else "some" if score > 0 else "none"


def findings_of(cell: NotebookNode) -> list[dict[str, str]]:
    """Code and message of each finding, as `verdict_outputs` has left them in the test cell."""
    for output in cell.get("outputs", []):
        if output.output_type == "display_data":
            findings = output.metadata.get("guidance_labs", {}).get("findings")
            if findings is None:  # graded by an older version: the text below the title
                rest = output.data.get("text/plain", "").partition("\n")[2]
                return [{"code": "", "message": rest}] if rest else []
            return [{"code": str(code), "message": str(message)} for code, message in findings]
    return []


class Renderer(IPythonRenderer):
    """Markdown with formulas as MathML. A picture that was lost costs the picture, not the page."""

    def block_math(self, body: str) -> str:
        return mathml(html.unescape(body), display=True)

    def inline_math(self, body: str) -> str:
        return mathml(html.unescape(body))

    def latex_environment(self, name: str, body: str) -> str:
        return mathml(html.unescape(f"\\begin{{{name}}}{body}\\end{{{name}}}"), display=True)

    def _embed_image_or_attachment(self, src: str) -> str:
        try:
            return super()._embed_image_or_attachment(src)
        except InvalidNotebook:
            return ""


class FeedbackExporter(HTMLExporter):
    """nbconvert's, with our template whatever the configuration says: nbgrader sets the template's name in several places."""

    def __init__(self, config: Config | None = None, **options):
        ours = Config(deepcopy(config or {}))
        ours.HTMLExporter.filters = {"highlight_code": safe_code}
        ours.HTMLExporter.template_name, ours.HTMLExporter.extra_template_basedirs = "handback", [str(PAGES)]
        super().__init__(config=ours, **options)
        self.register_filter("prose", prose)

    @pass_context
    def markdown2html(self, context, source: str) -> str:
        return safe_markdown(context, source)


@pass_context
def safe_markdown(context, source: str) -> str:
    """Cleaned after it was made, not before: a student's `a < b` stays what it is.

    `nbgrader_config.py` gives it to formgrader too, where a script of a student's would have all rights of the TA's.
    """
    if source.count("\\begin") * len(source) > TANGLED:
        return f"<pre>{html.escape(source)}</pre>"
    attachments = context.get("cell", {}).get("attachments", {})
    renderer = Renderer(escape=False, attachments=attachments, exclude_anchor_links=True)
    return clean(MarkdownWithMath(renderer=renderer).render(source))


def safe_code(source: str, language: str | None = None, metadata: dict | None = None) -> str:
    """Coloured as Python: the colours of magics cost quadratic time on plain code. For formgrader, too."""
    if len(source) > LONG_CODE or BLANKS.search(source):
        return f'<div class="highlight"><pre>{html.escape(source)}</pre></div>'
    return Highlight2HTML(pygments_lexer="python3")(source, metadata=metadata)


def clean(page: str) -> str:
    """Return HTML without anything that a browser would run or load, and that stays in its place on the page."""
    safe = nh3.clean(
        page,
        tags=SAFE_TAGS,
        attributes=SAFE_ATTRIBUTES,
        allowed_classes=SAFE_CLASSES,
        url_schemes={"http", "https", "mailto", "data"},
        attribute_filter=safe_attribute,
    )
    return without_links_around_blocks(safe) if "<a" in safe else safe


def without_links_around_blocks(page: str) -> str:
    """Unwrap each link that holds more than words."""
    try:
        soup = BeautifulSoup(page, "html.parser")
        for link in soup.find_all("a"):
            if any(tag.name not in IN_A_LINK for tag in link.find_all(True)):
                link.unwrap()
        return str(soup)
    except RecursionError:  # thousands of nested tags: the page can do without its links
        return nh3.clean(
            page, tags=SAFE_TAGS - {"a"}, attributes=SAFE_ATTRIBUTES, allowed_classes=SAFE_CLASSES, url_schemes={"data"}
        )


def safe_attribute(tag: str, name: str, value: str) -> str | None:
    """Return the value of an attribute, or None if it has to go.

    A picture is part of the page (`data:`), and a link is not; a link names its host, because a path would lead into the
    TA's own server; a length is at most a few letters long.
    """
    if name == "src":
        return value if value.startswith("data:image/") else None
    if name in ("href", "cite"):
        return value if LINK.match(value.strip()) else None
    if tag in TAGS and name in LENGTHS:
        return value if all(short(part) for part in value.split()) else None
    return None if value.strip().lower().startswith("data:") else value


def short(length: str) -> bool:
    """Is this a MathML length between 0 and a few letters, or one of MathML's words for such a length?"""
    if length in ("small", "normal", "big", "thin", "medium", "thick", "auto", "none", "solid"):
        return True
    match = LENGTH.fullmatch(length)
    if not match or match.group(1) in ("", "."):
        return False
    per_em = {"em": 1.0, "ex": 2.0, "mu": 18.0, "pt": 10.0, "%": 100.0, None: 1.0}
    return float(match.group(1)) / per_em[match.group(2)] <= LONGEST_EM
