"""Where we plug into nbgrader: repair before its checks, the sandbox in place of its kernel, the judge in place of asserts.

`nbgrader_config.py` lists these classes. nbgrader keeps scores, partial credit, late penalties, feedback and formgrader."""

from __future__ import annotations

from pathlib import Path

from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import compute_checksum
from traitlets import Unicode

from autograder import ROOT
from autograder.course.cells import exercise_of, role_of
from autograder.course.labs import find_lab
from autograder.course.releases import find_release
from autograder.course.source import read_source
from autograder.gradebook.outputs import safe_outputs, verdict_outputs
from autograder.intake.repair import Submission, left_empty, repair, text_of
from autograder.judging.grade import judge_run, make_task
from autograder.running.challenges import read_secret
from autograder.running.limits import Limits
from autograder.running.passes import execute_task
from autograder.running.run import Run
from autograder.running.sandbox import Sandbox
from autograder.running.store import Store, task_key
from utils.checks.exercise import load


def versions_of(lab) -> dict[str, int]:
    return {entry.name: entry.version for entry in load(lab.short)}


class Repair(NbGraderPreprocessor):
    """In place of nbgrader's DeduplicateIds: what was lost is put back."""

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> tuple[NotebookNode, ResourcesDict]:
        submission = repair(nb, find_lab(resources["nbgrader"]["assignment"]))
        mark = submission.notebook.metadata.setdefault("guidance_labs", {})
        mark["release"], mark["repairs"] = submission.release, list(submission.repairs)
        give_nothing_for_nothing(submission)
        return submission.notebook, resources


def give_nothing_for_nothing(submission: Submission) -> None:
    """An empty written answer gets 0 without a person, as nbgrader has it: by the checksum of the box as it was given out.

    Not where the student wrote text in a cell of their own: the answer may stand there.
    """
    given = {text_of(cell.source) for cell in find_release(submission.lab, submission.release).cells}
    own = [c for c in submission.notebook.cells if c.cell_type != "code" and "nbgrader" not in c.metadata]
    if all(text_of(cell.source) in given for cell in own):
        for cell in submission.notebook.cells:
            if role_of(cell) == "written" and left_empty(cell):
                cell.metadata.nbgrader["checksum"] = compute_checksum(cell)


class Sandboxed(NbGraderPreprocessor):
    """In place of nbgrader's Execute: replays a stored run, or makes one in the sandbox. Then judges it."""

    store = Unicode(str(ROOT / "store"), help="the folder of stored runs").tag(config=True)
    sandbox = Unicode("bwrap", help="bwrap, or none: unprotected, for harmless classes only").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> tuple[NotebookNode, ResourcesDict]:
        lab, secret = find_lab(resources["nbgrader"]["assignment"]), read_secret()
        mark = nb.metadata.get("guidance_labs", {})
        release = str(mark.get("release") or read_source(lab).metadata["guidance_labs"]["release"])
        submission = Submission(lab, release, nb, tuple(mark.get("repairs", ())))
        run = self.find_run(submission, secret)
        grade = judge_run(submission, run, secret)
        for index, cell in enumerate(nb.cells):
            role = role_of(cell)
            if cell.cell_type != "code":
                continue
            if role == "test":
                cell.outputs = verdict_outputs(grade.verdicts[exercise_of(cell)])
            else:
                cell.outputs = safe_outputs(run.outputs.get(index, {}).get("outputs", []))
            cell.execution_count = index + 1
        mark["repairs"], mark["problems"] = list(submission.repairs), list(grade.problems)
        nb.metadata["guidance_labs"] = mark
        return nb, resources

    def find_run(self, submission: Submission, secret: bytes) -> Run:
        task = make_task(submission, secret)
        store = Store(Path(self.store), versions_of(submission.lab))
        key = task_key(task)
        if key in store:  # also one without the sandbox: `grade` has replaced these, and `regrade` runs nothing
            return store.load(key)
        with Sandbox(Limits(), protected=self.sandbox != "none") as sandbox:  # refuses where bubblewrap is missing
            run = execute_task(task, sandbox)
        store.save(key, run)
        return run
