"""Our preprocessors for nbgrader: repair, the sandbox and the judge instead of its kernel and its asserts, extensions.

`nbgrader_config.py` lists these classes. Scores, partial credit, late penalties and formgrader remain nbgrader's.
"""

from __future__ import annotations

import functools
import threading
from pathlib import Path

from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import compute_checksum
from traitlets import Unicode

from autograder import ROOT
from autograder.course.cells import named_exercise_of, role_of
from autograder.course.labs import Lab, find_lab
from autograder.course.releases import find_release
from autograder.course.source import read_source
from autograder.gradebook.extensions import apply_extension
from autograder.gradebook.grade_handover import handed_grade
from autograder.gradebook.outputs import safe_outputs, verdict_outputs
from autograder.intake.cell_matching import left_empty, text_of
from autograder.intake.repair import Submission, repair
from autograder.judging.bounded_judging import BoundedJudging
from autograder.judging.grade import judge_run
from autograder.running.challenge_keys import read_secret
from autograder.running.limits import Limits
from autograder.running.passes import execute_task
from autograder.running.run_types import Run, Task
from autograder.running.sandbox import Sandbox
from autograder.running.store import Store, task_key
from autograder.running.tasks import make_task, versions_of

one_at_a_time = threading.Lock()  # formgrader's server has threads


@functools.cache
def judging() -> BoundedJudging:
    """Return what judges in a process of its own, which ends with this one. A server with threads is not forked."""
    return BoundedJudging(fork=threading.active_count() == 1)


@functools.cache
def open_store(folder: Path, lab: Lab) -> Store:
    """Return the store of a lab's runs, opened once in this process: opening it looks at all runs."""
    return Store(folder, versions_of(lab))


class Repair(NbGraderPreprocessor):
    """Repair the submission. It replaces nbgrader's DeduplicateIds."""

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> tuple[NotebookNode, ResourcesDict]:
        """Return the repaired notebook, with its release and its repairs in the metadata."""
        submission = repair(nb, find_lab(resources["nbgrader"]["assignment"]))
        mark = submission.notebook.metadata.setdefault("guidance_labs", {})
        mark["release"], mark["repairs"] = submission.release, list(submission.repairs)
        zero_untouched_answers(submission)
        return submission.notebook, resources


def zero_untouched_answers(submission: Submission) -> None:
    """Let nbgrader give 0 points to written answers that were not touched, so that no person has to look at them.

    nbgrader does so if the cell still has the checksum of its release. No answer is zeroed if the student wrote text in
    a cell of their own, because the answer may be there.
    """
    released = {text_of(cell.source) for cell in find_release(submission.lab, submission.release).cells}
    own = [c for c in submission.notebook.cells if c.cell_type != "code" and "nbgrader" not in c.metadata]
    if any(text_of(cell.source) not in released for cell in own):
        return
    for cell in submission.notebook.cells:
        if role_of(cell) == "written" and left_empty(cell):
            cell.metadata.nbgrader["checksum"] = compute_checksum(cell)


class RunAndJudge(NbGraderPreprocessor):
    """Run the notebook in the sandbox, or replay a stored run, and judge it. It replaces nbgrader's Execute.

    What `autograder grade` has judged a moment ago is not judged again.
    """

    store = Unicode(str(ROOT / "store"), help="the folder of stored runs").tag(config=True)
    sandbox = Unicode("bwrap", help="bwrap, or none: unprotected, for harmless classes only").tag(config=True)
    handed = Unicode("/dev/null", help="the folder in which `autograder grade` left its grades").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> tuple[NotebookNode, ResourcesDict]:
        """Return the notebook with safe outputs, and a verdict in each test cell."""
        lab, secret = find_lab(resources["nbgrader"]["assignment"]), read_secret()
        mark = nb.metadata.get("guidance_labs", {})
        release = str(mark.get("release") or read_source(lab).metadata["guidance_labs"]["release"])
        submission = Submission(lab, release, nb, tuple(mark.get("repairs", ())))
        task = make_task(submission, secret)
        run = self.find_run(submission, task)
        grade = handed_grade(Path(self.handed), resources["nbgrader"]["student"], task_key(task))
        if grade is None:
            with one_at_a_time:
                grade = judge_run(submission, run, secret, judging().judge_exercises)
        for index, cell in enumerate(nb.cells):
            if cell.cell_type != "code":
                continue
            if role_of(cell) == "test":
                cell.outputs = verdict_outputs(grade.verdicts[named_exercise_of(cell)])
            else:
                cell.outputs = safe_outputs(run.outputs.get(index, {}).get("outputs", []))
            cell.execution_count = index + 1
        mark["repairs"], mark["problems"] = list(grade.repairs), list(grade.problems)  # what reading it noted, too
        nb.metadata["guidance_labs"] = mark
        return nb, resources

    def find_run(self, submission: Submission, task: Task) -> Run:
        """Return the stored run of a submission, or run it now and store the run.

        A stored run counts also if it was made without the sandbox: `grade` has replaced such runs already, and
        `regrade` runs nothing.

        Raises:
            SandboxError: The sandbox does not work.
        """
        store, key = open_store(Path(self.store), submission.lab), task_key(task)
        if stored := store.usable(key, protected=False):
            return stored
        with Sandbox(Limits(), protected=self.sandbox != "none", single=True) as sandbox:
            run = execute_task(task, sandbox)
        store.save(key, run)
        return run


class Extensions(NbGraderPreprocessor):
    """Give a student more time, as `extensions.csv` says. It runs before nbgrader's AssignLatePenalties."""

    table = Unicode("", help="the table of extensions; none if it is empty").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> tuple[NotebookNode, ResourcesDict]:
        """Return the notebook as it is; the extension is set in the gradebook."""
        facts = resources["nbgrader"]
        if self.table and Path(self.table).is_file():
            with Gradebook(facts["db_url"]) as book:
                apply_extension(book, Path(self.table), find_lab(facts["assignment"]), facts["student"])
        return nb, resources
