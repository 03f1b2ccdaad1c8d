"""Read and repair submissions in a child process, so that no notebook can stall or fill the grader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat

from autograder.bounded import Bounded, Bounds, FailedInside, OutOfBounds
from autograder.course.labs import Lab, find_lab
from autograder.errors import NotANotebook
from autograder.intake.answer_count import count_answers
from autograder.intake.notebook import open_notebook
from autograder.intake.open_submission import open_submission
from autograder.intake.repair import Submission
from autograder.text import one_line

READING = Bounds(cpu_s=30.0)  # a lab takes 0.06 s and 20 MB
MAX_TIDY = 96 * 2**20  # characters of a tidy notebook, which nbgrader reads again several times


class Reader:
    """Reads submissions, one at a time, within bounds of time and memory."""

    def __init__(self) -> None:
        """Prepare the child; it starts with the first file."""
        self.bounded = Bounded(read_in_child, READING)

    def __enter__(self) -> Reader:
        """Return this object; leaving the block ends the child."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the child."""
        self.bounded.close()

    def submission(self, path: Path, lab: Lab | None) -> Submission:
        """Return the repaired submission in a file that may hold anything.

        Args:
            path: The file.
            lab: The lab that the notebook must belong to; if None, the notebook determines it.

        Raises:
            NotANotebook: The file is no notebook of this lab, or reading it takes too much time or memory.
        """
        found = self.read(path, lab, "submission")
        notebook = nbformat.from_dict(found["notebook"])
        return Submission(find_lab(found["lab"]), found["release"], notebook, tuple(found["repairs"]))

    def lab_and_answers(self, path: Path, lab: Lab | None) -> tuple[Lab, int]:
        """Return the lab of a notebook and the number of its answers; arguments and errors are those of `submission`.

        A cell counts as an answer if it differs from the released blank.
        """
        found = self.read(path, lab, "lab and answers")
        return find_lab(found["lab"]), found["answers"]

    def tidy(self, path: Path) -> str:
        """Return a notebook as nbformat writes it, reduced to what grading uses.

        Raises:
            NotANotebook: It cannot be read, or reading it takes too much time or memory.
        """
        return self.read(path, None, "tidy")["text"]

    def read(self, path: Path, lab: Lab | None, what: str) -> dict[str, Any]:
        """Return the child's answer.

        Raises:
            NotANotebook: There is none; the message says why.
        """
        name = one_line(path.name)
        try:
            found = self.bounded(path=str(path.absolute()), lab=lab.name if lab else None, what=what)
        except OutOfBounds as error:
            raise NotANotebook(f"{name} could not be read: {error}. Look at it in an editor") from error
        except FailedInside as error:  # a notebook that breaks our own repair must not stop the class
            raise NotANotebook(f"{name} could not be read ({one_line(str(error))[:300]})") from error
        if "rejected" in found:
            raise NotANotebook(found["rejected"])
        return found


def read_in_child(path: str, lab: str | None, what: str) -> dict[str, Any]:
    """Read one file; `Reader` calls this in its child.

    Args:
        path: The file.
        lab: The name of the lab that it must belong to, or None.
        what: "submission", "lab and answers" or "tidy".
    """
    try:
        if what == "tidy":
            text = nbformat.writes(open_notebook(Path(path))[0])
            if len(text) > MAX_TIDY:
                raise NotANotebook(f"{one_line(Path(path).name)} has more text than a notebook of this course can have")
            return {"text": text}
        submission = open_submission(Path(path), find_lab(lab) if lab else None)
    except NotANotebook as error:
        return {"rejected": str(error)}
    except OSError as error:
        return {"rejected": f"{one_line(path)}: {error.strerror or error}"}
    if what == "lab and answers":
        return {"lab": submission.lab.name, "answers": count_answers(submission)}
    return {
        "lab": submission.lab.name,
        "release": submission.release,
        "repairs": list(submission.repairs),
        "notebook": submission.notebook,
    }
