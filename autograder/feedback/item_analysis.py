"""Item analysis: how difficult each exercise was, how well it separates strong from weak submissions, and its findings.

Difficulty is the mean share of the points, so 1 means that everyone earned all. Discrimination is the corrected
item-total correlation: Pearson's correlation of the points of one exercise with the points of all others.

References:
    Crocker, Algina: Introduction to Classical and Modern Test Theory (1986), chapter 14.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence

from autograder.feedback.graded_student import GradedStudent
from autograder.gradebook.spreadsheets import csv_text
from utils.checks.exercise import Exercise

BLANK = ("blank_submission", "No exercise was answered.")
FEW = 30  # students; the correlation of fewer is mostly chance
DIGITS = 9  # of points: sums of fractions differ in the last digits, and that is no difference


def item_analysis(exercises: list[Exercise], graded: list[GradedStudent]) -> list[dict]:
    """Return success, difficulty, discrimination and findings of each exercise.

    Args:
        exercises: The automatic exercises of the lab.
        graded: The graded submissions, blank ones included.
    """
    points = {e.name: [one.grade.verdicts[e.name].points for one in graded] for e in exercises}
    return [analyse(exercise, points, graded) for exercise in exercises]


def analyse(exercise: Exercise, points: dict[str, list[float]], graded: list[GradedStudent]) -> dict:
    """Return the analysis of one exercise.

    Args:
        exercise: The exercise.
        points: The points of the students in every exercise, in the same order.
        graded: The graded submissions.
    """
    most, earned = exercise.points, points[exercise.name]
    others = [values for name, values in points.items() if name != exercise.name]
    rest = [sum(values) for values in zip(*others, strict=True)] if others else [0.0] * len(earned)
    value, undefined = discrimination(earned, rest)
    return {
        "exercise": exercise.name,
        "title": exercise.title,
        "max_points": most,
        "full": sum(value >= most for value in earned),
        "some": sum(0 < value < most for value in earned),
        "none": sum(value <= 0 for value in earned),
        "mean": statistics.fmean(earned) if earned else None,
        "difficulty": statistics.fmean(earned) / most if earned else None,
        "discrimination": value,
        "undefined": undefined,
        "findings": count_findings([exercise.name], [one for one in graded if not one.is_blank]),
    }


def discrimination(earned: Sequence[float], rest: Sequence[float]) -> tuple[float | None, str]:
    """Return the correlation of an exercise with the rest of the score, or None and the reason why there is none.

    Args:
        earned: The points of each student in the exercise.
        rest: The points of each student in all other exercises.
    """
    earned, rest = ([round(value, DIGITS) for value in values] for values in (earned, rest))
    if len(earned) < 2:
        return None, "fewer than two submissions were graded"
    if len(set(earned)) == 1:
        return None, "all earned the same points here"
    if len(set(rest)) == 1:
        return None, "all earned the same points in the other exercises"
    return statistics.correlation(earned, rest), ""


def count_findings(exercises: list[str], graded: list[GradedStudent]) -> list[dict]:
    """Return the findings of some exercises, the most frequent first, with one student's message as an example.

    Args:
        exercises: The names of the exercises.
        graded: The submissions; each counts once for each finding.
    """
    counts: Counter[tuple[str, str]] = Counter()
    example: dict[tuple[str, str], str] = {}
    for one in graded:
        found = {(name, f.code): f.message for name in exercises for f in one.grade.verdicts[name].findings}
        counts.update(found.keys())
        for key, message in found.items():
            if key not in example:
                example[key] = one.anonymous(message)
    return [
        {"exercise": name, "code": code, "students": count, "message": example[name, code]}
        for (name, code), count in counts.most_common()
    ]


def common_findings(exercises: list[Exercise], graded: list[GradedStudent], most: int) -> list[dict]:
    """Return the most frequent findings of the lab; all blank submissions together are one of them.

    Args:
        exercises: The automatic exercises of the lab.
        graded: The graded submissions.
        most: The number of findings.
    """
    answered = [one for one in graded if not one.is_blank]
    rows = count_findings([exercise.name for exercise in exercises], answered)
    if blank := len(graded) - len(answered):
        rows.append({"exercise": "", "code": BLANK[0], "students": blank, "message": BLANK[1]})
    return sorted(rows, key=lambda row: -row["students"])[:most]


def items_csv(document: dict) -> str:
    """Return the item analysis in a class report as CSV, one row for each exercise and each prediction that was made.

    A prediction has no points. In place of findings, its row has the number of students for each letter; a star marks
    what happens.

    Args:
        document: What `class_report.report` returned.
    """
    table = [
        ["exercise", "title", "max_points", "submissions", "mean_points", "difficulty", "discrimination", "findings"]
    ]
    for row in document["exercises"]:
        findings = " ".join(f"{finding['code']}:{finding['students']}" for finding in row["findings"])
        mean, share = ("" if row[key] is None else f"{row[key]:.3f}" for key in ("mean", "difficulty"))
        numbers = [f"{row['max_points']:g}", str(document["graded"]), mean, share, written_discrimination(row)]
        table.append([row["exercise"], row["title"], *numbers, findings])
    for row in document.get("predictions", []):
        letters = " ".join(f"{c['letter']}{'*' * c['happens']}:{c['students']}" for c in row["choices"])
        numbers = ["", str(row["made"]), "", f"{row['right']:.3f}", written_discrimination(row)]
        table.append([f"prediction {row['name']}", row["question"], *numbers, letters])
    return csv_text(table)


def written_discrimination(row: dict) -> str:
    """Return the discrimination of an exercise or a prediction, or why it has none."""
    return f"undefined: {row['undefined']}" if row["discrimination"] is None else f"{row['discrimination']:.3f}"
