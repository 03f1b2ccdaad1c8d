"""nbgrader's own configuration file: where the course lies, and where our pieces plug in."""

from pathlib import Path

c = get_config()  # noqa: F821

ROOT = Path(__file__).resolve().parent if "__file__" in globals() else Path.cwd()

c.CourseDirectory.root = str(ROOT)
c.CourseDirectory.course_id = "guidance-labs"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "labs"
# The percent sources hold the solutions and stand beside the notebooks: they must never be copied to a release.
c.CourseDirectory.ignore = ["*.py", ".ipynb_checkpoints", "*.pyc", "__pycache__", "runs", "*.csv"]

c.ClearSolutions.code_stub = {"python": "# Your code here.\nraise NotImplementedError()"}
c.ClearSolutions.text_stub = "*Your answer here.*"
