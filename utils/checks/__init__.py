"""`check("lab4.cfg_train_loss")`: run your answer on fixed inputs and hear what stands out.

The grader looks closer than this, with other inputs: a check that passes is a good sign, not a grade.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise, find, load, run_probe
from utils.checks.judging import Verdict, judge_with

__all__ = ["check", "check_all", "graded"]

JUDGE_GROUP = "guidance_labs.judge"  # of entry points

# Set by the grader's runner: gives a challenge by exercise, and takes the evidence.
_grader: tuple[Callable[[str], Challenge], Callable[[Evidence], None]] | None = None


def check(name: str) -> None:
    """Check one exercise in this notebook and print what was found.

    Args:
        name: such as "lab4.cfg_train_loss".

    Raises:
        KeyError: no such exercise.
    """
    entry = find(name)
    if entry.manual:
        print(f"· {name} is a written answer ({entry.points:g} points); a person reads it.")
        return
    print(describe(entry, public_verdict(entry, notebook_names())))


def public_verdict(entry: Exercise, namespace: Mapping[str, object]) -> Verdict:
    challenge = Challenge.public(entry.name)
    return judge_with(entry.public, challenge, run_probe(entry, namespace, challenge))


def check_all(lab: str) -> None:
    """Every exercise of a lab in one table; then what is open or damaged in this notebook, and how to hand in."""
    namespace = notebook_names()
    good = possible = 0.0
    for entry in load(lab):
        if entry.manual:
            print(f"·  {entry.name:<28} {entry.points:g} points, read by a person")
            continue
        verdict = public_verdict(entry, namespace)
        passed = verdict.points == verdict.max_points
        possible += entry.points
        good += entry.points if passed else 0
        state = "check passes" if passed else ", ".join(f.code for f in verdict.findings) or "check fails"
        print(f"{'✓' if passed else '✗'}  {entry.name:<28} {entry.points:g} points, {state}")
    print(f"\nChecks pass for exercises worth {good:g} of {possible:g} automatic points.")
    from utils.submission import grading, inspect

    if not grading() and inspect(lab) is not None:
        print(
            f'To hand in: save the notebook, run `make_submission("{lab.split("_")[0]}")`, and upload the zip it writes.'
        )


def describe(entry: Exercise, verdict: Verdict) -> str:
    if not verdict.findings:
        return f"✓ {entry.name}: the check passes. The grader will look closer."
    lines = [
        f"✗ {entry.name}" if verdict.points < verdict.max_points else f"✓ {entry.name}: the check passes, with a remark"
    ]
    return "\n".join(lines + [f"   {finding.code}: {finding.message}" for finding in verdict.findings])


def graded(name: str) -> float | None:
    """The grader's entry, called in test cells. In the sandbox it hands over evidence; nothing is judged there.

    Under plain `nbgrader autograde` it judges in this very process and returns the points, nbgrader's partial credit.
    """
    entry = find(name)
    namespace = notebook_names()
    if _grader is not None:
        challenge_of, hand_over = _grader
        hand_over(run_probe(entry, namespace, challenge_of(name)))
        return None
    return find_judge()(entry, namespace)


def find_judge() -> Callable[[Exercise, Mapping[str, object]], float]:
    """Return the function that judges an exercise in this process.

    The package with the verdicts announces it as an entry point of the group `guidance_labs.judge`; in a checkout that is
    not installed, the `pyproject.toml` beside `utils` does.

    Raises:
        RuntimeError: there is none. A test cell that raised no error would earn full points.
    """
    points = [*entry_points(group=JUDGE_GROUP), *checkout_entry_points()]
    cause: Exception | None = None
    for point in points:
        try:
            return point.load()
        except (ImportError, AttributeError) as error:
            cause = error
    raise RuntimeError("grading needs the package `autograder`, and this environment does not have it") from cause


def checkout_entry_points() -> list[EntryPoint]:
    """Return the entry points that the `pyproject.toml` beside `utils` announces; none if there is no such file."""
    try:
        project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        announced = project["entry-points"][JUDGE_GROUP]
        return [EntryPoint(name, value, JUDGE_GROUP) for name, value in announced.items()]
    except (OSError, ValueError, KeyError):
        return []


def notebook_names() -> Mapping[str, object]:
    """The names of the running notebook; outside of one, those of the script that calls."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is not None:
        return shell.user_ns
    frame = sys._getframe(1)
    while frame.f_globals.get("__name__", "").startswith("utils.checks") and frame.f_back:
        frame = frame.f_back
    return frame.f_globals
