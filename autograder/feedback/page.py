"""The page that a student gets back: points and reasons first, then the notebook. One file, no script, no network.

`nbgrader_config.py` puts these classes into nbgrader's own `generate_feedback`; the template is pages/handback."""

from __future__ import annotations

import re
from copy import deepcopy
from pathlib import Path

from jinja2 import pass_context
from nbconvert.exporters import HTMLExporter
from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader.preprocessors import GetGrades, NbGraderPreprocessor
from traitlets.config import Config

from autograder.course.cells import BADGE, role_of
from autograder.course.labs import find_lab
from autograder.feedback.markup import prose
from autograder.feedback.render import safe_code, safe_markdown
from utils.checks.exercise import load

PAGES = Path(__file__).parent / "pages"


BADGES = re.compile(re.escape(BADGE.strip()).replace(r"\{address\}", r"[^)\s]*"))


COMMENTS = re.compile(r"<!--.*?-->", re.DOTALL)


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
