"""Gradescope's results.json of one student."""

from __future__ import annotations

from pathlib import Path

from autograder.course.labs import Lab
from autograder.gradebook.rows import Row, late_words, outcomes


def gradescope_results(lab: Lab, row: Row, course: Path) -> dict:
    """Gradescope's results.json of a student."""
    tests = [
        {
            "name": f"{entry.name}: {entry.title}",
            "score": score,
            "max_score": entry.points,
            "output": text,
            "visibility": "visible",
        }
        for entry, score, text in outcomes(lab, row, course)
    ]
    return {"score": row.points, "output": late_words(row), "stdout_visibility": "hidden", "tests": tests}
