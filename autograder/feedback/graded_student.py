"""A graded student, as the pages of the class see one."""

from __future__ import annotations

import re
from dataclasses import dataclass

from autograder.judging.class_run import StudentRun
from autograder.judging.grade import Grade
from autograder.running.run_types import Run

UNANSWERED = frozenset(("not_implemented", "missing_name"))  # codes of findings about an answer that is not there


@dataclass(frozen=True)
class GradedStudent:
    """One graded student, with the grade and the run that it comes from."""

    entry: StudentRun
    grade: Grade
    run: Run

    @property
    def is_blank(self) -> bool:
        """Whether no exercise was answered: each has findings, and all of them say that the answer is not there.

        A submission with problems is not blank: an answer whose cell stopped with an error was begun.
        """
        return not self.entry.problems and all(
            verdict.findings and {finding.code for finding in verdict.findings} <= UNANSWERED
            for verdict in self.grade.verdicts.values()
        )

    def anonymous(self, text: str) -> str:
        """Return a sentence of this student's as an example for others, without the student's name."""
        return without_name(text, self.entry, "this student")


def without_name(text: str, entry: StudentRun, name: str) -> str:
    """Return a sentence about a submission with the student's id replaced by `name`, also in the name of the file."""
    if name == entry.student:
        return text
    for word in sorted({entry.path.name, entry.path.stem, entry.student}, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", name, text)
    return text
