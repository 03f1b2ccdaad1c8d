"""The class report: a page for instructors, or the same numbers as JSON. Everything comes from judged, stored runs."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import statistics
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import quote

from autograder.feedback.class_predictions import class_predictions
from autograder.feedback.graded_student import GradedStudent, without_name
from autograder.feedback.item_analysis import FEW, common_findings, item_analysis
from autograder.feedback.markup import fill
from autograder.gradebook.spreadsheets import write_private
from autograder.judging.class_run import ClassRun, StudentRun
from utils.checks.exercise import Exercise, load

COMMON = 12  # findings, and kinds of repairs, that are listed
SLOW = 5  # slowest runs that are listed


def report(class_run: ClassRun, secret: bytes | None = None) -> dict:
    """Return what the page shows, as plain data.

    Args:
        class_run: The judged class.
        secret: If given, students appear under pseudonyms, which are the same in every report and cannot be computed
            without the secret.
    """
    names = {
        entry.student: pseudonym(entry.student, secret) if secret else entry.student for entry in class_run.students
    }
    automatic = [exercise for exercise in load(class_run.lab.short) if not exercise.manual]
    graded = [
        GradedStudent(entry, entry.grade, entry.run)
        for entry in class_run.students
        if entry.grade is not None and entry.run is not None
    ]
    points = [one.grade.points for one in graded]
    return {
        "lab": class_run.lab.name,
        "submissions": len(class_run.students),
        "graded": len(graded),
        "max_points": sum(exercise.points for exercise in automatic),
        "manual_max_points": sum(exercise.points for exercise in load(class_run.lab.short) if exercise.manual),
        "points": spread(points),
        "distribution": distribution(points, sum(exercise.points for exercise in automatic)),
        "exercises": item_analysis(automatic, graded),
        "few": len(graded) < FEW,
        "blank": sum(one.is_blank for one in graded),
        "findings": common_findings(automatic, graded, COMMON),
        "predictions": class_predictions(
            class_run.lab,
            [entry.predictions for entry in class_run.students],
            [entry.grade.points if entry.grade is not None else None for entry in class_run.students],
        ),
        "repairs": Counter(kind_of(line) for one in graded for line in one.grade.repairs).most_common(COMMON),
        "cost": cost(graded, names),
        "unprotected": sum(not one.run.protected for one in graded),
        "look": [attention(entry, names[entry.student]) for entry in class_run.students if entry.problems],
        "students": sorted(
            (student_line(entry, names[entry.student], automatic) for entry in class_run.students),
            key=lambda line: line["student"],
        ),
    }


def attention(entry: StudentRun, name: str) -> dict:
    """Return why a submission needs manual attention.

    Args:
        entry: The submission.
        name: The student's name in this report.
    """
    return {"student": name, "problems": [without_name(text, entry, name) for text in entry.problems]}


def pseudonym(student: str, secret: bytes) -> str:
    """Return the pseudonym of a student."""
    return "student-" + hmac.new(secret, f"report:{student}".encode(), hashlib.sha256).hexdigest()[:8]


def student_line(entry: StudentRun, name: str, automatic: list[Exercise]) -> dict:
    """Return the line of one student in the table of students.

    Args:
        entry: The submission.
        name: The student's name in this report.
        automatic: The automatic exercises of the lab.
    """
    line: dict[str, Any] = {
        "student": name,
        "points": None,
        "exercises": {},
        "findings": [],
        "repairs": [],
        "problems": [],
    }
    if entry.problem:
        line["problems"].append(without_name(entry.problem, entry, name))
    if entry.grade is not None and entry.run is not None:
        line["points"] = entry.grade.points
        line["exercises"] = {e.name: entry.grade.verdicts[e.name].points for e in automatic}
        line["findings"] = [
            {"exercise": e.name, "code": finding.code, "message": without_name(finding.message, entry, name)}
            for e in automatic
            for finding in entry.grade.verdicts[e.name].findings
        ]
        line["repairs"] = [without_name(text, entry, name) for text in entry.grade.repairs]
        line["problems"] += [without_name(text, entry, name) for text in (*entry.grade.problems, *entry.grade.faults)]
        line |= {"seconds": entry.run.wall_s, "cpu_seconds": entry.run.cpu_s, "megabytes": entry.run.memory_kb / 1024}
    return line


def spread(values: list[float]) -> dict | None:
    """Return mean, median, lowest and highest of some values, or None if there are none."""
    if not values:
        return None
    return {
        "mean": statistics.fmean(values),
        "median": statistics.median(values),
        "lowest": min(values),
        "highest": max(values),
    }


def distribution(points: list[float], most: float) -> list[dict]:
    """Return the number of students for each whole number of points.

    Args:
        points: The points of each student.
        most: The most points that the lab gives automatically.
    """
    bars = [0] * (int(most) + 1)
    for value in points:
        bars[min(int(value), int(most))] += 1
    return [{"points": value, "students": count} for value, count in enumerate(bars)]


def kind_of(repair: str) -> str:
    """Return a repair without the name of its cell, so that repairs of the same kind are counted together."""
    return re.sub(r"\bcell [\w-]+", "cell …", repair)


def cost(graded: list[GradedStudent], names: dict[str, str]) -> dict | None:
    """Return time and memory of the runs, or None if there are none.

    Args:
        graded: The graded submissions.
        names: The students' names in this report, by id.
    """
    if not graded:
        return None
    seconds, memory = [e.run.wall_s for e in graded], [e.run.memory_kb / 1024 for e in graded]
    slow = sorted(graded, key=lambda e: -e.run.wall_s)[:SLOW]
    return {
        "seconds": spread(seconds),
        "total_cpu_seconds": sum(e.run.cpu_s for e in graded),
        "megabytes": spread(memory),
        "slowest": [
            {"student": names[e.entry.student], "seconds": e.run.wall_s, "megabytes": e.run.memory_kb / 1024}
            for e in slow
        ],
    }


def write_page(document: dict, place: Path, feedback: Path | None = None) -> Path:
    """Write the report as one self-contained HTML file, readable for its owner only, and return its path.

    Args:
        document: What `report` returned.
        place: The file to write.
        feedback: The folder of feedback pages; a student's name links to the student's page, if there is one.
    """
    links = page_links(document, place, feedback) if feedback else {}
    place.parent.mkdir(parents=True, exist_ok=True)
    write_private(place, fill("report.html", report=document, links=links))
    return place


def page_links(document: dict, place: Path, feedback: Path) -> dict[str, str]:
    """Return the address of each feedback page relative to the report, by student.

    Args:
        document: What `report` returned.
        place: The file of the report.
        feedback: The folder of feedback pages.
    """
    lab, links = document["lab"], {}
    for line in document["students"]:
        page = feedback / line["student"] / lab / f"{lab}.html"
        if page.is_file():
            links[line["student"]] = quote(os.path.relpath(page, place.parent))
    return links
