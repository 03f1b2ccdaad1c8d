"""Let `nbgrader autograde` be the first command of a course: it needs the lab's cells and points in the gradebook."""

from __future__ import annotations

import tempfile
from typing import Any


def read_unknown_labs() -> None:
    """Let nbgrader's `autograde` read a lab that the gradebook does not have yet, before the first submission."""
    from nbgrader.api import Gradebook, MissingEntry
    from nbgrader.converters import Autograde, GenerateAssignment
    from nbgrader.utils import temp_attrs

    start = Autograde.start

    def start_with_known_lab(self: Any) -> None:
        try:
            with Gradebook(self.coursedir.db_url, self.coursedir.course_id) as book:
                book.find_assignment(self.coursedir.assignment_id)
        except MissingEntry:
            # Only the gradebook is meant: what students get is written elsewhere, and `release` alone changes it.
            with tempfile.TemporaryDirectory() as folder, temp_attrs(self.coursedir, release_directory=folder):
                GenerateAssignment(coursedir=self.coursedir, parent=self).start()
        start(self)

    Autograde.start = start_with_known_lab
