"""A whole class: find submissions, run what has not been run, judge.

The slow part is parallel and resumable; what nbgrader does afterwards replays stored runs."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from autograder.course.labs import Lab
from autograder.errors import NotANotebook
from autograder.intake.repair import Submission
from autograder.intake.submission import open_submission
from autograder.judging.grade import UNPROTECTED, Grade, judge_run, make_task
from autograder.progress import progress
from autograder.running.bubblewrap import require_bubblewrap
from autograder.running.challenges import read_secret
from autograder.running.engine import run_all
from autograder.running.limits import Limits
from autograder.running.passes import Run, Task
from autograder.running.store import Store, task_key
from autograder.text import plain
from utils.checks.exercise import load

STUDENT = re.compile(r"[^\w.@-]+")


# What nbgrader cannot have in a student's id: it searches with globs, line by line, and writes UTF-8 into HTML unescaped.
UNFIT = re.compile('[\x00-\x1f\x7f-\x9f*?\\[\\]<>"\\\\`\ud800-\udfff]')


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
    for student, path in progress(find_submissions(folder, lab).items(), "reading submissions"):
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
    for key, result in progress(runs, f"running {len(tasks)} notebooks", len(tasks)):
        if isinstance(result, Exception):
            why = f"{type(result).__name__}: {' '.join(str(result).split())[:300]}"
            for entry in by_key[key]:
                entry.problem = f"the machine failed twice on this notebook ({why}); run the command again"
        else:
            room.store.save(key, result)


def judge_class(room: Class) -> None:
    """Judge stored evidence. Nothing is run."""
    secret = read_secret()
    for entry in progress(room.entries, "judging"):
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
