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
from autograder.exports.gradescope_results import results_of_grade, results_without_grade
from autograder.files import replace_file
from autograder.intake.bounded_reading import Reader
from autograder.intake.collect_log import CollectLog
from autograder.intake.lms.base import SubmittedFile
from autograder.intake.names import is_notebook_name, is_system_file, may_be_notebook, student_id
from autograder.intake.which_notebook import UNREADABLE, Candidate
from autograder.intake.zips import MAX_ZIP, notebooks_in_zip
from autograder.judging.bounded_judging import grade_submission
from autograder.running.challenge_keys import read_secret
from autograder.running.sandbox import Sandbox


def find_notebook(folder: Path, lab: Lab, scratch: Path) -> Path:
    """Return the notebook to grade, also from a student's zip: of several the one with the most answers.

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
        for path in sorted(folder.rglob("*"))
        if may_be_notebook(path.name)
        and path.is_file()
        and not path.is_symlink()
        and not is_system_file(str(path.relative_to(folder)))
    }
    for path in sorted(folder.rglob("*.zip")):
        if path.is_symlink() or path.stat().st_size > MAX_ZIP:
            continue
        for name, data in notebooks_in_zip(path.name, path.read_bytes(), log):
            own_name = student_id(Path(name).name)
            place = scratch / f"{len(found)}-{own_name}"
            place.write_bytes(data)
            found[place] = own_name
    with Reader() as reader:
        read = {path: candidate_of(path, name, lab, reader) for path, name in found.items()}
    ranked = {path: candidate.rank for path, candidate in read.items() if candidate is not None}
    if not ranked:
        raise NotANotebook(" ".join(["the submission contains neither a notebook nor a zip with one.", *log.skipped]))
    return max(ranked, key=lambda path: ranked[path])


def candidate_of(path: Path, name: str, lab: Lab, reader: Reader) -> Candidate | None:
    """Return what decides whether a file is graded; None for a `.json` that is no notebook.

    Args:
        path: The file.
        name: The name that the student gave it.
        lab: The lab.
        reader: Reads notebooks within bounds.
    """
    file = SubmittedFile("", name)
    try:
        return Candidate(file, *reader.lab_and_answers(path, lab))
    except NotANotebook:
        return Candidate(file, lab, UNREADABLE) if is_notebook_name(name) else None


def grade_folder(folder: Path, lab: Lab, protected: bool) -> dict:
    """Grade what a student submitted, and return the content of `results.json`.

    Raises:
        SandboxError: The sandbox does not work.
    """
    with tempfile.TemporaryDirectory() as scratch:
        try:
            with Reader() as reader:
                submission = reader.submission(find_notebook(folder, lab, Path(scratch)), lab)
        except NotANotebook as error:
            return results_without_grade(str(error))
        with Sandbox(protected=protected, single=True) as sandbox:
            return results_of_grade(grade_submission(submission, sandbox, read_secret()))


def main(arguments: list[str] | None = None) -> int:
    """Grade a submission and write `results.json`; return the exit code."""
    parser = argparse.ArgumentParser(prog="autograder.exports.gradescope_run", description=__doc__)
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
