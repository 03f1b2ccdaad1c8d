"""What commands print in the terminal: one function for each kind of result."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from autograder import ROOT

if TYPE_CHECKING:  # this module must be quick to import
    from autograder.course.publish import Release
    from autograder.exports.export_grades import ExportResult
    from autograder.grading import GradedClass
    from autograder.intake.collect_log import Collected
    from autograder.intake.repair import Submission
    from autograder.judging.class_run import ClassRun, StudentRun
    from autograder.judging.grade import Grade
    from autograder.running.machine import Guarantee
    from autograder.validation.kill_matrix import MatrixRow
    from autograder.validation.reach.tables import Comparison

SHOWN = 12  # feedback pages, and students, that are named at the end of a run


def print_json(document: dict) -> None:
    """Print a document as JSON."""
    print(json.dumps(document, indent=1, ensure_ascii=False))


def print_written(place: Path) -> None:
    """Name a file that was written."""
    print(f"written: {place}")


# One notebook


def print_grade(grade: Grade, console: Console | None = None) -> None:
    """Print points and findings of each exercise, then repairs and problems."""
    console = console or Console()
    document = grade.to_json()
    table = Table(title=f"{grade.lab}: {grade.points:g} of {grade.max_points:g} automatic points", title_justify="left")
    table.add_column("exercise", no_wrap=True)
    table.add_column("points", justify="right", no_wrap=True)
    table.add_column("findings", overflow="fold")
    for name, row in document["exercises"].items():
        points = "by hand" if row["manual"] else f"{row['points']:g}"
        found = "\n".join(f"{f['code']}: {f['message']}" for f in row["findings"])
        table.add_row(
            name,
            f"{points} / {row['max_points']:g}",
            escape(found),
            style=None if row["manual"] or row["findings"] else "green",
        )
    console.print(table)
    for line in grade.repairs:
        console.print(f"repaired: {line}", markup=False)
    for line in grade.problems:
        console.print(f"problem: {line}", markup=False)


def print_repairs(name: str, submission: Submission) -> None:
    """Print which lab and release a notebook belongs to, and what was repaired."""
    print(f"{name} is a notebook of {submission.lab.name}, release {submission.release}.")
    for line in submission.repairs or ["Nothing is damaged."]:
        print(f"  {line}")


# The machine


def print_guarantees(rows: list[Guarantee], console: Console | None = None) -> None:
    """Print which guarantees this machine gives, by what, and what follows where one is missing."""
    table = Table(title="What this machine guarantees when it runs submissions", title_justify="left", show_lines=True)
    for column in ("guarantee", "given", "by", "what follows where it is missing"):
        table.add_column(column, overflow="fold")
    for row in rows:
        style = None if row.given else "yellow"
        table.add_row(
            escape(row.name), "yes" if row.given else "no", escape(row.by), escape(row.otherwise), style=style
        )
    (console or Console()).print(table)


# A class


def print_collected(result: Collected, target: Path, times: Path | None = None, timezone: str = "UTC") -> None:
    """Print what was accepted and what was skipped, with the reasons.

    Args:
        result: What `collect` returned.
        target: The folder with the submissions.
        times: The table with the times, if one was given.
        timezone: The zone of times without one.
    """
    print(f"The names in the archive are those of {result.layout}.")
    for line in result.accepted:
        print(f"  accepted  {line}")
    for line in result.skipped:
        print(f"  skipped   {line}")
    for line in result.notes:
        print(f"  note      {line}")
    print(f"{len(result.accepted)} accepted, {len(result.skipped)} skipped; the accepted ones are in {target}")
    for name, students in sorted(result.labs.items()):
        print(f"  {name}: {len(students)} student{'' if len(students) == 1 else 's'}")
    if missing := result.missing:
        print(
            f"Nothing could be accepted from {len(missing)} student{'' if len(missing) == 1 else 's'}, "
            f"so they will not be graded: {', '.join(missing)}"
        )
    if times is not None and result.untimed:
        print(f"{times.name} has no readable time for {', '.join(sorted(result.untimed))}, so no late penalty applies")
    if result.local_times:
        print(f"The LMS writes times without their zone; they were read as {timezone} (see --timezone)")


def print_class(class_run: ClassRun, console: Console | None = None) -> None:
    """Print a table of students and exercises, then every finding in words."""
    from autograder.judging.grade import UNPROTECTED
    from utils.checks.exercise import load

    console = console or Console(width=max(Console().width, 140) if not sys.stdout.isatty() else None)
    automatic = [entry for entry in load(class_run.lab.short) if not entry.manual]
    table = Table(title=f"{class_run.lab.name}: automatic points", title_justify="left")
    table.add_column("student", no_wrap=True, max_width=48)
    for entry in automatic:
        table.add_column(entry.name.split(".")[1].replace("_", "\n"), justify="right")
    table.add_column("total", justify="right")
    for row in class_run.students:
        if row.grade is None:
            table.add_row(escape(row.student), *["–"] * len(automatic), "–", style="red")
            continue
        cells = [f"{row.grade.verdicts[e.name].points:g} / {e.points:g}" for e in automatic]
        table.add_row(escape(row.student), *cells, f"{row.grade.points:g} / {row.grade.max_points:g}")
    console.print(table)
    lines = {row.student: student_lines(row) for row in class_run.students}
    for student, words in lines.items():
        if shown := [line for line in words if line != UNPROTECTED]:
            console.print(f"\n[bold]{escape(student)}[/bold]")
            for line in shown:
                console.print(f"  {line}", markup=False, highlight=False)
    if unprotected := sum(UNPROTECTED in words for words in lines.values()):  # once, and not for each student
        console.print(
            f"\n{unprotected} of {len(lines)} notebooks were run unprotected, without a sandbox. "
            "Before you grade real submissions, run `make sandbox`.",
            highlight=False,
        )


def student_lines(row: StudentRun) -> list[str]:
    """Return everything that is to be said of one student, each sentence once."""
    lines = [row.problem] if row.problem else []
    if row.grade is not None:
        for name, verdict in row.grade.verdicts.items():
            lines += [f"{name}: {finding.code}. {finding.message}" for finding in verdict.findings]
        lines += [f"repaired: {line}" for line in row.grade.repairs]
        lines += [*row.grade.problems, *row.grade.faults]
    return list(dict.fromkeys(lines))


def print_graded(result: GradedClass) -> None:
    """Print what a grading run did, where its pages are, and what is left to do."""
    run = result.class_run
    print(f"\n{result.graded} of {len(run.students)} submissions graded, {run.run_now} of them run now, "
          "the rest from the store.")  # fmt: skip
    for problem in result.problems:
        print(problem, file=sys.stderr)
    if result.report is not None:
        print("\nOpen these:")
        print(f"  report     {result.report}")
        print(f"  gradebook  {result.gradebook}")
        for page in result.pages[:SHOWN]:
            print(f"  feedback   {page}")
        if len(result.pages) > SHOWN:
            print(f"  and {len(result.pages) - SHOWN} more in {run.course / 'feedback'}")
    if result.extended:
        given = [f"{student} (+{time / timedelta(hours=1):g} h)" for student, time in result.extended.items()]
        print(f"Extensions: {', '.join(given[:SHOWN])}{' and more' if len(given) > SHOWN else ''}")
    if lines := manual_work(result):
        print("\nLeft for a person:")
        for line in lines:
            print(f"  {line}")


def manual_work(result: GradedClass) -> list[str]:
    """Return what a person has to do next, a line each."""
    lines = []
    if look := result.look:
        more = f" and {len(look) - SHOWN} more" if len(look) > SHOWN else ""
        lines.append(
            f"look at {len(look)} that could not be run or graded as a whole: {', '.join(look[:SHOWN])}{more}; "
            "the reason is printed above and in the report"
        )
    if result.waiting:
        course = result.class_run.course
        where = course.relative_to(ROOT) if course.is_relative_to(ROOT) else course
        command = "make course" if course == ROOT else f"make course COURSE={where}"
        answers, students = sum(result.waiting.values()), len(result.waiting)
        lines.append(f"grade {count(answers, 'written answer')} of {count(students, 'student')}: {command}")
    if result.changed:
        who = ", ".join(result.changed)
        lines.append(f"look again at notebooks that were submitted again after a person had graded them: {who}")
    return lines


def print_verified(folder: Path, runs: int, damaged: dict[str, str]) -> None:
    """Print which stored runs are damaged, and what to do.

    Args:
        folder: The store.
        runs: The number of stored runs.
        damaged: Why each damaged run is, by its key.
    """
    for key, why in damaged.items():
        print(f"  damaged: {key[:2]}/{key}: {why}")
    print(f"{count(runs, 'stored run')} in {folder}, {len(damaged)} damaged")
    if damaged:
        print("`autograder grade` runs these again. If a disk is failing, move the course to another one first.")


def print_pruned(folder: Path, runs: int) -> None:
    """Print how many runs were removed."""
    print(f"{count(runs, 'run')} removed from {folder}")


def print_exported(result: ExportResult, to: str) -> None:
    """Print what was exported, and what the instructor should know about it.

    Args:
        result: What `export_grades` returned.
        to: What was exported, such as "csv".
    """
    if to == "gradescope-autograder":
        print(f"written: {result.target}")
        print("It contains the answers and a secret, so upload it to Gradescope and share it with no one else.")
        return
    for student in result.unmatched:
        print(f"  not in the roster: {student}")
    for line in result.left_out:
        print(f"  left out: {line}")
    print(f"written: {result.target}, {result.students} student{'' if result.students == 1 else 's'}")
    if result.waiting:
        print(
            f"{len(result.waiting)} of them have written answers without a grade; these count as 0 points until then."
        )
    if result.changed:
        print(
            f"Submitted again after manual grading, so the manual points are old: {', '.join(result.changed)}. "
            "Review them in formgrader and export again."
        )


# Labs


def print_built(changed: list[Path], check: bool) -> None:
    """Name the notebooks that were written, or that are stale."""
    if not changed:
        print("all notebooks are fresh")
    for path in changed:
        print(f"{'stale' if check else 'written'}: {path.relative_to(ROOT)}")


def print_executed(place: Path, budget: str) -> None:
    """Name the notebook that was executed."""
    print(f"executed {place.relative_to(ROOT)} at the budget {budget}")


def print_released(release: Release) -> None:
    """Print where the release lies, where to publish it, and its sizes."""
    print(f"released to {release.folder}; publish it at {release.address}")
    for entry in sorted(release.folder.iterdir()):
        files = [path for path in (entry, *entry.rglob("*")) if path.is_file()]
        size = sum(path.stat().st_size for path in files) / 1024
        what = f"{entry.name}, " if entry.is_file() else f"{entry.name}/, {len(files)} files, "
        print(f"  {what}{size:,.0f} KB")


# The kill matrix


def print_matrix(rows: Iterable[MatrixRow]) -> list[MatrixRow]:
    """Print rows as they come, and return them. Of the generic changes only those that stand out get a line."""
    from autograder.validation.honesty import summary_of

    exercise = None
    printed: list[MatrixRow] = []
    for row in rows:
        if row.exercise != exercise:
            print_exercise_summary(printed, exercise)
            exercise = row.exercise
            print(f"\n{exercise}")
        printed.append(row)
        if row.kind == "generic" and row.ok and not row.equivalent and row.caught == row.challenges:
            continue
        mark, kind = "✓" if row.ok else "✗", "right" if row.right else row.kind or "wrong"
        found = ", ".join(sorted(row.findings, key=lambda code: -row.findings[code])) or "accepted"
        if row.challenges:
            print(f"  {mark} {kind:<7} {row.name:<34} {row.good}/{row.challenges}  {found}{remark(row)}", flush=True)
        else:
            print(f"  {mark} {kind:<7} {row.name}", flush=True)
        for miss in dict.fromkeys(row.misses):
            print(f"          {miss}")
        for note in row.notes:
            print(f"          note: {note}")
    print_exercise_summary(printed, exercise)
    print(f"\n{count(sum(row.kind != 'gap' for row in printed), 'answer')}, {summary_of(printed)}")
    return printed


def remark(row: MatrixRow) -> str:
    """Return what is special about a row, in parentheses."""
    from autograder.validation.honesty import check_in_words

    if row.equivalent:
        return f"  (equivalent: {row.equivalent})"
    special = [] if row.right else [check_in_words(row)]
    if not row.right and row.challenges and 0 < row.caught < row.challenges:
        special.append(f"caught in {row.caught / row.challenges:.1%} of submissions")
    return "".join(f"  ({words})" for words in special if words)


def print_reach(comparisons: Iterable[Comparison]) -> list[Comparison]:
    """Print the inputs of labs and probes side by side, exercise by exercise, and return the comparisons."""
    from autograder.validation.reach.text import lines_of

    printed = []
    for comparison in comparisons:
        printed.append(comparison)
        print("\n".join(lines_of(comparison)), flush=True)
    gaps = sum(len(comparison.open) + len(comparison.closed) for comparison in printed)
    accepted = sum(len(comparison.gaps) - len(comparison.open) for comparison in printed)
    print(f"\n{count(len(printed), 'exercise')}, {count(gaps, 'gap')}, {accepted} accepted with a reason")
    return printed


def print_exercise_summary(rows: list[MatrixRow], exercise: str | None) -> None:
    """Print what the rows of one exercise add up to."""
    from autograder.validation.honesty import passes_and_loses
    from autograder.validation.kill_matrix import chance_of_refusal

    mine = [row for row in rows if row.exercise == exercise]
    if not mine:
        return
    generic = [row for row in mine if row.kind == "generic" and row.challenges]
    if generic:
        caught, same = sum(row.caught > 0 for row in generic), sum(bool(row.equivalent) for row in generic)
        print(f"  {len(generic)} generic changes: {caught} caught, {same} equivalent")
    for row in filter(passes_and_loses, mine):
        print(f"  the check passes, and points are lost: {row.name} ({', '.join(row.findings)})")
    if chance := chance_of_refusal(mine).get(str(exercise), 0.0):
        print(f"  the probability of rejecting a right answer is at most {chance:.0e}")
    else:
        print("  no test of this exercise is random")


def count(number: int, thing: str) -> str:
    """Return `1 student`, `2 students`, `2 misses`."""
    return f"{number} {thing}" + ("" if number == 1 else "es" if thing.endswith("s") else "s")


def print_scaffold(files: list[Path], exercise: str) -> None:
    """Print the files of a new exercise or lab, and the commands to run next."""
    for path in dict.fromkeys(files):
        print(f"written: {path.relative_to(ROOT) if path.is_relative_to(ROOT) else path}")
    lab, _, name = exercise.partition(".")
    print(f"Next: autograder build {lab} && autograder validate {lab} --only {name}")
    print(f"      pytest tests/exercises/{lab}/test_{name}.py")
