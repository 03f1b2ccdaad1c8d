"""GitHub Classroom: one repository for each student, `lab4-submissions/lab4-adalovelace/…`.

`gh classroom clone student-repos` makes the folder, and "Download" in the classroom names the same command:
https://docs.github.com/en/education/manage-coursework-with-github-classroom. The roster, `classroom_roster.csv`, may
lie beside the repositories; its columns are identifier, github_username, github_id and name. Git keeps the times, and
reading a student's repository with git could run commands of that repository, so the times come from a table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from autograder.errors import BadArchive
from autograder.intake.lms.base import Layout, Owned, Source, SubmittedFile, each
from autograder.intake.lms.worksheets import roster_person
from autograder.intake.names import student_id
from autograder.intake.people import Person, person
from autograder.intake.tables import MAX_BYTES, parse_csv
from autograder.intake.zips import read_entry, rejection_reason

REPOSITORY = re.compile(r"(?:[^/]+/)??(?P<slug>[^/]+)-submissions/(?P=slug)-(?P<user>[^/]+)/(?P<file>.+)")
ROSTER = "classroom_roster.csv"


def github(source: Source) -> Iterator[Owned]:
    """Yield each file of the repositories with its student."""
    people = read_roster(source)
    for entry in source.entries:
        found = REPOSITORY.fullmatch(entry.filename)
        if found is None:
            yield entry, None
            continue
        user = found["user"]
        yield entry, [SubmittedFile(student_id(user), entry.filename, lms="github", user=user, person=people.get(user))]


def read_roster(source: Source) -> dict[str, Person]:
    """Return the students of the roster by their GitHub user names; {} if there is none or it cannot be read."""
    entry = next((e for e in source.entries if is_roster(e.filename)), None)
    if entry is None or rejection_reason(entry):
        return {}
    try:
        columns, *lines = parse_csv(read_entry(source.archive, entry, MAX_BYTES), ROSTER) or [[]]
    except BadArchive as error:
        source.log.note(entry.filename, f"no names were read: {error}")
        return {}
    people = {}
    for row in (dict(zip(columns, line)) for line in lines):
        if user := row.get("github_username", ""):
            named = person(row.get("name", "")) if row.get("name") else None
            people[user] = (roster_person(row.get("identifier", "")) or Person()).updated(named)
    return people


def is_roster(name: str) -> bool:
    """Tell whether a file is the classroom's roster: it lies beside the repositories, and not inside one."""
    return PurePosixPath(name).name == ROSTER and REPOSITORY.fullmatch(name) is None


LAYOUT = Layout(
    "github",
    "GitHub Classroom",
    "lab4-submissions/lab4-user/file.ipynb",
    each(lambda entry: REPOSITORY.fullmatch(entry.filename)),
    github,
    whole_folders=True,
)
