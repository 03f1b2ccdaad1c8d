"""Export grades out of nbgrader's gradebook, scores by hand and late penalties included."""

from __future__ import annotations

import argparse
import json

from autograder.course.labs import find_lab
from autograder.errors import ExportError
from autograder.gradebook.canvas import canvas_csv, filled_roster
from autograder.gradebook.gradescope_results import gradescope_results
from autograder.gradebook.rows import read_gradebook
from autograder.gradebook.spreadsheets import plain_csv, write


def export(options: argparse.Namespace) -> int:
    """The command."""
    from autograder.feedback.lms_zip import write_feedback
    from autograder.gradebook.gradescope import write_autograder

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
