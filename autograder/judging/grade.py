"""One submission from a notebook to a grade: run it in the sandbox, unpack the evidence, judge."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace

from autograder.course.cells import exercise_of, role_of
from autograder.intake.repair import Submission
from autograder.judging.evidence import BadEvidence, unpack
from autograder.judging.judge import judge
from autograder.running.passes import execute_task
from autograder.running.run_types import Run
from autograder.running.sandbox import Sandbox
from autograder.running.tasks import challenges_of, make_task
from autograder.text import one_line
from utils.checks.challenge import Challenge
from utils.checks.exercise import find, load
from utils.checks.judging import Finding, Verdict

UNPROTECTED = "It was run unprotected: no sandbox stood between this notebook and the grader's machine."
DUPLICATE = "The grader received evidence for this exercise more than once. It accepts exactly one."
LONGEST_ERROR = 2000  # characters that are searched
MAX_ERROR = 200  # characters of an answer's error in a problem line
JudgeAll = Callable[[Mapping[str, Challenge], Run], dict[str, Verdict]]


@dataclass(frozen=True)
class Grade:
    """The result for one submission."""

    lab: str
    release: str
    verdicts: Mapping[str, Verdict]
    manual: Mapping[str, float]  # written exercises and what they are worth
    repairs: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()  # what went wrong while it ran; the student reads them, too

    @property
    def points(self) -> float:
        """Points of all automatic exercises."""
        return sum(v.points for v in self.verdicts.values())

    @property
    def max_points(self) -> float:
        """What all automatic exercises are worth."""
        return sum(v.max_points for v in self.verdicts.values())

    @property
    def faults(self) -> tuple[str, ...]:
        """One line for each exercise that a person has to judge, with the grader's own error; for instructors only."""
        lines = []
        for name, verdict in self.verdicts.items():
            if any(finding.code == "needs_a_person" for finding in verdict.findings):
                cause = f" ({'; '.join(verdict.faults)})" if verdict.faults else ""
                lines.append(f"{name}: the grader could not judge this answer by itself{cause}")
        return tuple(lines)

    def to_json(self) -> dict:
        """Return the grade as `grade-one --json` prints it, exercises in the order of the lab."""
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
            "repairs": list(self.repairs),
            "problems": list(self.problems),
            "faults": list(self.faults),
        }


def run_submission(submission: Submission, sandbox: Sandbox, secret: bytes) -> Run:
    """Run a submission in the sandbox.

    Raises:
        SandboxError: the sandbox does not work.
    """
    return execute_task(make_task(submission, secret), sandbox)


def judge_exercises(challenges: Mapping[str, Challenge], run: Run) -> dict[str, Verdict]:
    """Return the verdict on each exercise of a run, in this process.

    Args:
        challenges: exercise -> the inputs that its probe used.
        run: what came out of the sandbox.
    """
    return {name: judge_exercise(name, challenge, run) for name, challenge in challenges.items()}


def judge_run(submission: Submission, run: Run, secret: bytes, judge_all: JudgeAll = judge_exercises) -> Grade:
    """Judge the evidence of a run. Nothing is executed, so the same run always gets the same grade.

    Args:
        submission: the repaired submission.
        run: what came out of the sandbox.
        secret: the course's secret.
        judge_all: returns the verdicts. `BoundedJudging` has a function that judges a stranger's evidence in a child
            process.
    """
    challenges = challenges_of(submission, secret, run.submission_hash)
    verdicts = judge_all(challenges, run)
    errors = errors_of_answers(submission, run)
    verdicts = {name: with_cause(verdict, errors.get(name)) for name, verdict in verdicts.items()}
    problems = [*run.problems, *in_words(errors)]
    if not run.protected:
        problems.append(UNPROTECTED)
    return Grade(
        lab=submission.lab.name,
        release=submission.release,
        verdicts=verdicts,
        manual={e.name: e.points for e in load(submission.lab.short) if e.manual},
        repairs=tuple(submission.repairs),
        problems=tuple(problems),
    )


def errors_of_answers(submission: Submission, run: Run) -> dict[str, str]:
    """Return the error with which the cell of an answer ended, by exercise: it explains why a name is not defined.

    Students choose the words of an error, so they are cut and made printable.
    """
    errors: dict[str, str] = {}
    for index, cell in enumerate(submission.notebook.cells):
        outputs = run.outputs.get(index, {}).get("outputs") if role_of(cell) == "answer" else None
        for output in outputs if isinstance(outputs, list) else ():
            if isinstance(output, dict) and output.get("output_type") == "error":
                error = f"{output.get('ename')}: {output.get('evalue')}"
                error = re.sub(r"<ipython-input-[\w-]+>, ", "", error[:LONGEST_ERROR])  # a line in the cell, no file
                error = "".join(c if c.isprintable() else " " for c in one_line(error[:MAX_ERROR]))
                if not error.startswith("NotImplementedError"):
                    errors.setdefault(exercise_of(cell) or "", error)
    return errors


def in_words(errors: Mapping[str, str]) -> list[str]:
    """Return a line for each answer whose cell ended with an error, from what `errors_of_answers` returned."""
    return [f"The cell of {name} stopped with {error}" for name, error in errors.items()]


def with_cause(verdict: Verdict, error: str | None) -> Verdict:
    """Add to a finding that a name is missing why the cell did not define it.

    Args:
        verdict: the verdict on an exercise.
        error: the error with which the answer's cell ended, if it did.
    """
    if error is None:
        return verdict
    cause = f" Its cell stopped with {error.rstrip('.')}."
    if error.startswith(("SyntaxError", "IndentationError")):
        cause += f" The grader runs Python {sys.version_info.major}.{sys.version_info.minor}."
    elif error.startswith("ModuleNotFoundError"):
        cause += " The grader does not have this package: import it in a cell of its own, or do without it."
    findings = [
        replace(finding, message=finding.message + cause) if finding.code == "missing_name" else finding
        for finding in verdict.findings
    ]
    return replace(verdict, findings=findings)


def judge_exercise(name: str, challenge: Challenge, run: Run) -> Verdict:
    """Return the verdict on one exercise of a run. Evidence that cannot be used is a finding."""
    entry = find(name)
    files = run.evidence.get(name, ())
    if len(files) > 1:
        return Verdict(0.0, entry.points, [Finding("duplicate_evidence", DUPLICATE)])
    try:
        evidence = unpack(entry, *files[0]) if files else None
    except BadEvidence as error:
        message = f"The grader cannot use what it received: {error}."
        return Verdict(0.0, entry.points, [Finding("damaged_evidence", message)])
    return judge(entry, challenge, evidence)
