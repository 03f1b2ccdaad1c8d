"""Store the names and e-mail addresses that archives hold, so that formgrader shows names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autograder.intake.people import Person


def store_people(book: Any, people: Mapping[str, Person]) -> None:
    """Fill in names and e-mail addresses that the gradebook does not have. What a person typed there is kept.

    Args:
        book: The open gradebook.
        people: The students by id; those who are not in the gradebook are left out.
    """
    for student in book.students:
        someone = people.get(student.id)
        if someone is None:
            continue
        if not student.first_name and not student.last_name:
            student.first_name, student.last_name = someone.first_name, someone.last_name
        student.email = student.email or someone.email or None
    book.db.commit()
