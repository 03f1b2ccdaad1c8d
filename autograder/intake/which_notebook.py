"""Choose between two notebooks of one student: the latest submission counts, and in it the notebook with answers."""

from __future__ import annotations

from dataclasses import dataclass

from autograder.course.labs import Lab
from autograder.intake.lms.base import SubmittedFile
from autograder.intake.names import display_name

UNREADABLE = -1  # instead of a number of answers


@dataclass(frozen=True)
class Candidate:
    """A notebook that may count.

    Attributes:
        file: The submitted file.
        lab: Its lab.
        answers: The number of answer cells that differ from the released blank, or `UNREADABLE`.
    """

    file: SubmittedFile
    lab: Lab
    answers: int

    @property
    def rank(self) -> tuple:
        """A key that orders the notebooks of one submission; the largest counts."""
        return (self.answers, *name_rank(self.file.own_name, self.lab), self.file.order)


def name_rank(name: str, lab: Lab) -> tuple[bool, bool]:
    """Return a key that orders names of notebooks: the lab's exact name is the largest."""
    return (name == f"{lab.name}.ipynb", lab.name in name)


def choose(one: Candidate, other: Candidate) -> tuple[Candidate, Candidate, str]:
    """Return the notebook that counts, the other one, and the reason. Of two equal ones the second counts."""
    if one.file.attempt != other.file.attempt:
        lost, kept = sorted((one, other), key=lambda candidate: candidate.file.attempt)
        reason = f"{kept.file.student} submitted a later attempt"
        if kept.answers < lost.answers:
            reason += f", {quoted(kept)}, with {answers(kept)} instead of {answers(lost)}: look at both"
        return kept, lost, reason
    kept, lost = (one, other) if one.rank > other.rank else (other, one)
    return kept, lost, f"of the same submission, {quoted(kept)} counts: {why(kept, lost)}"


def why(kept: Candidate, lost: Candidate) -> str:
    """Return why one notebook of a submission counts and another one does not."""
    if kept.file.data == lost.file.data:
        return "the files are equal"
    if lost.answers == UNREADABLE != kept.answers:
        return "this one cannot be read as a notebook of the lab"
    if kept.answers != lost.answers:
        return f"it has {answers(kept)}, this one has {answers(lost)}"
    same = f"both have {answers(kept)}" if kept.answers != UNREADABLE else "neither can be read"
    if name_rank(kept.file.own_name, kept.lab) != name_rank(lost.file.own_name, lost.lab):
        return f"{same}, and it has the lab's name"
    if kept.file.order != lost.file.order:
        return f"{same}, and it was uploaded later"
    return f"{same}, and it comes later in the archive"


def quoted(candidate: Candidate) -> str:
    """Return a file's name in quotes, without the folders of the archive."""
    return f"'{display_name(candidate.file.own_name)}'"


def answers(candidate: Candidate) -> str:
    """Return the number of answers in words."""
    number = max(candidate.answers, 0)
    return f"{number or 'no'} answer{'' if number == 1 else 's'}"
