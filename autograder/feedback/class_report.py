"""The class report: one page for a person, or the same numbers as JSON. Everything comes from judged, stored runs."""

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

from jinja2 import Environment, FileSystemLoader

from autograder.judging.class_run import ClassRun, StudentRun
from autograder.feedback.markup import prose
from utils.checks.exercise import load

PAGES = Path(__file__).parent / "pages"
COMMON = 12  # findings listed
SLOW = 5  # runs listed


def report(class_run: ClassRun, secret: bytes | None = None) -> dict:
    """What the page shows, as plain data.

    Args:
        secret: with it, students appear under pseudonyms: the same ones at every call, and nobody can compute them without it.
    """
    names = {entry.student: pseudonym(entry.student, secret) if secret else entry.student for entry in class_run.students}
    automatic = [entry for entry in load(class_run.lab.short) if not entry.manual]
    graded = [entry for entry in class_run.students if entry.grade is not None]
    points = [entry.grade.points for entry in graded]
    return {
        "lab": class_run.lab.name,
        "submissions": len(class_run.students),
        "graded": len(graded),
        "max_points": sum(entry.points for entry in automatic),
        "manual_max_points": sum(entry.points for entry in load(class_run.lab.short) if entry.manual),
        "points": spread(points),
        "distribution": distribution(points, sum(entry.points for entry in automatic)),
        "exercises": [success(entry.name, entry.title, entry.points, graded) for entry in automatic],
        "findings": common_findings(graded),
        "repairs": Counter(kind_of(line) for entry in graded for line in entry.grade.repairs).most_common(COMMON),
        "cost": cost(graded, names),
        "unprotected": sum(not entry.run.protected for entry in graded),
        "look": [
            {
                "student": names[entry.student],
                "problems": [without_name(text, entry, names[entry.student]) for text in entry.problems],
            }
            for entry in class_run.students
            if entry.problems
        ],
        "students": sorted((row(entry, names, automatic) for entry in class_run.students), key=lambda r: r["student"]),
    }


def pseudonym(student: str, secret: bytes) -> str:
    return "student-" + hmac.new(secret, f"report:{student}".encode(), hashlib.sha256).hexdigest()[:8]


def row(entry: StudentRun, names: dict[str, str], automatic: list) -> dict:
    name = names[entry.student]
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
    if entry.grade is not None:
        line["points"] = entry.grade.points
        line["exercises"] = {e.name: entry.grade.verdicts[e.name].points for e in automatic}
        line["findings"] = [
            {"exercise": e.name, "code": finding.code, "message": without_name(finding.message, entry, name)}
            for e in automatic
            for finding in entry.grade.verdicts[e.name].findings
        ]
        line["repairs"] = [without_name(text, entry, name) for text in entry.grade.repairs]
        line["problems"] += [
            without_name(text, entry, name) for text in (*entry.grade.problems, *entry.grade.faults)
        ]
        line |= {"seconds": entry.run.wall_s, "cpu_seconds": entry.run.cpu_s, "megabytes": entry.run.memory_kb / 1024}
    return line


def without_name(text: str, entry: StudentRun, name: str) -> str:
    """A sentence about a submission, for a page without names: its file may be named after its student."""
    if name == entry.student:
        return text
    for word in sorted({entry.path.name, entry.path.stem, entry.student}, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", name, text)
    return text


def spread(values: list[float]) -> dict | None:
    if not values:
        return None
    return {
        "mean": statistics.fmean(values),
        "median": statistics.median(values),
        "lowest": min(values),
        "highest": max(values),
    }


def distribution(points: list[float], most: float) -> list[dict]:
    """Students by points, a bar each whole point."""
    bars = [0] * (int(most) + 1)
    for value in points:
        bars[min(int(value), int(most))] += 1
    return [{"points": value, "students": count} for value, count in enumerate(bars)]


def success(name: str, title: str, most: float, graded: list[StudentRun]) -> dict:
    earned = [entry.grade.verdicts[name].points for entry in graded]
    return {
        "exercise": name,
        "title": title,
        "max_points": most,
        "full": sum(value >= most for value in earned),
        "some": sum(0 < value < most for value in earned),
        "none": sum(value <= 0 for value in earned),
        "mean": statistics.fmean(earned) if earned else None,
    }


def common_findings(graded: list[StudentRun]) -> list[dict]:
    """What went wrong most often: students, not repetitions, and one student's words as the example."""
    counts: Counter = Counter()
    example: dict = {}
    for entry in graded:
        seen = {(name, f.code): f.message for name, verdict in entry.grade.verdicts.items() for f in verdict.findings}
        counts.update(seen.keys())
        for key, message in seen.items():
            example.setdefault(key, without_name(message, entry, "this student"))
    return [
        {"exercise": name, "code": code, "students": count, "message": example[name, code]}
        for (name, code), count in counts.most_common(COMMON)
    ]


def kind_of(repair: str) -> str:
    """Repairs are counted by kind: the cell's name is left out."""
    return re.sub(r"\bcell [\w-]+", "cell …", repair)


def cost(graded: list[StudentRun], names: dict[str, str]) -> dict | None:
    if not graded:
        return None
    seconds, memory = [e.run.wall_s for e in graded], [e.run.memory_kb / 1024 for e in graded]
    slow = sorted(graded, key=lambda e: -e.run.wall_s)[:SLOW]
    return {
        "seconds": spread(seconds),
        "total_cpu_seconds": sum(e.run.cpu_s for e in graded),
        "megabytes": spread(memory),
        "slowest": [
            {"student": names[e.student], "seconds": e.run.wall_s, "megabytes": e.run.memory_kb / 1024} for e in slow
        ],
    }


def write_page(document: dict, place: Path, feedback: Path | None = None) -> Path:
    """One self-contained HTML file, readable by its owner only.

    Args:
        feedback: the folder of feedback pages: a student's name leads to the page, where there is one.
    """
    pages = Environment(loader=FileSystemLoader(PAGES), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    pages.filters["prose"] = prose
    links = {}
    for student in [line["student"] for line in document["students"]] if feedback else ():
        page = feedback / student / document["lab"] / f"{document['lab']}.html"
        if page.is_file():
            links[student] = quote(os.path.relpath(page, place.parent))
    place.parent.mkdir(parents=True, exist_ok=True)
    place.touch(mode=0o600)
    place.chmod(0o600)
    place.write_text(pages.get_template("report.html").render(report=document, links=links), encoding="utf-8")
    return place
