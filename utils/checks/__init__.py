"""Check an answer in the notebook, with `check("lab4.cfg_train_loss")`: run it on fixed inputs and print what is wrong.

The grader tests more than this, and with other inputs. A check that passes is a good sign, not a grade.
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
from utils.checks.findings import Verdict
from utils.checks.judging import judge_with

__all__ = ["check", "check_all", "graded", "test"]

JUDGE_GROUP = "guidance_labs.judge"  # of entry points

# Set by the grader's runner: gives a challenge by exercise, and takes the evidence.
_grader: tuple[Callable[[str], Challenge], Callable[[Evidence], None]] | None = None

# What `graded` gave in this process, by exercise, until `test` returns it.
_graded: dict[str, float | None] = {}


def check(name: str) -> None:
    """Check one exercise of this notebook and print the findings.

    Args:
        name: the exercise, such as "lab4.cfg_train_loss".

    Raises:
        KeyError: there is no such exercise.
    """
    entry = find(name)
    if entry.manual:
        print(f"· {name} is a written answer ({entry.points:g} points); a person reads it.")
        return
    print(describe(entry, public_verdict(entry, notebook_names())))


def public_verdict(entry: Exercise, namespace: Mapping[str, object]) -> Verdict:
    """Run an exercise's probe on the public challenge and judge the result by the public check.

    Args:
        entry: an automatic exercise.
        namespace: the notebook's objects by name.

    Returns:
        The verdict.
    """
    challenge = Challenge.public(entry.name)
    return judge_with(entry.public, challenge, run_probe(entry, namespace, challenge))


# What other modules print after `check_all`: each is called with the lab. `utils.submission` adds how to submit.
AFTER_CHECK_ALL: list[Callable[[str], None]] = []


def check_all(lab: str) -> None:
    """Check every exercise of a lab, then print what is open or damaged in this notebook, and how to submit it.

    Args:
        lab: the lab, such as "lab4" or "lab4_mnist_cfg".

    Raises:
        KeyError: there is no such lab.
    """
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
    for add in AFTER_CHECK_ALL:
        add(lab)


def describe(entry: Exercise, verdict: Verdict) -> str:
    """Write a verdict as text.

    Args:
        entry: the exercise.
        verdict: its verdict.

    Returns:
        One line for the exercise, and one for each finding.
    """
    if not verdict.findings:
        return f"✓ {entry.name}: the check passes. The grader will look closer."
    lines = [
        f"✗ {entry.name}" if verdict.points < verdict.max_points else f"✓ {entry.name}: the check passes, with a remark"
    ]
    return "\n".join(lines + [f"   {finding.code}: {finding.message}" for finding in verdict.findings])


def graded(name: str) -> float | None:
    """Grade one exercise; the hidden part of a test cell calls this.

    In the sandbox it only hands over evidence, which is judged outside. Under plain `nbgrader autograde` it judges in
    the same process.

    Args:
        name: the exercise, such as "lab4.cfg_train_loss".

    Returns:
        The points, which nbgrader takes as partial credit; None in the sandbox.

    Raises:
        KeyError: there is no such exercise.
        RuntimeError: the package `autograder` is not installed.
    """
    entry = find(name)
    namespace = notebook_names()
    points = None
    if _grader is not None:
        challenge_of, hand_over = _grader
        hand_over(run_probe(entry, namespace, challenge_of(name)))
    else:
        points = find_judge()(entry, namespace)
    _graded[name] = points
    return points


def test(name: str) -> float | None:
    """Run an exercise's check for nbgrader's validation; this is the last line of a test cell.

    A check that fails is reported on stderr. `nbgrader validate` and JupyterLab's *Validate* button count that as a
    failed test and show the text; no exception stops *Run All*. After `graded`, nothing is checked.

    Args:
        name: the exercise, such as "lab4.cfg_train_loss".

    Returns:
        The points that `graded` gave in the same cell; None otherwise.

    Raises:
        KeyError: there is no such exercise.
    """
    entry = find(name)
    if name in _graded:
        return _graded.pop(name)
    verdict = public_verdict(entry, notebook_names())
    if verdict.points < verdict.max_points:
        print(describe(entry, verdict), file=sys.stderr)
    return None


def find_judge() -> Callable[[Exercise, Mapping[str, object]], float]:
    """Return the function that judges an exercise in this process.

    The package with the verdicts announces it as an entry point of the group `guidance_labs.judge`; in a checkout
    that is not installed, the `pyproject.toml` beside `utils` does.

    Returns:
        A function of the exercise and the notebook's objects by name. It returns the points.

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
    """Read the judges from the `pyproject.toml` beside `utils`.

    Returns:
        The entry points, or none if there is no such file.
    """
    try:
        project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        announced = project["entry-points"][JUDGE_GROUP]
        return [EntryPoint(name, value, JUDGE_GROUP) for name, value in announced.items()]
    except (OSError, ValueError, KeyError):
        return []


def notebook_names() -> Mapping[str, object]:
    """Return the names of the running notebook, or outside of a notebook those of the calling script.

    Returns:
        Objects by name.
    """
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is not None:
        return shell.user_ns
    frame = sys._getframe(1)
    while frame.f_globals.get("__name__", "").startswith("utils.checks") and frame.f_back:
        frame = frame.f_back
    return frame.f_globals
