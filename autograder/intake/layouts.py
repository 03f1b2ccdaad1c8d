"""Recognise how an archive is laid out."""

from __future__ import annotations

import zipfile

from autograder.errors import BadArchive
from autograder.intake.lms import blackboard, brightspace, canvas, github, gradescope, moodle, nbgrader, plain
from autograder.intake.lms.base import Layout

# If two have the same number of files, the first counts: the more a layout asks of a name, the earlier it comes.
LMS = [module.LAYOUT for module in (gradescope, brightspace, canvas, moodle, blackboard, github, nbgrader)]
LAYOUTS = [*LMS, plain.LAYOUT]


def find_layout(entries: list[zipfile.ZipInfo]) -> Layout:
    """Return the layout of an archive.

    The majority decides, because a student chooses the end of a single name and could imitate another LMS.

    Args:
        entries: The files of the archive.

    Raises:
        BadArchive: Nothing in the archive looks like a submission.
    """
    counts = {layout.name: layout.count(entries) for layout in LAYOUTS}
    best = max(LMS, key=lambda layout: counts[layout.name])
    submissions = counts["plain"]
    if counts[best.name] and counts[best.name] >= submissions / 2:
        return best
    if submissions:
        return plain.LAYOUT
    examples = ", ".join(f"{layout.title} ({layout.example})" for layout in LAYOUTS[:-1])
    raise BadArchive(
        f"this is not an archive from {examples}, and it is no folder of notebooks ({plain.LAYOUT.example}); "
        "download all submissions from your LMS and give that zip, unchanged"
    )
