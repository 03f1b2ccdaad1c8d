"""Record the grades of a class in nbgrader: stage the submissions, run its commands, restore manual grades."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import Any, NamedTuple

from autograder.course.labs import Lab
from autograder.errors import BadArchive, GradebookError
from autograder.gradebook import extensions, manual_grades
from autograder.gradebook.lock import course_lock
from autograder.gradebook.nbgrader import has_gradebook, open_gradebook, run_nbgrader
from autograder.gradebook.staging import copy_to_submitted, stage
from autograder.gradebook.store_people import store_people
from autograder.intake.people import read_people
from autograder.judging.class_run import ClassRun
from autograder.progress import progress_by_files

PRIVATE = ("submitted", "autograded", "feedback", "report")  # the folders of a course that hold student data
SCORES_LOST = "its scores in the gradebook, if any, are from an earlier run"
PAGE_LOST = "the student gets a plain page"


class Recorded(NamedTuple):
    """What came of recording grades.

    Attributes:
        problems: One line for each thing that went wrong.
        complete: Whether every grade reached the gradebook.
        look: The students whose grades or pages could not be written.
        pageless: The students with a grade and without a feedback page.
    """

    problems: list[str]
    complete: bool
    look: list[str]
    pageless: list[str]


def record_grades(class_run: ClassRun, protected: bool, feedback: bool = True) -> Recorded:
    """Let nbgrader write the grades of a class into its gradebook, then write feedback pages.

    Args:
        class_run: The graded class.
        protected: Whether a notebook that nbgrader has to run again runs in the sandbox.
        feedback: Whether to write feedback pages.

    Raises:
        GradebookError: The gradebook cannot be read or written, or another run is writing it.
    """
    staged = class_run.course / f".staged-{class_run.lab.name}"
    with course_lock(class_run.course) as lock:
        shutil.rmtree(staged, ignore_errors=True)  # left behind by a killed run
        try:
            return write_grades(class_run, staged, protected, feedback, lock)
        finally:  # also after Ctrl-C
            shutil.rmtree(staged, ignore_errors=True)
            make_private(class_run.course)


def write_grades(class_run: ClassRun, staged: Path, protected: bool, feedback: bool, lock: int) -> Recorded:
    """Do the work of `record_grades`.

    Args:
        class_run: The graded class.
        staged: A folder to write and to leave behind.
        protected: Whether a notebook that nbgrader has to run again runs in the sandbox.
        feedback: Whether to write feedback pages.
        lock: The descriptor of the lock.
    """
    for name in ("submitted", "autograded", "feedback"):  # private before they hold anything
        (class_run.course / name).mkdir(mode=0o700, exist_ok=True)
    copy_to_submitted(class_run)
    problems = stage(class_run, staged)
    reviewed: set[manual_grades.GradeKey] = set()
    if has_gradebook(class_run.course):
        with open_gradebook(class_run.course) as book:
            problems += outdated_scores(class_run, book)
            clear_stale_timestamps(class_run, book, staged)
            reviewed = manual_grades.save_reviewed(book, class_run.lab.name, class_run.course, class_run.store.folder)
    flags = [
        f"--CourseDirectory.submitted_directory={staged.name}",
        f"--RunAndJudge.store={class_run.store.folder}",
        f"--RunAndJudge.sandbox={'bwrap' if protected else 'none'}",
        f"--RunAndJudge.handed={staged}",
        f"--Extensions.table={class_run.course / extensions.TABLE}",
    ]
    graded = [entry.student for entry in class_run.students if entry.grade is not None]
    unstaged = [student for student in graded if not (staged / student).is_dir()]
    commands = ClassCommands(class_run.course, class_run.lab, [s for s in graded if s not in unstaged], lock, flags)
    problems += commands.update_assignment()
    problems += extension_problems(class_run)
    ungraded = commands.run("autograde", "recording scores", "autograded", "*.ipynb", commands.students)
    ungraded |= dict.fromkeys(unstaged, "")
    problems += [f"{student}: nbgrader autograde failed{why}; {SCORES_LOST}" for student, why in ungraded.items()]
    if reviewed:
        with open_gradebook(class_run.course) as book:
            manual_grades.restore_reviewed(book, class_run.lab.name, class_run.course, class_run.store.folder, reviewed)
    problems += name_students(class_run)
    pageless: dict[str, str] = {}
    if feedback:
        commands.students = [student for student in commands.students if student not in ungraded]
        pageless = commands.feedback_pages()
        problems += [
            f"{student}: nbgrader generate_feedback failed{why}; {PAGE_LOST}" for student, why in pageless.items()
        ]
    return Recorded(problems, not ungraded, list(dict.fromkeys([*ungraded, *pageless])), list(pageless))


def extension_problems(class_run: ClassRun) -> list[str]:
    """Return one line for each extension that has no effect; most courses have no table of extensions."""
    table = class_run.course / extensions.TABLE
    if not table.is_file():
        return []
    with open_gradebook(class_run.course) as book:
        students = [entry.student for entry in class_run.students]
        return extensions.check_extensions(book, table, class_run.lab, students)


def name_students(class_run: ClassRun) -> list[str]:
    """Store the names that `collect` has found, and return a line if they cannot be read."""
    try:
        people = read_people(class_run.submissions) if class_run.submissions else {}
    except BadArchive as error:
        return [str(error)]
    if people:
        with open_gradebook(class_run.course) as book:
            store_people(book, people)
    return []


class ClassCommands:
    """nbgrader's commands on a class."""

    def __init__(self, course: Path, lab: Lab, students: list[str], lock: int, flags: list[str] | None = None) -> None:
        """Prepare the arguments that all commands share.

        Args:
            course: The course's folder.
            lab: The lab.
            students: The ids of the students.
            lock: The descriptor of the course's lock, which nbgrader keeps open.
            flags: Further arguments of nbgrader.
        """
        self.course, self.lab, self.students, self.lock, self.flags = course, lab, students, lock, flags or []

    def feedback_pages(self) -> dict[str, str]:
        """Write the feedback pages; return the students without one, as `run` does."""
        folder = self.course / "autograded"
        there = [student for student in self.students if (folder / student / self.lab.name).is_dir()]
        pageless = self.run("generate_feedback", "feedback pages", "feedback", "*.html", there)
        return pageless | {student: "" for student in self.students if student not in there}

    def update_assignment(self) -> list[str]:
        """Let nbgrader read the lab's cells and points, and return what went wrong.

        Raises:
            GradebookError: nbgrader failed.
        """
        done = run_nbgrader(self.course, self.lab, "generate_assignment", *self.flags, keep_open=self.lock)
        if "Cannot add or remove cells" in done.stderr:
            return [
                f"the locked cells of {self.lab.name} have changed since grading began, "
                "so nbgrader keeps its old list of cells"
            ]
        if done.returncode != 0:
            reason = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
            raise GradebookError(f"nbgrader generate_assignment failed, so no grade was written: {reason[:500]}")
        return []

    def run(self, command: str, what: str, folder: str, pattern: str, students: list[str]) -> dict[str, str]:
        """Run a command that writes one file for each student, and finish it for all others if one stalls it.

        Args:
            command: Such as `autograde`.
            what: The text of the progress bar.
            folder: Where in the course the files are written.
            pattern: The glob pattern of a student's file.
            students: Those for whom nbgrader has what it needs.

        Returns:
            The students without a file, each with the reason where it is known, such as ", because it …".
        """
        output = Output(self.course / folder, self.lab, pattern, students)
        stalled: dict[str, str] = {}
        with progress_by_files(what, output.folder, f"*/{self.lab.name}/{pattern}", len(students)):
            while True:
                others = f"--CourseDirectory.student_id_exclude={','.join([*output.others(), *stalled])}"
                ended = run_nbgrader(
                    self.course,
                    self.lab,
                    command,
                    *self.flags,
                    others,
                    keep_open=self.lock,
                    progress=output.missing,
                    force=not stalled,
                )
                left = [student for student in output.missing() if student not in stalled]
                if not ended.stalled or not left:
                    return {student: stalled.get(student, "") for student in output.missing()}
                stalled[left[0]] = f", because {ended.stalled}"  # nbgrader takes them in this order
                output.remove(left)  # so that nbgrader writes them without --force, and keeps what is done


class Output:
    """The files that a command of nbgrader writes, one for each student.

    A file counts as written if it differs from the one that was there before. Times are not compared with the clock,
    which may have been set back.
    """

    def __init__(self, folder: Path, lab: Lab, pattern: str, students: list[str]) -> None:
        """Note what is there before the command.

        Args:
            folder: Where the files are written.
            lab: The lab.
            pattern: The glob pattern of a student's file.
            students: The students who must get one.
        """
        self.folder, self.lab, self.pattern = folder, lab, pattern
        self.students = sorted(students, key=lambda student: f"{student}/{lab.name}")
        self.before = {student: self.state(student) for student in self.students}

    def state(self, student: str) -> frozenset[tuple[int, int]]:
        """Return what tells a student's files from older ones."""
        with contextlib.suppress(OSError):  # a file that is being replaced
            found = [path.stat() for path in (self.folder / student / self.lab.name).glob(self.pattern)]
            return frozenset((entry.st_ino, entry.st_mtime_ns) for entry in found)
        return frozenset()

    def missing(self) -> list[str]:
        """Return the students without a new file, in nbgrader's order."""
        return [student for student in self.students if self.state(student) in (self.before[student], frozenset())]

    def others(self) -> list[str]:
        """Return students of earlier runs: nbgrader must not take time for them."""
        there = {path.parent.name for path in self.folder.parent.glob(f"autograded/*/{self.lab.name}")}
        return sorted(there - set(self.students))

    def remove(self, students: list[str]) -> None:
        """Remove the older files of some students."""
        for student in students:
            shutil.rmtree(self.folder / student / self.lab.name, ignore_errors=True)
            self.before[student] = frozenset()


def clear_stale_timestamps(class_run: ClassRun, book: Any, staged: Path) -> None:
    """Delete recorded submission times that no longer have a `timestamp.txt`, because nbgrader would keep them."""
    from nbgrader.api import MissingEntry

    for entry in class_run.students:
        if entry.grade is not None and not (staged / entry.student / class_run.lab.name / "timestamp.txt").exists():
            with contextlib.suppress(MissingEntry):
                book.find_submission(class_run.lab.name, entry.student).timestamp = None
    book.db.commit()


def outdated_scores(class_run: ClassRun, book: Any) -> list[str]:
    """Return a line for each student with a score in the gradebook from an earlier run, and no grade in this one."""
    lines = []
    for entry in class_run.students:
        score = recorded_score(book, class_run.lab, entry.student) if entry.grade is None else None
        if score is not None:
            lines.append(f"{entry.student}: not graded now; the {score:g} points in the gradebook are old")
    return lines


def recorded_score(book: Any, lab: Lab, student: str) -> float | None:
    """Return a student's score in the gradebook, or None if there is no submission."""
    from nbgrader.api import MissingEntry

    try:
        return book.find_submission(lab.name, student).score
    except MissingEntry:
        return None


def make_private(course: Path) -> None:
    """Make the gradebook and all student data of a course readable for their owner only."""
    for path in (course / "gradebook.db", *(course / name for name in PRIVATE)):
        if path.exists():
            path.chmod(0o700 if path.is_dir() else 0o600)
