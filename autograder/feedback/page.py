"""The feedback page of a student: points and reasons first, then the notebook. One file without scripts or network.

`nbgrader_config.py` puts these classes into nbgrader's own `generate_feedback`; the template is `pages/feedback`.
"""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

from jinja2 import pass_context
from jinja2.runtime import Context
from nbconvert.exporters import HTMLExporter
from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader.preprocessors import GetGrades, NbGraderPreprocessor
from traitlets.config import Config

from autograder.course.cells import BADGE, role_of
from autograder.course.labs import find_lab
from autograder.feedback.markup import prose
from autograder.feedback.render import code_colours, safe_code, safe_markdown
from autograder.intake.cell_matching import without_comments
from utils.checks.exercise import Exercise, load

PAGES = Path(__file__).parent / "pages"
CELLS_BELOW = 2  # level of the heading "Your notebook"
BADGES = re.compile(re.escape(BADGE.strip()).replace(r"\{address\}", r"[^)\s]*"))


class Grades(GetGrades):
    """nbgrader's own preprocessor, which also notes whether a written answer has not been graded yet."""

    def _get_score(self, cell: NotebookNode, resources: ResourcesDict) -> None:
        super()._get_score(cell, resources)
        where = (self.notebook_id, self.assignment_id, self.student_id)
        grade = self.gradebook.find_grade(cell.metadata["nbgrader"]["grade_id"], *where)
        cell.metadata.nbgrader["open"] = bool(grade.needs_manual_grade) and grade.manual_score is None


@dataclass(frozen=True)
class SummaryRow:
    """A row of the table at the top of the page.

    Attributes:
        id: The anchor of the exercise on the page.
        number: The exercise's number, such as "4.2".
        title: The exercise's title.
        manual: Whether it is a written answer.
        open: Whether it has not been graded yet.
        score: The points that the student earned.
        points: The points that the exercise gives.
        findings: Code and message of each finding.
        comment: What a grader typed below the answer.
    """

    id: str
    number: str
    title: str
    manual: bool
    open: bool
    score: float
    points: float
    findings: list[dict[str, str]]
    comment: str

    @property
    def state(self) -> str:
        """The sign beside the row: "open", "full", "some" or "none"."""
        if self.open:
            return "open"
        if self.score >= self.points:
            return "full"
        return "some" if self.score > 0 else "none"


class Summary(NbGraderPreprocessor):
    """Make the summary at the top, and remove the source of test cells, so that no hidden test is shown."""

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> tuple[NotebookNode, ResourcesDict]:
        """Return the notebook for the template, with the role and the row of each cell in its metadata."""
        lab = resources["nbgrader"]["assignment"]
        numbered = {exercise.grade_id: (n, exercise) for n, exercise in enumerate(load(find_lab(lab).short), 1)}
        rows = []
        for cell in nb.cells:
            role = role_of(cell)
            cell.metadata["feedback"] = {"role": role}
            if role in ("test", "written"):
                row = summary_row(nb, cell, *numbered.get(cell.metadata["nbgrader"]["grade_id"], (0, None)))
                rows.append(row)
                cell.metadata["feedback"]["row"] = row
            if role == "test":
                cell.source, cell.outputs = "", []
            elif cell.cell_type == "markdown":
                cell.source = without_comments(BADGES.sub("", cell.source)).strip()
        nb.cells = [cell for cell in nb.cells if cell.metadata["feedback"]["role"] != "check"]
        mark = nb.metadata.get("guidance_labs", {})
        resources["feedback"] = {
            "rows": rows,
            "open": sum(row.points for row in rows if row.open),
            "repairs": [str(line) for line in mark.get("repairs", [])],
            "problems": [str(line) for line in mark.get("problems", [])],
            "title": title_of(nb) or lab,
            "code_colours": code_colours(),
        }
        return nb, resources


def summary_row(nb: NotebookNode, cell: NotebookNode, number: int, exercise: Exercise | None) -> SummaryRow:
    """Return the row of one exercise.

    Args:
        nb: The notebook.
        cell: The test or the written answer of the exercise.
        number: The exercise's place in the lab, from 1.
        exercise: The exercise, or None if the lab has no exercise with the cell's grade_id.
    """
    data = cell.metadata["nbgrader"]
    role = role_of(cell)
    return SummaryRow(
        id=data["grade_id"],
        number=f"{exercise.lab[3:]}.{number}" if exercise else "",
        title=exercise.title if exercise else data["grade_id"],
        manual=role == "written",
        open=bool(data.get("open")),
        score=float(data.get("score") or 0),
        points=float(data.get("points") or 0),
        findings=findings_of(cell) if role == "test" else [],
        comment=comment_on(nb, exercise.answer_id) if exercise else "",
    )


def title_of(nb: NotebookNode) -> str:
    """Return the first heading of a notebook, or ""."""
    headings = (re.search(r"^# (.+)$", cell.source, re.M) for cell in nb.cells if cell.cell_type == "markdown")
    return next((heading.group(1) for heading in headings if heading), "")


def comment_on(nb: NotebookNode, answer_id: str) -> str:
    """Return what a grader typed below an answer, or ""."""
    data = (cell.metadata.get("nbgrader", {}) for cell in nb.cells)
    return next((d.get("comment") or "" for d in data if d.get("grade_id") == answer_id), "")


def findings_of(cell: NotebookNode) -> list[dict[str, str]]:
    """Return code and message of each finding that `verdict_outputs` wrote into a test cell."""
    for output in cell.get("outputs", []):
        if output.output_type == "display_data":
            findings = output.metadata.get("guidance_labs", {}).get("findings")
            if findings is None:  # graded by an older version: the text below the title
                rest = output.data.get("text/plain", "").partition("\n")[2]
                return [{"code": "", "message": rest}] if rest else []
            return [{"code": str(code), "message": str(message)} for code, message in findings]
    return []


class FeedbackExporter(HTMLExporter):
    """nbconvert's exporter, always with our template: nbgrader's configuration names another one in several places."""

    def __init__(self, config: Config | None = None, **options):
        """Create the exporter; the arguments are those of nbconvert's."""
        ours = Config(deepcopy(config or {}))
        ours.HTMLExporter.filters = {"highlight_code": safe_code}
        ours.HTMLExporter.template_name, ours.HTMLExporter.extra_template_basedirs = "feedback", [str(PAGES)]
        super().__init__(config=ours, **options)
        self.register_filter("prose", prose)

    @pass_context
    def markdown2html(self, context: Context, source: str) -> str:
        """Return Markdown as harmless HTML below the page's headings; it replaces nbconvert's filter of this name."""
        return safe_markdown(context, source, below=CELLS_BELOW)
