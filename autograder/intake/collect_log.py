"""The result of collecting submissions, and the log from which it is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from autograder.intake.names import display_name
from autograder.intake.people import Person


@dataclass(frozen=True)
class Collected:
    """What was accepted from an archive and what was skipped.

    Attributes:
        accepted: One line for each accepted submission.
        skipped: One line for each file that was skipped, with the reason.
        students: The ids of all students who have a file in the archive.
        labs: The ids of the students with an accepted submission, by the name of the lab.
        untimed: The ids of the students with an accepted submission whose submission time is unknown.
        notes: One line for each thing that could not be read and costs no submission, such as a time.
        layout: How the archive was read, such as "Canvas".
        local_times: Whether the archive holds times without a time zone, which were read in the given zone.
    """

    accepted: tuple[str, ...]
    skipped: tuple[str, ...]
    students: frozenset[str]
    labs: Mapping[str, frozenset[str]]
    untimed: frozenset[str]
    notes: tuple[str, ...] = ()
    layout: str = ""
    local_times: bool = False

    @property
    def missing(self) -> list[str]:
        """The ids of the students from whom nothing was accepted, sorted."""
        return sorted(self.students - frozenset().union(*self.labs.values()))


@dataclass
class CollectLog:
    """Everything that happens while an archive is read; `result` freezes it."""

    accepted: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    students: set[str] = field(default_factory=set)
    labs: dict[str, set[str]] = field(default_factory=dict)
    untimed: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    people: dict[str, Person] = field(default_factory=dict)
    layout: str = ""
    local_times: bool = False

    def skip(self, name: str, reason: str) -> None:
        """Record that a file was skipped.

        Args:
            name: The file, possibly with the student's id before it; it may hold any character.
            reason: A clause that continues "FILE: ".
        """
        self.skipped.append(f"{display_name(name)}: {reason}")

    def note(self, name: str, what: str) -> None:
        """Record that something could not be read, although no submission is lost by it; the arguments are as above."""
        self.notes.append(f"{display_name(name)}: {what}")

    def add_person(self, student: str, someone: Person | None) -> None:
        """Record what the archive says about a student."""
        if someone is not None:
            self.people[student] = self.people.get(student, Person()).updated(someone)

    def result(self) -> Collected:
        """Return what was recorded so far as an immutable value."""
        return Collected(
            accepted=tuple(self.accepted),
            skipped=tuple(self.skipped),
            students=frozenset(self.students),
            labs={lab: frozenset(students) for lab, students in self.labs.items()},
            untimed=frozenset(self.untimed),
            notes=tuple(self.notes),
            layout=self.layout,
            local_times=self.local_times,
        )
