"""Students of lab 4 with points and findings of our choice, without running a notebook."""

from __future__ import annotations

from pathlib import Path

from autograder.course.labs import find_lab
from autograder.feedback.class_report import report
from autograder.feedback.graded_student import GradedStudent
from autograder.judging.class_run import ClassRun, StudentRun
from autograder.judging.grade import UNPROTECTED, Grade
from autograder.running.run_types import Run
from utils.checks.exercise import load
from utils.checks.judging import Finding, Verdict

EXERCISES = [exercise for exercise in load("lab4") if not exercise.manual]
NAMES = [exercise.name for exercise in EXERCISES]
NOT_ANSWERED = Finding("not_implemented", "Not answered yet.")


def student(name, points, findings=None, problems=()):
    """Return a graded student with some points in each exercise, and findings by exercise."""
    found = findings or {}
    verdicts = {
        exercise.name: Verdict(value, exercise.points, found.get(exercise.name, []))
        for exercise, value in zip(EXERCISES, points, strict=True)
    }
    grade = Grade("lab4_mnist_cfg", "0" * 12, verdicts, {}, problems=tuple(problems))
    run = Run("")
    return GradedStudent(StudentRun(name, Path(f"{name}.ipynb"), grade=grade, run=run), grade, run)


def blank(name):
    """Return a student who answered nothing, graded without a sandbox."""
    return student(name, [0] * 5, {exercise: [NOT_ANSWERED] for exercise in NAMES}, [UNPROTECTED])


def class_report(students):
    """Return the report of a class of such students."""
    return report(ClassRun(find_lab("lab4"), Path(), None, [one.entry for one in students]))
