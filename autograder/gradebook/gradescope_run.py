"""The program that runs in Gradescope's container for each submission.

A submission is graded as by `autograder grade-one`. Written answers are graded with Gradescope's own rubrics.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from autograder.course.labs import Lab, find_lab
from autograder.errors import NotANotebook, SandboxError
from autograder.files import replace_file
from autograder.gradebook.gradescope_results import results_of_grade, results_without_grade
from autograder.intake.archive import name_rank
from autograder.intake.collected import CollectLog
from autograder.intake.names import is_system_file, student_id
from autograder.intake.submission import open_submission
from autograder.intake.zips import MAX_ZIP, notebooks_in_zip
from autograder.judging.grade import grade_submission
from autograder.running.challenges import read_secret
from autograder.running.sandbox import Sandbox


def find_notebook(folder: Path, lab: Lab, scratch: Path) -> Path:
    """Return the notebook to grade: the one with the lab's name if there are several, also from a student's zip.

    Args:
        folder: What the student submitted.
        lab: The lab.
        scratch: An empty folder for notebooks from zips.

    Raises:
        NotANotebook: There is no notebook.
    """
    log = CollectLog()
    found = {  # path -> the name that the student gave it
        path: path.name
        for path in sorted(folder.rglob("*.ipynb"))
        if path.is_file() and not path.is_symlink() and not is_system_file(str(path.relative_to(folder)))
    }
    for path in sorted(folder.rglob("*.zip")):
        if path.is_symlink() or path.stat().st_size > MAX_ZIP:
            continue
        for name, data in notebooks_in_zip(path.name, path.read_bytes(), log):
            own_name = student_id(Path(name).name)
            place = scratch / f"{len(found)}-{own_name}"
            place.write_bytes(data)
            found[place] = own_name
    if not found:
        raise NotANotebook(" ".join(["the submission contains neither a notebook nor a zip with one.", *log.skipped]))
    return max(found, key=lambda path: name_rank(found[path], lab))


def grade_folder(folder: Path, lab: Lab, protected: bool) -> dict:
    """Grade what a student submitted, and return the content of `results.json`.

    Raises:
        SandboxError: The sandbox does not work.
    """
    with tempfile.TemporaryDirectory() as scratch:
        try:
            submission = open_submission(find_notebook(folder, lab, Path(scratch)), lab)
        except NotANotebook as error:
            return results_without_grade(str(error))
        with Sandbox(protected=protected) as sandbox:
            return results_of_grade(grade_submission(submission, sandbox, read_secret()))


def main(arguments: list[str] | None = None) -> int:
    """Grade a submission and write `results.json`; return the exit code."""
    parser = argparse.ArgumentParser(prog="autograder.gradebook.gradescope_run", description=__doc__)
    parser.add_argument("lab")
    parser.add_argument("submission", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--sandbox", choices=("bwrap", "none"), default="bwrap")
    options = parser.parse_args(arguments)
    code = 0
    try:
        document = grade_folder(options.submission, find_lab(options.lab), options.sandbox == "bwrap")
    except SandboxError as error:
        print(error, file=sys.stderr)
        document = results_without_grade("the grading machine failed, which is not your fault. Tell your instructor.")
        code = error.exit_code
    replace_file(options.results, json.dumps(document, indent=1, ensure_ascii=False))
    return code


if __name__ == "__main__":
    sys.exit(main())
