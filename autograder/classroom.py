"""A whole class: find submissions, run what has not been run, judge, and let nbgrader keep the grades.

The slow part is parallel and resumable; what nbgrader does afterwards replays stored runs.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import nbformat
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, track
from rich.table import Table
from sqlalchemy.engine import make_url

from autograder import ROOT, by_hand
from autograder.author import Lab
from autograder.build import with_bin_on_path
from autograder.challenge import read_secret
from autograder.engine import run_all
from autograder.execution import Run, Task
from autograder.grade import UNPROTECTED, Grade, judge_run, make_task, open_submission
from autograder.outputs import plain
from autograder.repair import NotANotebook, Submission, open_notebook
from autograder.sandbox import Limits, require_bubblewrap
from autograder.store import Store, task_key
from utils.checks.exercise import load

STUDENT = re.compile(r"[^\w.@-]+")
# What nbgrader cannot have in a student's id: it searches with globs, line by line, and writes UTF-8 into HTML unescaped.
UNFIT = re.compile('[\x00-\x1f\x7f-\x9f*?\\[\\]<>"\\\\`\ud800-\udfff]')
TIME_BYTES = 200  # of a timestamp.txt


class GradebookError(RuntimeError):
    """The gradebook cannot be used; the message says why, in a sentence."""


@dataclass
class Entry:
    """One student's way through the grading."""

    student: str
    path: Path
    submission: Submission | None = None
    task: Task | None = None
    key: str = ""
    run: Run | None = None
    grade: Grade | None = None
    problem: str = ""  # why there is no grade

    @property
    def problems(self) -> list[str]:
        """Why a person should look at this one: it was not graded, or not all of it could be run or judged."""
        found = [self.problem] if self.problem else []
        if self.grade is None:
            return found
        found += [line for line in self.grade.problems if line != UNPROTECTED]
        unjudged = [
            name for name, v in self.grade.verdicts.items() if any(f.code == "needs_a_person" for f in v.findings)
        ]
        return found + [f"{name}: the grader could not judge this answer by itself" for name in unjudged]


@dataclass
class Class:
    lab: Lab
    course: Path
    entries: list[Entry] = field(default_factory=list)
    store: Store | None = None
    reran: int = 0


def find_submissions(folder: Path, lab: Lab) -> dict[str, Path]:
    """Student -> notebook. nbgrader's layout `STUDENT/LAB/LAB.ipynb`, or a flat folder of notebooks named by student.

    Who would have the same id as somebody else stays under a name that is none; `open_class` says so.

    Raises:
        FileNotFoundError: no notebook in either layout.
    """
    found: dict[str, Path] = {}
    people = [p for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")] if folder.is_dir() else []
    for student in sorted(people):
        notebooks = sorted(p for p in (student / lab.name).glob("*.ipynb") if not p.name.startswith("."))
        if notebooks:
            named = [p for p in notebooks if p.stem == lab.name]
            found[student.name] = (named or notebooks)[0]
    if not found and folder.is_dir():
        found = {path.stem: path for path in sorted(folder.glob("*.ipynb")) if not path.name.startswith(".")}
    if not found:
        raise FileNotFoundError(
            f"no submission in {folder}: expected STUDENT/{lab.name}/{lab.name}.ipynb, or STUDENT.ipynb"
        )
    ids = {name: student_id(name, flat=path.parent == folder) for name, path in found.items()}
    claims = Counter(ids.values())
    return {ids[name] if claims[ids[name]] == 1 or ids[name] == name else name: path for name, path in found.items()}


def student_id(name: str, flat: bool) -> str:
    """A folder's name as it is, if nbgrader can have it; a file's name always in its plainest form."""
    return STUDENT.sub("_", name) if flat or UNFIT.search(name) else name


def open_class(lab: Lab, folder: Path, course: Path, store: Path | None = None) -> Class:
    """Read and repair every submission. One that cannot be read costs nobody else anything."""
    versions = {entry.name: entry.version for entry in load(lab.short)}
    room = Class(lab, course, store=Store(store or course / "store", versions))
    secret = read_secret()
    for student, path in track_students(find_submissions(folder, lab).items(), "reading submissions"):
        flat = path.parent == folder
        entry = Entry(plain(student), path)
        try:
            if (taken := student_id(student, flat)) != student:
                raise NotANotebook(f"{plain(student)} would have the id {taken}, as another has: rename one of them")
            if not path.resolve().is_relative_to(
                (folder if flat else folder / path.relative_to(folder).parts[0]).resolve()
            ):
                raise NotANotebook(f"{plain(path.name)} is a link to a file that is not this student's")
            entry.submission = open_submission(path, lab)
            entry.task = make_task(entry.submission, secret)
            entry.key = task_key(entry.task)
        except NotANotebook as error:
            entry.problem = str(error)
        except Exception as error:  # a notebook that our own repair cannot digest is a problem of this student alone
            entry.problem = f"{plain(path.name)} could not be read ({type(error).__name__}: {plain(str(error))[:200]})"
        room.entries.append(entry)
    return room


def track_students(items, what: str, total: int | None = None):
    """A progress bar on the terminal, gone when it is done; where output goes to a file, there is none."""
    console = Console(stderr=True)
    total = len(items) if total is None else total
    return track(
        items, what, total=total, disable=not total or not console.is_terminal, console=console, transient=True
    )


@contextlib.contextmanager
def counting(what: str, folder: Path, pattern: str, total: int) -> Iterator[None]:
    """The same for a program that writes one file a student: the files that are newer than now are counted."""
    console, began, over = Console(stderr=True), time.time(), threading.Event()
    if not console.is_terminal:
        yield
        return

    def count() -> None:
        while not over.wait(0.5):
            with contextlib.suppress(OSError):  # a file that is being replaced
                bar.update(task, completed=sum(path.stat().st_mtime >= began for path in folder.glob(pattern)))

    with Progress(console=console, transient=True) as bar:
        task = bar.add_task(what, total=total)
        counter = threading.Thread(target=count, daemon=True)
        counter.start()
        try:
            yield
        finally:
            over.set()
            counter.join()


def run_class(room: Class, protected: bool, scheduler: str | None = None, workers: int | None = None) -> None:
    """Run what the store does not have.

    Raises:
        SandboxError: bubblewrap is missing or may not start, and `protected`.
    """
    if protected:
        require_bubblewrap()
    by_key: dict[str, list[Entry]] = {}
    for entry in room.entries:
        if entry.task is not None and not room.store.holds(entry.key, protected):
            by_key.setdefault(entry.key, []).append(entry)
    tasks = {key: entries[0].task for key, entries in by_key.items()}
    room.reran = len(tasks)
    runs = run_all(tasks, Limits(), protected, scheduler, workers)
    for key, result in track_students(runs, f"running {len(tasks)} notebooks", len(tasks)):
        if isinstance(result, Exception):
            why = f"{type(result).__name__}: {' '.join(str(result).split())[:300]}"
            for entry in by_key[key]:
                entry.problem = f"the machine failed twice on this notebook ({why}); run the command again"
        else:
            room.store.save(key, result)


def judge_class(room: Class) -> None:
    """Judge stored evidence. Nothing is run."""
    secret = read_secret()
    for entry in track_students(room.entries, "judging"):
        if entry.submission is None:
            continue
        if stale := room.store.stale(entry.key):
            names = ", ".join(f"{name} (version {then}, now {now})" for name, (then, now) in stale.items())
            entry.problem = f"stored evidence is stale, because probes have changed: {names}. `autograder grade` runs it again; until then the gradebook keeps the old scores."
            continue
        try:
            run = room.store.load(entry.key)
        except KeyError:
            entry.problem = entry.problem or "no stored run; use `autograder grade`"
            continue
        entry.grade = judge_run(entry.submission, run, secret)
        entry.run = replace(run, evidence={}, outputs={})  # a class of thousands has to fit into memory


def gradebook_url(course: Path) -> str:
    """nbgrader's gradebook: `LAB_GRADEBOOK`, such as postgresql+psycopg://user@host/course, or SQLite in the course."""
    return os.environ.get("LAB_GRADEBOOK") or f"sqlite:///{course / 'gradebook.db'}"


def gradebook_name(course: Path) -> str:
    """The gradebook's address for people: without a password."""
    return make_url(gradebook_url(course)).render_as_string(hide_password=True).removeprefix("sqlite:///")


@contextlib.contextmanager
def open_gradebook(course: Path) -> Iterator[Any]:
    """nbgrader's gradebook.

    Raises:
        GradebookError: no such server or database, or not a gradebook.
    """
    from nbgrader.api import Gradebook
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with Gradebook(gradebook_url(course), "guidance-labs") as book:
            yield book
    except SQLAlchemyError as error:
        why = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise GradebookError(f"the gradebook cannot be read: {why}") from error


def has_gradebook(course: Path) -> bool:
    url = gradebook_url(course)
    return not url.startswith("sqlite:///") or Path(url.removeprefix("sqlite:///")).exists()


@contextlib.contextmanager
def alone(course: Path) -> Iterator[int]:
    """Nobody else writes this course's grades meanwhile. The lock is a file's; nbgrader inherits it, so a killed run's child keeps it.

    Raises:
        GradebookError: somebody does.
    """
    with (course / ".grading.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise GradebookError(
                f"another grading run is writing the grades of {course}, or what is left of a killed one; "
                "nothing was written. Everything that was run is stored: give the same command again when it is done"
            ) from None
        yield file.fileno()


def keep_in_nbgrader(room: Class, protected: bool, feedback: bool = True) -> tuple[list[str], bool]:
    """nbgrader's own commands: the gradebook, then feedback pages.

    Returns:
        What went wrong, a line each; and whether every grade reached the gradebook.

    Raises:
        GradebookError: it cannot be read or written, or another run is writing it.
    """
    with alone(room.course) as lock:
        return write_grades(room, protected, feedback, lock)


def write_grades(room: Class, protected: bool, feedback: bool, lock: int) -> tuple[list[str], bool]:
    for name in ("submitted", "autograded", "feedback"):  # before anything of a student lies in there
        (room.course / name).mkdir(mode=0o700, exist_ok=True)
    lay_out(room)
    staged = room.course / f".staged-{room.lab.name}"
    shutil.rmtree(staged, ignore_errors=True)  # of a run that was killed
    problems = stage(room, staged)
    flags = [
        f"--CourseDirectory.submitted_directory={staged.name}",
        f"--Sandboxed.store={room.store.folder}",
        f"--Sandboxed.sandbox={'bwrap' if protected else 'none'}",
    ]
    looked = set()
    if has_gradebook(room.course):
        with open_gradebook(room.course) as book:
            problems += old_scores(room, book)
            forget_times(room, book, staged)
            looked = by_hand.remember(book, room.lab.name, room.course, room.store.folder)
    graded = [entry.student for entry in room.entries if entry.grade is not None]

    def for_each_student(command: str, what: str, folder: str, pattern: str, lost: str) -> bool:
        began = staged.stat().st_mtime  # what is older was there before
        with counting(what, room.course / folder, f"*/{room.lab.name}/{pattern}", len(graded)):
            nbgrader(room.course, room.lab, command, *flags, keep_open=lock)
        failed = [
            student
            for student in graded
            if not any(
                page.stat().st_mtime >= began for page in (room.course / folder / student / room.lab.name).glob(pattern)
            )
        ]
        problems.extend(f"{student}: nbgrader {command} failed; {lost}" for student in failed)
        return not failed

    made = nbgrader(room.course, room.lab, "generate_assignment", *flags, keep_open=lock)
    if "Cannot add or remove cells" in made.stderr:
        problems.append(
            f"{room.lab.name} has other locked cells than when grading began; nbgrader's own list of cells stays as it was"
        )
    elif made.returncode != 0:
        words = (made.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise GradebookError(f"nbgrader generate_assignment failed, so no grade was written: {words[:500]}")
    old = "scores in the gradebook, if any, are old"
    whole = for_each_student("autograde", "keeping scores", "autograded", "*.ipynb", old)
    if looked:
        with open_gradebook(room.course) as book:
            by_hand.put_back(book, room.lab.name, room.course, room.store.folder, looked)
    if feedback:
        for_each_student("generate_feedback", "feedback pages", "feedback", "*.html", "there is no feedback page")
    shutil.rmtree(staged)
    for private in (
        room.course / "gradebook.db",
        *(room.course / d for d in ("submitted", "autograded", "feedback", "report")),
    ):
        if private.exists():
            private.chmod(0o700 if private.is_dir() else 0o600)
    return problems, whole


def forget_times(room: Class, book: Any, staged: Path) -> None:
    """Who has no time of arrival now is not late: nbgrader would keep an earlier run's."""
    from nbgrader.api import MissingEntry

    for entry in room.entries:
        if entry.grade is not None and not (staged / entry.student / room.lab.name / "timestamp.txt").exists():
            with contextlib.suppress(MissingEntry):
                book.find_submission(room.lab.name, entry.student).timestamp = None
    book.db.commit()


def nbgrader(
    course: Path, lab: Lab, command: str, *flags: str, keep_open: int | None = None
) -> subprocess.CompletedProcess:
    """One of nbgrader's commands on a lab of a course. `keep_open`: a descriptor that it holds while it runs."""
    places = [
        f"--CourseDirectory.root={course}",
        f"--CourseDirectory.source_directory={ROOT / 'solutions'}",
        f"--CourseDirectory.release_directory={course / 'release'}",
    ]
    return subprocess.run(
        [sys.executable, "-m", "nbgrader", command, lab.name, "--force", "--log-level=ERROR", *places, *flags],
        cwd=ROOT,
        capture_output=True,
        text=True,
        pass_fds=() if keep_open is None else (keep_open,),
        # The gradebook's address may hold a password: it goes by the environment, where other users cannot read it.
        env=with_bin_on_path() | {"LAB_GRADEBOOK": gradebook_url(course)},
    )


def old_scores(room: Class, book: Any) -> list[str]:
    """Students who have scores in the gradebook from an earlier run, and no grade in this one."""
    from nbgrader.api import MissingEntry

    lines: list[str] = []
    for entry in room.entries:
        if entry.grade is None:
            try:
                score = book.find_submission(room.lab.name, entry.student).score
            except MissingEntry:
                continue
            lines.append(f"{entry.student}: not graded now; the {score:g} points in the gradebook are old")
    return lines


def lay_out(room: Class) -> None:
    """Copy readable submissions to where formgrader looks, under their proper names, unless they lie there already."""
    submitted = room.course / "submitted"
    for entry in room.entries:
        if entry.submission is None or entry.path.resolve().is_relative_to(submitted.resolve()):
            continue
        target = submitted / entry.student / room.lab.name / f"{room.lab.name}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(entry.path, target)
        (target.parent / "timestamp.txt").unlink(missing_ok=True)  # of an earlier attempt
        if stamp := stamp_of(entry):  # for late penalties
            shutil.copy(stamp, target.parent)


def stamp_of(entry: Entry) -> Path | None:
    """The file with the time of arrival, if it is one: what a link beside a notebook points to is not the student's."""
    stamp = entry.path.parent / "timestamp.txt"
    return stamp if stamp.is_file() and not stamp.is_symlink() else None


def stage(room: Class, folder: Path) -> list[str]:
    """What nbgrader gets to see: of each graded student one notebook, tidy, and the time of arrival if it is one.

    A pipe, a link, a file that lies beside or an old encoding would stop it, or be copied to what students get back.
    Returns what was left out, a line each.
    """
    from nbgrader.utils import parse_utc

    problems = []
    folder.mkdir(mode=0o700)
    for entry in room.entries:
        if entry.grade is None:
            continue
        place = folder / entry.student / room.lab.name
        place.mkdir(parents=True)
        notebook = nbformat.writes(open_notebook(entry.path)[0])
        (place / f"{room.lab.name}.ipynb").write_text(notebook, encoding="utf-8")
        if stamp := stamp_of(entry):
            try:
                with stamp.open(encoding="utf-8") as file:
                    arrival = file.read(TIME_BYTES).strip()
                parse_utc(arrival)
            except (OSError, ValueError, OverflowError):
                problems.append(f"{entry.student}: its timestamp.txt holds no time; it counts as handed in in time")
            else:
                (place / "timestamp.txt").write_text(arrival + "\n", encoding="utf-8")
    return problems


def print_class(room: Class, console: Console | None = None) -> None:
    """Student by exercise, then every finding in words."""
    console = console or Console(width=max(Console().width, 140) if not sys.stdout.isatty() else None)
    automatic = [entry for entry in load(room.lab.short) if not entry.manual]
    table = Table(title=f"{room.lab.name}: automatic points", title_justify="left")
    table.add_column("student", no_wrap=True, max_width=48)
    for entry in automatic:
        table.add_column(entry.name.split(".")[1].replace("_", "\n"), justify="right")
    table.add_column("total", justify="right")
    for row in room.entries:
        if row.grade is None:
            table.add_row(escape(row.student), *["–"] * len(automatic), "–", style="red")
            continue
        cells = [f"{row.grade.verdicts[e.name].points:g} / {e.points:g}" for e in automatic]
        table.add_row(escape(row.student), *cells, f"{row.grade.points:g} / {row.grade.max_points:g}")
    console.print(table)
    for row in room.entries:
        lines = [row.problem] if row.problem else []
        if row.grade is not None:
            for name, verdict in row.grade.verdicts.items():
                lines += [f"{name}: {finding.code}. {finding.message}" for finding in verdict.findings]
            lines += [f"repaired: {line}" for line in row.grade.repairs] + row.grade.problems
        if lines:
            console.print(f"\n[bold]{escape(row.student)}[/bold]")
            for line in dict.fromkeys(lines):
                console.print(f"  {line}", markup=False, highlight=False)
