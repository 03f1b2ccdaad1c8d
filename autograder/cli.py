"""`autograder`: the command line. Every command says what it did, and exits with 0, 1 (a miss), 2 (bad input) or 3 (no sandbox)."""

from __future__ import annotations

import argparse
import json
import os
import sys
from itertools import chain
from pathlib import Path

SHOWN = 12  # feedback pages named at the end of a run


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="autograder", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    one = commands.add_parser("grade-one", help="grade one notebook, without a course directory")
    one.add_argument("notebook", type=Path)
    one.add_argument("--lab", help="which lab it is; found from the notebook otherwise")
    one.add_argument("--json", action="store_true", help="print JSON instead of a table")
    one.add_argument(
        "--sandbox", choices=("bwrap", "none"), default="bwrap", help="none: unprotected, for harmless notebooks"
    )
    one.set_defaults(run=grade_one)

    doctor = commands.add_parser("doctor", help="what is damaged in a notebook, and what repair makes of it")
    doctor.add_argument("notebook", type=Path)
    doctor.add_argument("--lab", help="which lab it is; found from the notebook otherwise")
    doctor.add_argument("--write", type=Path, metavar="OUT", help="write the repaired notebook, tests left out")
    doctor.set_defaults(run=examine)

    check = commands.add_parser("validate", help="test the grader on wrong and right answers: the kill matrix")
    check.add_argument("lab", nargs="?", help="one lab; all otherwise")
    check.add_argument("--only", help="one exercise, such as cfg_drift")
    check.add_argument("--right", type=int, metavar="N", help="challenges for each right answer (20)")
    check.add_argument("--wrong", type=int, metavar="N", help="challenges for each wrong answer (3)")
    check.add_argument(
        "--full",
        action="store_true",
        help="1,000 challenges for each right answer, 10,000 for a statistical one, 50 for each wrong one, 10 for each "
        "generic change; goes on where it stopped; writes docs/validate (make validate-full)",
    )
    check.add_argument("--minutes", type=float, metavar="M", help="with --full: stop after so long, and report")
    check.add_argument("--generic", action="store_true", help="changes made by a program, too")
    check.add_argument("--sample", type=int, metavar="N", help="only N of each exercise's generic changes")
    check.add_argument("--jobs", type=int, metavar="N", help="processes; with --generic one a core, else 1")
    check.add_argument("--html", type=Path, metavar="FILE", help="write the matrix as a page, too")
    check.set_defaults(run=validate)

    build = commands.add_parser("build", help="regenerate notebooks from their sources (make labs)")
    build.add_argument("--check", action="store_true", help="change nothing; exit 1 if something is stale")
    build.set_defaults(run=build_labs)

    execute = commands.add_parser("execute", help="run an instructor notebook and keep its outputs (make execute)")
    execute.add_argument("lab")
    execute.set_defaults(run=execute_lab)

    release = commands.add_parser("release", help="build what students get: dist/student and the wheel")
    release.set_defaults(run=make_release)

    collect = commands.add_parser("collect", help="take submissions from a zip of Canvas, Moodle or Gradescope")
    collect.add_argument("archive", type=Path)
    collect.add_argument("--lab", help="take only this lab; each notebook says which it is otherwise")
    collect.add_argument(
        "--submissions", type=Path, default=Path("submitted"), metavar="DIR", help="submitted otherwise"
    )
    collect.add_argument("--late", metavar="TIME", help="what Canvas marks LATE came then: '2026-12-01 00:00:00 UTC'")
    collect.add_argument("--times", type=Path, metavar="CSV", help="Moodle's grading worksheet: when each came")
    collect.set_defaults(run=collect_archive)

    grade = commands.add_parser("grade", help="grade a folder of submissions, in parallel; nbgrader keeps the scores")
    add_class_options(grade)
    grade.add_argument(
        "--sandbox", choices=("bwrap", "none"), default="bwrap", help="none: unprotected, for harmless classes"
    )
    grade.add_argument("--scheduler", metavar="ADDRESS", help="a running Dask scheduler; this machine otherwise")
    grade.add_argument("--workers", type=int, metavar="N", help="workers on this machine; one a core otherwise")
    grade.set_defaults(run=grade_class)

    regrade = commands.add_parser("regrade", help="judge stored evidence again, without running a notebook")
    add_class_options(regrade)
    regrade.set_defaults(run=regrade_class)

    report = commands.add_parser("report", help="the class report, a page: scores, findings, repairs, time")
    add_class_options(report, gradebook=False)
    report.add_argument("--anonymous", action="store_true", help="pseudonyms instead of names")
    report.add_argument("--json", action="store_true", help="print JSON instead of writing a page")
    report.add_argument(
        "--out", type=Path, metavar="FILE", help="COURSE/report/LAB.html, or LAB-anonymous.html, otherwise"
    )
    report.set_defaults(run=report_class)

    export = commands.add_parser("export", help="grades for a spreadsheet, Canvas or Gradescope; feedback for an LMS")
    export.add_argument("lab")
    kinds = ("csv", "canvas", "gradescope", "gradescope-autograder", "feedback")
    export.add_argument("--to", choices=kinds, required=True)
    export.add_argument("--course", type=Path, default=Path("."), metavar="DIR", help="the gradebook lies here")
    export.add_argument("--out", type=Path, help="file or folder to write; in the course's `exports` otherwise")
    export.add_argument(
        "--roster", type=Path, metavar="CSV", help="the gradebook that Canvas exported, to be filled in"
    )
    export.add_argument(
        "--archive", type=Path, metavar="ZIP", help="for feedback: what was collected from Canvas or Moodle"
    )
    export.add_argument("--column", metavar="NAME", help="the assignment's name in Canvas; the lab's otherwise")
    export.add_argument(
        "--sandbox", choices=("bwrap", "none"), default="bwrap", help="for gradescope-autograder; none: unprotected"
    )
    export.set_defaults(run=export_grades)

    demo = commands.add_parser("demo", help="the main job on a small sample class (make demo)")
    demo.set_defaults(run=make_demo)

    options = parser.parse_args(arguments)
    if (
        options.command != "execute"
    ):  # judging handles small tensors: threads would wait for each other most of the time
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        return options.run(options)
    except BrokenPipeError:  # whoever read the output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:  # a folder that is not there or not ours, a full disk, no scheduler
        print(f"{error.filename or 'error'}: {error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped." + " The same command goes on where it was." * (options.command == "grade"), file=sys.stderr)
        return 130


def grade_one(options: argparse.Namespace) -> int:
    from autograder.course.labs import find_lab
    from autograder.errors import NoSuchLab, NotANotebook, SandboxError
    from autograder.intake.submission import open_submission
    from autograder.judging.grade import grade_submission
    from autograder.printing import print_grade
    from autograder.running.challenges import read_secret
    from autograder.running.sandbox import Sandbox

    try:
        submission = open_submission(options.notebook, find_lab(options.lab) if options.lab else None)
        with Sandbox(protected=options.sandbox == "bwrap") as sandbox:
            grade = grade_submission(submission, sandbox, read_secret())
    except (NotANotebook, NoSuchLab) as error:
        return refuse(error)
    except SandboxError as error:
        print(error, file=sys.stderr)
        return 3
    if options.json:
        print(json.dumps(grade.to_json(), indent=1, ensure_ascii=False))
    else:
        print_grade(grade)
    return 0


def examine(options: argparse.Namespace) -> int:
    import nbformat

    from autograder.course.labs import find_lab
    from autograder.errors import NoSuchLab, NotANotebook
    from autograder.intake.matching import visible
    from autograder.intake.submission import open_submission

    try:
        submission = open_submission(options.notebook, find_lab(options.lab) if options.lab else None)
    except (NotANotebook, NoSuchLab) as error:
        return refuse(error)
    print(f"{options.notebook.name} is a notebook of {submission.lab.name}, release {submission.release}.")
    for line in submission.repairs:
        print(f"  {line}")
    if not submission.repairs:
        print("  Nothing is damaged.")
    if options.write:
        for cell in submission.notebook.cells:  # a student may see this file: no hidden test goes into it
            cell.source = visible(cell.source).rstrip() if cell.cell_type == "code" else cell.source
        options.write.write_text(nbformat.writes(submission.notebook), encoding="utf-8")
        print(f"written: {options.write}")
    return 0


def validate(options: argparse.Namespace) -> int:
    from autograder.course.labs import find_lab, labs
    from autograder.errors import NoSuchLab
    from autograder.validation.kill_matrix import Row, plan, print_matrix, run, stale_rows
    from autograder.validation.report import write_page
    from utils.checks.exercise import load

    try:
        chosen = [find_lab(options.lab)] if options.lab else labs()
    except NoSuchLab as error:
        return refuse(error)
    names = [e.name for lab in chosen for e in load(lab.short) if not e.manual]
    if options.only and not any(name.endswith(options.only) for name in names):
        return refuse(ValueError(f"there is no exercise '{options.only}'; there are {', '.join(names)}"))
    if options.only and options.full:
        return refuse(ValueError("--full is for all exercises of a lab: leave --only out"))
    if options.full:
        from autograder.validation.long_run import campaign

        full: list[Row] = []
        for lab in chosen:
            rows = campaign(lab, options.right, options.wrong, options.jobs, options.minutes)
            full += rows
            print_matrix(rows)
        if options.html:
            write_page(options.html, full)
        return 0 if full and all(row.ok for row in full) else 1
    jobs = options.jobs or ((os.cpu_count() or 1) if options.generic else 1)
    everything: list[Row] = []
    ok = True
    for lab in chosen:
        tasks = plan(lab, options.right or 20, options.wrong or 3, options.only, options.generic, options.sample)
        outdated = stale_rows(lab, options.only) if options.generic else ()
        ok &= print_matrix(kept(chain(run(tasks, jobs), outdated), everything))
    if options.html:
        write_page(options.html, everything)
        print(f"written: {options.html}")
    return 0 if ok else 1


def kept(rows, into: list):
    """Rows as they come, and a list of them afterwards."""
    for row in rows:
        into.append(row)
        yield row


def build_labs(options: argparse.Namespace) -> int:
    from autograder.course.build import build

    return build(check=options.check)


def execute_lab(options: argparse.Namespace) -> int:
    from autograder.course.build import execute
    from autograder.course.labs import find_lab
    from autograder.errors import NoSuchLab

    try:
        lab = find_lab(options.lab)
    except NoSuchLab as error:
        return refuse(error)
    return execute(lab)


def make_release(options: argparse.Namespace) -> int:
    from autograder.course.publish import release

    return release()


def collect_archive(options: argparse.Namespace) -> int:
    from autograder.course.labs import find_lab
    from autograder.errors import BadArchive, NoSuchLab
    from autograder.intake.collect import collect
    from autograder.printing import print_collected

    try:
        lab = find_lab(options.lab) if options.lab else None
        result = collect(options.archive, options.submissions, lab, options.late, options.times)
    except (BadArchive, NoSuchLab) as error:
        return refuse(error)
    print_collected(result, options.submissions, options.times)
    return 0 if result.accepted else 1


def export_grades(options: argparse.Namespace) -> int:
    from autograder.course.labs import find_lab
    from autograder.errors import BadArchive, ExportError, GradebookError, NoSuchLab
    from autograder.export import export_grades as export
    from autograder.printing import print_exported

    try:
        result = export(
            find_lab(options.lab),
            options.course,
            options.to,
            options.out,
            options.roster,
            options.archive,
            options.column,
            options.sandbox,
        )
    except (BadArchive, ExportError, GradebookError, NoSuchLab) as error:
        return refuse(error)
    print_exported(result, options.to)
    return 0


def add_class_options(command: argparse.ArgumentParser, gradebook: bool = True) -> None:
    command.add_argument("lab")
    command.add_argument("--submissions", type=Path, metavar="DIR", help="COURSE/submitted otherwise")
    command.add_argument(
        "--course", type=Path, default=Path("."), metavar="DIR", help="gradebook, store and pages lie here"
    )
    if gradebook:
        command.add_argument("--no-gradebook", action="store_true", help="leave nbgrader out: table only")
        command.add_argument("--no-feedback", action="store_true", help="write no feedback pages")


def grade_class(options: argparse.Namespace) -> int:
    from autograder.errors import SandboxError
    from autograder.judging.class_run import run_class

    protected = options.sandbox == "bwrap"
    try:
        return work_on_class(
            options, protected, lambda class_run: run_class(class_run, protected, options.scheduler, options.workers)
        )
    except SandboxError as error:
        print(error, file=sys.stderr)
        return 3


def regrade_class(options: argparse.Namespace) -> int:
    return work_on_class(options, True, lambda class_run: None)


def open_class_run(options: argparse.Namespace):
    """The class that the options of a command name.

    Raises:
        NoSuchLab, FileNotFoundError: a sentence for the terminal.
    """
    from autograder.course.labs import find_lab
    from autograder.judging.class_run import open_class

    course = options.course.resolve()
    return open_class(find_lab(options.lab), (options.submissions or course / "submitted").resolve(), course)


def report_class(options: argparse.Namespace) -> int:
    from autograder.errors import NoSuchLab
    from autograder.feedback.class_report import report, write_page
    from autograder.judging.class_run import judge_class
    from autograder.running.challenges import read_secret

    try:
        class_run = open_class_run(options)
    except (NoSuchLab, FileNotFoundError) as error:
        return refuse(error)
    judge_class(class_run)
    document = report(class_run, read_secret() if options.anonymous else None)
    if options.json:
        print(json.dumps(document, indent=1, ensure_ascii=False))
    else:
        feedback = None if options.anonymous else class_run.course / "feedback"
        name = f"{class_run.lab.name}{'-anonymous' * options.anonymous}.html"
        print(write_page(document, options.out or class_run.course / "report" / name, feedback))
    return 0


def work_on_class(options: argparse.Namespace, protected: bool, run) -> int:
    """What grade and regrade share: open, run, judge, print, and hand over to nbgrader."""
    from autograder.errors import ExportError, GradebookError, NoSuchLab
    from autograder.feedback.class_report import report, write_page
    from autograder.gradebook.nbgrader import gradebook_name, has_gradebook, open_gradebook
    from autograder.gradebook.record import record_grades
    from autograder.judging.class_run import judge_class
    from autograder.printing import print_class

    try:
        if not options.no_gradebook and has_gradebook(options.course.resolve()):
            with open_gradebook(options.course.resolve()):  # a wrong address is said now, and not when all has been run
                pass
        class_run = open_class_run(options)
    except (NoSuchLab, FileNotFoundError, GradebookError) as error:
        return refuse(error)
    lab, course = class_run.lab, class_run.course
    run(class_run)
    judge_class(class_run)
    print_class(class_run)
    graded = sum(student_run.grade is not None for student_run in class_run.students)
    print(
        f"\n{graded} of {len(class_run.students)} submissions graded, {class_run.run_now} of them run now, the rest from the store."
    )
    whole = True
    if not options.no_gradebook and graded:
        try:
            problems, whole = record_grades(class_run, protected, not options.no_feedback)
            for problem in problems:
                print(problem, file=sys.stderr)
        except GradebookError as error:
            return refuse(error)
        pages = sorted((course / "feedback").glob(f"*/{lab.name}/*.html"))
        print("\nOpen these:")
        place = write_page(report(class_run), course / "report" / f"{lab.name}.html", course / "feedback")
        print(f"  report     {place}")
        print(f"  gradebook  {gradebook_name(course)}")
        for page in pages[:SHOWN]:
            print(f"  feedback   {page}")
        if len(pages) > SHOWN:
            print(f"  and {len(pages) - SHOWN} more in {course / 'feedback'}")
    try:
        print_what_is_left(class_run, not options.no_gradebook and bool(graded))
    except (ExportError, GradebookError) as error:
        return refuse(error)
    return 0 if graded and whole else 1


def print_what_is_left(class_run, in_gradebook: bool) -> None:
    """What a person has to do next."""
    from autograder import ROOT
    from autograder.gradebook.rows import read_gradebook

    lines = []
    if look := [student_run.student for student_run in class_run.students if student_run.problems]:
        more = f" and {len(look) - SHOWN} more" if len(look) > SHOWN else ""
        lines.append(
            f"look at {len(look)} that could not be run or graded as a whole: {', '.join(look[:SHOWN])}{more}; "
            "why stands above and in the report"
        )
    rows = read_gradebook(class_run.lab, class_run.course) if in_gradebook else []
    if waiting := [len(row.open) for row in rows if row.open]:
        where = class_run.course.relative_to(ROOT) if class_run.course.is_relative_to(ROOT) else class_run.course
        command = "make course" + (f" COURSE={where}" if class_run.course != ROOT else "")
        lines.append(f"grade {sum(waiting)} written answers of {len(waiting)} students: {command}")
    if changed := [row.student for row in rows if row.changed]:
        lines.append(f"look again at what was handed in anew after a person had graded it: {', '.join(changed)}")
    if lines:
        print("\nLeft for a person:")
        for line in lines:
            print(f"  {line}")


def make_demo(options: argparse.Namespace) -> int:
    from autograder.demo import demo

    return demo()


def refuse(error: Exception) -> int:
    print(error.args[0] if len(error.args) == 1 else error, file=sys.stderr)  # str(KeyError) has quotes
    return 2


if __name__ == "__main__":
    sys.exit(main())
