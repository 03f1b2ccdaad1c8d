"""The grades that `autograder grade` hands to nbgrader's pass, so that no run is judged twice.

Each lies as a file beside the staged submission of its student, and names the run that it belongs to. nbgrader's pass
judges the run itself if there is no such file, or if it belongs to another run.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from autograder.judging.bounded_judging import verdict_from
from autograder.judging.class_run import StudentRun
from autograder.judging.grade import Grade

FILE = "grade.json"  # in the student's folder, above that of the lab: nbgrader copies what lies in the latter


def hand_grade(entry: StudentRun, staged: Path) -> None:
    """Write the grade of a student beside the staged submission.

    Args:
        entry: A student with a grade.
        staged: The folder of all staged submissions.
    """
    assert entry.grade is not None
    document = {"run": entry.key, "grade": asdict(entry.grade)}
    (staged / entry.student / FILE).write_text(json.dumps(document), encoding="utf-8")


def handed_grade(staged: Path, student: str, key: str) -> Grade | None:
    """Return the grade of a student's run, or None if none was handed over.

    Args:
        staged: The folder of all staged submissions.
        student: The student's id.
        key: The key of the stored run.
    """
    try:
        document = json.loads((staged / student / FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    if document["run"] != key:
        return None
    grade = document["grade"]
    verdicts = {name: verdict_from(verdict) for name, verdict in grade["verdicts"].items()}
    lines = {name: tuple(grade[name]) for name in ("repairs", "problems")}
    return Grade(**grade | lines | {"verdicts": verdicts})
