"""Where we plug into nbgrader: repair before its checks, the sandbox in place of its kernel, the judge in place of asserts.

`nbgrader_config.py` lists these classes. nbgrader keeps scores, partial credit, late penalties, feedback and formgrader.
"""

from __future__ import annotations

import html
import json
from pathlib import Path

from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode, v4
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import compute_checksum
from traitlets import Unicode

from autograder import ROOT, archive
from autograder.author import exercise_of, find_lab, read_source, role_of
from autograder.challenge import read_secret
from autograder.execution import Run, execute_task
from autograder.feedback import clean
from autograder.grade import judge_run, make_task
from autograder.repair import BASE64, Submission, left_empty, repair, text_of
from autograder.sandbox import Limits, Sandbox
from autograder.store import Store, task_key
from utils.checks.exercise import load
from utils.checks.judging import Verdict

OUTPUT_BYTES = 200_000  # of text a cell, in what people read
PICTURE_BYTES = 4_000_000  # of pictures a cell: an animation's frames or a large figure, and no more
PICTURES = ("image/png", "image/jpeg")


def versions_of(lab) -> dict[str, int]:
    return {entry.name: entry.version for entry in load(lab.short)}


class Repair(NbGraderPreprocessor):
    """In place of nbgrader's DeduplicateIds: what was lost is put back."""

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> tuple[NotebookNode, ResourcesDict]:
        submission = repair(nb, find_lab(resources["nbgrader"]["assignment"]))
        mark = submission.notebook.metadata.setdefault("guidance_labs", {})
        mark["release"], mark["repairs"] = submission.release, submission.repairs
        give_nothing_for_nothing(submission)
        return submission.notebook, resources


def give_nothing_for_nothing(submission: Submission) -> None:
    """An empty written answer gets 0 without a person, as nbgrader has it: by the checksum of the box as it was given out.

    Not where the student wrote text in a cell of their own: the answer may stand there.
    """
    given = {text_of(cell.source) for cell in archive.find(submission.lab, submission.release).cells}
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
        submission = Submission(lab, release, nb, list(mark.get("repairs", [])))
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
        mark["repairs"], mark["problems"] = submission.repairs, grade.problems
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


def verdict_outputs(verdict: Verdict) -> list[NotebookNode]:
    """What feedback and formgrader show of a test cell, and the number that nbgrader reads as its score."""
    points = min(max(float(verdict.points), 0.0), verdict.max_points)
    items = "".join(
        f"<li><b>{html.escape(finding.code)}</b>: {html.escape(finding.message)}</li>" for finding in verdict.findings
    )
    title = f"{points:g} of {verdict.max_points:g} points"
    page = f"<p><b>{title}</b></p>" + (f"<ul>{items}</ul>" if items else "<p>All checks of the grader passed.</p>")
    plain = "\n".join([title, *(f"{finding.code}: {finding.message}" for finding in verdict.findings)])
    findings = [[finding.code, finding.message] for finding in verdict.findings]  # for the summary of the feedback page
    mark = {"guidance_labs": {"findings": findings}}
    return [
        v4.new_output("display_data", data={"text/html": page, "text/plain": plain}, metadata=mark),
        v4.new_output("execute_result", data={"text/plain": f"{points!r}"}, execution_count=1),
    ]


def safe_outputs(outputs: object) -> list[NotebookNode]:
    """A student's outputs, bounded, without anything that a browser would run."""
    kept, room, wall = [], OUTPUT_BYTES, PICTURE_BYTES
    for output in outputs if isinstance(outputs, list) else []:
        try:
            clean = clean_output(output)
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
        pictures = sum(len(clean.get("data", {}).get(kind, "")) for kind in PICTURES)
        room, wall = room - (len(json.dumps(clean)) - pictures), wall - pictures
        if min(room, wall) < 0:
            kept.append(v4.new_output("stream", name="stdout", text="[the rest of this output was left out]\n"))
            break
        kept.append(clean)
    return kept


def clean_output(output: dict) -> NotebookNode:
    kind = output["output_type"]
    if kind == "stream":
        # Never stderr: nbgrader takes it for a failure.
        return v4.new_output("stream", name="stdout", text=str(output["text"])[:OUTPUT_BYTES])
    if kind == "error":
        traceback = [str(line)[:10_000] for line in output["traceback"]][:50]
        return v4.new_output(
            "error", ename=str(output["ename"])[:200], evalue=str(output["evalue"])[:2000], traceback=traceback
        )
    texts = {kind: str(value) for kind, value in output["data"].items() if kind in ("text/plain", *PICTURES)}
    data = {kind: text for kind, text in texts.items() if kind not in PICTURES or BASE64.fullmatch(text)}
    if "text/html" in output["data"]:
        data["text/html"] = clean(str(output["data"]["text/html"])[:OUTPUT_BYTES])
    return v4.new_output("display_data", data=data)
