"""nbgrader's own configuration file: where the course lies, and where our pieces plug in."""

import os
from pathlib import Path

from autograder.course.cells import CODE_STUB, TEXT_STUB
from autograder.feedback.formgrader import secure_formgrader
from autograder.gradebook.fresh_course import read_unknown_labs
from autograder.gradebook.times import refuse_unknown_zones

c = get_config()  # noqa: F821 nbgrader defines it

ROOT = Path(__file__).resolve().parent if "__file__" in globals() else Path.cwd()
# A course's submissions, gradebook and feedback lie here, or in a folder of their own: `make course COURSE=demo`.
COURSE = ROOT / os.environ.get("LAB_COURSE", "")

c.CourseDirectory.root = str(COURSE)
c.CourseDirectory.course_id = "guidance-labs"
c.CourseDirectory.source_directory = str(ROOT / "solutions") if COURSE != ROOT else "solutions"
c.CourseDirectory.release_directory = "labs" if COURSE == ROOT else "release"
# SQLite, or a server: LAB_GRADEBOOK=postgresql+psycopg://user@host/course
c.CourseDirectory.db_url = os.environ.get("LAB_GRADEBOOK") or f"sqlite:///{COURSE / 'gradebook.db'}"
# The percent sources hold the solutions and stand beside the notebooks: they must never be copied to a release.
c.CourseDirectory.ignore = ["*.py", ".ipynb_checkpoints", "*.pyc", "__pycache__", "runs", "*.csv"]

c.RunAndJudge.store = str(COURSE / "store")

c.ClearSolutions.code_stub = {"python": CODE_STUB}
c.ClearSolutions.text_stub = TEXT_STUB

# Ours: repair, by the submission's own release, instead of DeduplicateIds and OverwriteCells; the sandbox and the judge
# instead of Execute.
c.Autograde.sanitize_preprocessors = [
    "autograder.gradebook.nbgrader_steps.Repair",
    "nbgrader.preprocessors.ClearOutput",
    "nbgrader.preprocessors.OverwriteKernelspec",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.Autograde.autograde_preprocessors = [
    "autograder.gradebook.nbgrader_steps.RunAndJudge",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "autograder.gradebook.nbgrader_steps.Extensions",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]
# Formgrader shows what students wrote to a person who may run code on this machine: no script of theirs gets there.
secure_formgrader()
c.HTMLExporter.preprocessors = ["autograder.feedback.formgrader.UntrustedNotebook"]
c.HTMLExporter.filters = {
    "markdown2html": "autograder.feedback.render.safe_markdown",
    "highlight_code": "autograder.feedback.render.safe_code",
}
c.GenerateFeedback.exporter_class = "autograder.feedback.page.FeedbackExporter"
c.GenerateFeedback.preprocessors = [
    "autograder.feedback.page.Grades",
    "autograder.feedback.page.Summary",
    "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
]

# What being late costs: "none", or "zero". The due date is the assignment's, in the gradebook (docs/instructor.md).
c.LateSubmissionPlugin.penalty_method = "none"
# More time for single students: a table with the columns student, lab and extension (docs/instructor.md).
c.Extensions.table = str(COURSE / "extensions.csv")
refuse_unknown_zones()
read_unknown_labs()
