"""`autograder export`: grades out of nbgrader's gradebook, scores by hand and late penalties included."""

from __future__ import annotations

import argparse
import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nbformat

from autograder.author import Lab, exercise_of, find_lab, role_of
from autograder.classroom import has_gradebook, open_gradebook
from autograder.repair import left_empty
from utils.checks.exercise import Exercise, load

CANVAS_COLUMNS = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
POINTS_POSSIBLE = "    Points Possible"  # Canvas's second row; the blanks belong to it
BY_HAND = "by hand"
FORMULA = (*"=+-@\t\r\n", *"＝＋－＠")


class ExportError(RuntimeError):
    """Nothing was exported; the message says why, in a sentence."""


@dataclass
class Row:
    """One student's result, as the gradebook has it."""

    student: str
    name: str  # last, first; or the student's id
    email: str
    scores: dict[str, float]  # exercise -> points
    penalty: float
    max_points: float
    open: list[str] = field(default_factory=list)  # written answers that nobody has graded
    changed: bool = False  # handed in anew since a person graded it
    comments: dict[str, str] = field(default_factory=dict)  # exercise -> what a person typed below the answer

    @property
    def points(self) -> float:
        return max(0.0, sum(self.scores.values()) - self.penalty)


def read_gradebook(lab: Lab, course: Path) -> list[Row]:
    """Every student who handed in.

    Raises:
        ExportError: there is no gradebook, or nothing of this lab in it.
        GradebookError: it cannot be read.
    """
    from nbgrader.api import MissingEntry

    if not has_gradebook(course):
        raise ExportError(f"there is no gradebook in {course}; grade first: autograder grade {lab.short}")
    names = {entry.grade_id: entry.name for entry in load(lab.short)}
    answers = {entry.answer_id: entry.name for entry in load(lab.short)}
    rows = []
    with open_gradebook(course) as book:
        try:
            submissions = book.find_assignment(lab.name).submissions
        except MissingEntry:
            submissions = []
        for submission in submissions:
            grades = [grade for notebook in submission.notebooks for grade in notebook.grades]
            comments = [comment for notebook in submission.notebooks for comment in notebook.comments]
            who = submission.student
            rows.append(
                Row(
                    student=who.id,
                    name=", ".join(part for part in (who.last_name, who.first_name) if part) or who.id,
                    email=who.email or "",
                    scores={names.get(g.cell.name, g.cell.name): float(g.score) for g in grades},
                    penalty=float(submission.late_submission_penalty or 0.0),
                    max_points=float(submission.max_score),
                    open=[
                        names.get(g.cell.name, g.cell.name)
                        for g in grades
                        if g.needs_manual_grade and g.manual_score is None
                    ],
                    changed=any(g.needs_manual_grade and g.manual_score is not None for g in grades),
                    comments={
                        answers[c.cell.name]: c.comment for c in comments if c.comment and c.cell.name in answers
                    },
                )
            )
    if not rows:
        raise ExportError(f"the gradebook has no submission of {lab.name}; grade first: autograder grade {lab.short}")
    return sorted(rows, key=lambda row: row.student)


def export(options: argparse.Namespace) -> int:
    """The command."""
    from autograder.gradescope import write_autograder
    from autograder.handback import write_feedback

    lab, course = find_lab(options.lab), options.course.resolve()
    if options.roster and options.to != "canvas":
        raise ExportError("--roster belongs to --to canvas")
    if (options.archive is None) == (options.to == "feedback"):
        raise ExportError("--to feedback needs --archive, the zip that was collected; nothing else does")
    folder = course / "exports"
    if options.to == "gradescope-autograder":
        target = options.out or folder / f"{lab.name}-gradescope-autograder.zip"
        target.parent.mkdir(parents=True, exist_ok=True)
        write_autograder(lab, target, options.sandbox)
        print(f"written: {target}. It holds answers and a secret: upload it to Gradescope, and give it to nobody.")
        return 0
    rows = read_gradebook(lab, course)
    if options.to == "feedback":
        target = options.out or folder / f"{lab.name}-feedback.zip"
        target.parent.mkdir(parents=True, exist_ok=True)
        for line in write_feedback(lab, rows, course, options.archive, target):
            print(f"  left out: {line}")
    elif options.to == "gradescope":
        target = options.out or folder / f"{lab.name}-gradescope"
        for row in rows:
            place = target / row.student / "results.json"
            place.parent.mkdir(parents=True, exist_ok=True)
            write(place, json.dumps(gradescope_results(lab, row, course), indent=1, ensure_ascii=False) + "\n")
    else:
        target = options.out or folder / f"{lab.name}-{'grades' if options.to == 'csv' else 'canvas'}.csv"
        target.parent.mkdir(parents=True, exist_ok=True)
        column = options.column or lab.name
        if options.to == "csv":
            write(target, plain_csv(lab, rows))
        elif options.roster:
            text, unmatched = filled_roster(options.roster, rows, column)
            write(target, text)
            for student in unmatched:
                print(f"  not in the roster: {student}")
        else:
            write(target, canvas_csv(rows, column))
    print(f"written: {target}, {len(rows)} students")
    if waiting := [row.student for row in rows if row.open]:
        print(f"{len(waiting)} of them have written answers that nobody has graded yet; these count 0 until then.")
    if changed := [row.student for row in rows if row.changed]:
        print(f"Changed since a person graded it, with the old points: {', '.join(changed)}.")
    return 0


def write(path: Path, text: str) -> None:
    private(path).write_text(text, encoding="utf-8", newline="")


def private(path: Path) -> Path:
    """Grades are readable by their owner only, also where the file was there before."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    return path


def number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def csv_text(rows: Iterable[list[str]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerows([[harmless(cell) for cell in row] for row in rows])
    return buffer.getvalue()


def harmless(cell: str) -> str:
    """A spreadsheet takes a cell that begins so for a formula, and names are chosen by students."""
    return f"'{cell}" if cell[:1] in FORMULA and not re.fullmatch(r"-\d+(\.\d+)?", cell) else cell


def plain_csv(lab: Lab, rows: list[Row]) -> str:
    """A row a student, a column an exercise."""
    names = [entry.name for entry in load(lab.short)]
    head = ["student", "name", "email", "points", "max_points", "late_penalty", "not_graded_yet", *names]
    table = [head]
    for row in rows:
        scores = [number(row.scores.get(name, 0.0)) for name in names]
        facts = [number(row.points), number(row.max_points), number(row.penalty), " ".join(row.open)]
        table.append([row.student, row.name, row.email, *facts, *scores])
    return csv_text(table)


# Canvas


def canvas_id(student: str) -> str:
    """`autograder collect` ends a student's id with Canvas's own number."""
    match = re.search(r"(?:^|_)(\d+)$", student)
    return match.group(1) if match else ""


def canvas_csv(rows: list[Row], column: str) -> str:
    """What Canvas imports: its own columns, the points that are possible, then the students."""
    table = [[*CANVAS_COLUMNS, column], [POINTS_POSSIBLE, "", "", "", "", number(rows[0].max_points)]]
    for row in rows:
        # Without Canvas's number, a student is known by the login.
        known = canvas_id(row.student)
        table.append([row.name, known, "", "" if known else row.student, "", number(row.points)])
    return csv_text(table)


def filled_roster(path: Path, rows: list[Row], column: str) -> tuple[str, list[str]]:
    """A gradebook that Canvas exported, cut to its first columns and this assignment; and whom it does not have.

    Raises:
        ExportError: not Canvas's file.
    """
    try:
        table = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ExportError(f"{path} cannot be read as CSV ({error})") from error
    head = table[0] if table else []
    if missing := [name for name in ("Student", "ID", "Section") if name not in head]:
        raise ExportError(f"{path.name} is no gradebook of Canvas: the column '{missing[0]}' is missing")
    kept = [index for index, name in enumerate(head) if name in CANVAS_COLUMNS or name == "Integration ID"]
    place = next((i for i, name in enumerate(head) if re.fullmatch(re.escape(column) + r"( \(\d+\))?", name)), None)
    by_key: dict[str, Row] = {}
    for row in rows:
        for key in (canvas_id(row.student), row.student, row.email):
            if key:
                by_key.setdefault(key.lower(), row)
    keys = [head.index(name) for name in ("ID", "SIS User ID", "SIS Login ID") if name in head]
    out, found = [[*(head[i] for i in kept), head[place] if place is not None else column]], set()
    for line in table[1:]:
        line = line + [""] * (len(head) - len(line))
        score = line[place] if place is not None else ""
        if line[head.index("Student")].strip() == POINTS_POSSIBLE.strip():
            score = score or number(rows[0].max_points)
        elif row := next((by_key[line[i].lower()] for i in keys if line[i].lower() in by_key), None):
            found.add(row.student)
            score = number(row.points)
        out.append([*(line[i] for i in kept), score])
    buffer = io.StringIO()
    csv.writer(buffer).writerows(out)  # as Canvas wrote it, or it would not find its students again
    return buffer.getvalue(), [row.student for row in rows if row.student not in found]


# What a student hears


def outcomes(lab: Lab, row: Row, course: Path) -> Iterator[tuple[Exercise, float, str]]:
    """Of each exercise the points and what was said of it, as on the feedback page."""
    findings = read_findings(course / "autograded" / row.student / lab.name / f"{lab.name}.ipynb")
    for entry in load(lab.short):
        text = findings.get(entry.name, "")
        if entry.manual:
            text = "Not graded yet." if entry.name in row.open else text or f"Graded {BY_HAND}."
        if comment := row.comments.get(entry.name):
            text = f"{text}\n\nComment: {comment}".strip()
        yield entry, row.scores.get(entry.name, 0.0), text


def late_words(row: Row) -> str:
    return f"Handed in late: {number(row.penalty)} points less." if row.penalty else ""


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


def read_findings(path: Path) -> dict[str, str]:
    """Exercise -> what the grader said, from the notebook that nbgrader keeps."""
    if not path.is_file():
        return {}
    found = {}
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code" and role_of(cell) == "test":
            texts = [o.data.get("text/plain", "") for o in cell.outputs if o.output_type == "display_data"]
            said = "\n".join(text.partition("\n")[2] for text in texts)  # the first line repeats the points
            found[exercise_of(cell) or ""] = said or "All checks of the grader passed."
        elif role_of(cell) == "written" and left_empty(cell):
            found[exercise_of(cell) or ""] = "No response."
    return found
