"""One submission from file to grade: repair, run in the sandbox, unpack the evidence, judge."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field

from nbformat import NotebookNode

from autograder.course.cells import exercise_of, role_of
from autograder.intake.repair import Submission
from autograder.judging.evidence import BadEvidence, unpack
from autograder.judging.judge import judge
from autograder.running.challenges import make_challenge
from autograder.running.passes import Run, Task, execute_task, submission_hash
from autograder.running.sandbox import Sandbox
from utils.checks.exercise import find, load
from utils.checks.judging import Finding, Verdict

UNPROTECTED = "It was run unprotected: no sandbox stood between this notebook and the grader's machine."


@dataclass
class Grade:
    """The result for one submission."""

    lab: str
    release: str
    verdicts: dict[str, Verdict]
    manual: dict[str, float]  # written exercises and what they are worth
    repairs: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def points(self) -> float:
        return sum(v.points for v in self.verdicts.values())

    @property
    def max_points(self) -> float:
        return sum(v.max_points for v in self.verdicts.values())

    def to_json(self) -> dict:
        exercises = {
            name: {
                "points": verdict.points,
                "max_points": verdict.max_points,
                "manual": False,
                "findings": [asdict(finding) for finding in verdict.findings],
            }
            for name, verdict in self.verdicts.items()
        }
        exercises |= {
            name: {"points": None, "max_points": points, "manual": True, "findings": []}
            for name, points in self.manual.items()
        }
        order = [entry.name for entry in load(self.lab)]
        return {
            "lab": self.lab,
            "release": self.release,
            "points": self.points,
            "max_points": self.max_points,
            "manual_max_points": sum(self.manual.values()),
            "exercises": {name: exercises[name] for name in order},
            "repairs": self.repairs,
            "problems": self.problems,
        }


def runnable(notebook: NotebookNode) -> list[dict]:
    """The cells that grading executes: all code but checks and illustrations."""
    return [
        {"index": index, "source": cell.source, "role": role_of(cell), "exercise": exercise_of(cell)}
        for index, cell in enumerate(notebook.cells)
        if cell.cell_type == "code" and role_of(cell) not in ("check", "illustration")
    ]


def challenges_of(submission: Submission, secret: bytes, digest: str) -> dict:
    """The challenge of each automatic exercise."""
    return {
        entry.name: make_challenge(secret, entry, submission.release, digest)
        for entry in load(submission.lab.short)
        if not entry.manual
    }


def execute(submission: Submission, sandbox: Sandbox, secret: bytes) -> Run:
    """Run a submission in the sandbox.

    Raises:
        SandboxError: the machine's fault.
    """
    task = make_task(submission, secret)
    return execute_task(task, sandbox)


def make_task(submission: Submission, secret: bytes) -> Task:
    """What has to be run, as plain data: it travels to a worker that knows nothing of verdicts."""
    cells = runnable(submission.notebook)
    digest = submission_hash(cells)
    keys = {name: c.key.hex() for name, c in challenges_of(submission, secret, digest).items()}
    return Task(cells, keys, digest)


def judge_run(submission: Submission, run: Run, secret: bytes) -> Grade:
    """Judge stored evidence. Fast, pure, and repeatable."""
    challenges = challenges_of(submission, secret, run.submission_hash)
    entries = load(submission.lab.short)
    verdicts = {e.name: judge_one(e.name, challenges[e.name], run) for e in entries if not e.manual}
    problems = [*run.problems, *answers_that_stopped(submission, run)]
    if not run.protected:
        problems.append(UNPROTECTED)
    return Grade(
        lab=submission.lab.name,
        release=submission.release,
        verdicts=verdicts,
        manual={e.name: e.points for e in entries if e.manual},
        repairs=submission.repairs,
        problems=problems,
    )


def answers_that_stopped(submission: Submission, run: Run) -> list[str]:
    """The error that each answer's cell ended with: whoever reads "it is not defined" asks why. Students choose its words."""
    lines = []
    for index, cell in enumerate(submission.notebook.cells):
        outputs = run.outputs.get(index, {}).get("outputs") if role_of(cell) == "answer" else None
        for output in outputs if isinstance(outputs, list) else ():
            if isinstance(output, dict) and output.get("output_type") == "error":
                error = f"{output.get('ename')}: {output.get('evalue')}"
                error = re.sub(r"<ipython-input-[\w-]+>, ", "", error)  # a line in the cell, and no file
                error = "".join(c if c.isprintable() else " " for c in error[:200])
                if not error.startswith("NotImplementedError"):
                    lines.append(f"The cell of {exercise_of(cell)} stopped with {error}")
    return lines


def judge_one(name: str, challenge, run: Run) -> Verdict:
    entry = find(name)
    files = run.evidence.get(name, [])
    if len(files) > 1:
        message = "The grader received evidence for this exercise more than once. It accepts exactly one."
        return Verdict(0.0, entry.points, [Finding("duplicate_evidence", message)])
    try:
        evidence = unpack(entry, *files[0]) if files else None
    except BadEvidence as error:
        return Verdict(
            0.0, entry.points, [Finding("damaged_evidence", f"The grader cannot use what it received: {error}.")]
        )
    return judge(entry, challenge, evidence)


def grade_submission(submission: Submission, sandbox: Sandbox, secret: bytes) -> Grade:
    """Run and judge.

    Raises:
        SandboxError: the machine's fault.
    """
    return judge_run(submission, execute(submission, sandbox, secret), secret)
