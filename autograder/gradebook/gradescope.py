"""Gradescope's autograder: the zip it is given, and the program that runs in its container for each submission.

A submission is graded as by `autograder grade-one`. Written answers stay with Gradescope's own rubrics.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import tempfile
import zipfile
from pathlib import Path

from autograder import ROOT
from autograder.course.labs import Lab, find_lab
from autograder.course.releases import archive_folder
from autograder.errors import NotANotebook, SandboxError
from autograder.files import replace_file
from autograder.intake.collect import likeness
from autograder.intake.lms.base import Collected, is_rubbish, student_id
from autograder.intake.submission import open_submission
from autograder.intake.zips import MAX_ZIP, inside
from autograder.judging.grade import Grade, grade_submission
from autograder.running.challenges import read_secret
from autograder.running.sandbox import Sandbox

SETUP = """\
#!/usr/bin/env bash
# Gradescope runs this once, as root, when it builds the container.
set -euo pipefail
AUTOGRADER="${AUTOGRADER:-/autograder}"
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq bubblewrap python3-pip
# The image's own Python may be older than 3.11.
python3 -m pip install --quiet uv || python3 -m pip install --quiet --break-system-packages uv
python3 -m uv venv --quiet --python 3.12 "$AUTOGRADER/venv"
install() { python3 -m uv pip install --quiet --python "$AUTOGRADER/venv/bin/python" "$@"; }
# PyTorch without CUDA: a tenth of the size.
install --index-url https://download.pytorch.org/whl/cpu $(grep -oE '"torch(vision)?[<>=0-9.,]+"' "$AUTOGRADER/source/pyproject.toml" | tr -d '"')
install "$AUTOGRADER/source"
"""
RUN = """\
#!/usr/bin/env bash
# Gradescope runs this for each submission. The variables are for trying it elsewhere.
AUTOGRADER="${{AUTOGRADER:-/autograder}}"
PYTHON="${{PYTHON:-$AUTOGRADER/venv/bin/python}}"
cd "$AUTOGRADER/source" || exit 1
mkdir -p "$AUTOGRADER/results"
PYTHONPATH="$AUTOGRADER/source" exec "$PYTHON" -m autograder.gradebook.gradescope {lab} \\
  "$AUTOGRADER/submission" "$AUTOGRADER/results/results.json" --sandbox {sandbox}
"""
SKIPPED = ("__pycache__", ".ipynb_checkpoints", "*_mutants.py")


def write_autograder(lab: Lab, target: Path, sandbox: str) -> None:
    """The zip: `setup.sh` and `run_autograder` at the top, and beside them what they need, with a secret of its own."""
    files = [ROOT / "pyproject.toml", ROOT / "README.md", ROOT / "nbgrader_config.py", lab.source, lab.student]
    for folder in (ROOT / "utils", ROOT / "autograder"):
        files += [p for p in sorted(folder.rglob("*")) if p.is_file() and not set(SKIPPED) & set(p.parts)]
    releases = [p for p in sorted((archive_folder() / lab.name).glob("*")) if p.is_file()]
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as out:
        add(out, "setup.sh", SETUP, 0o755)
        add(out, "run_autograder", RUN.format(lab=lab.short, sandbox=sandbox), 0o755)
        # Not the course's secret: on Gradescope, student code and grader share a container.
        add(out, ".secret", secrets.token_hex(32), 0o600)
        for path in files:
            out.write(path, path.relative_to(ROOT))
        for path in releases:  # the archive may lie elsewhere here; in the container it lies in the course's folder
            out.write(path, Path("archive", lab.name, path.name))
    target.chmod(0o600)


def add(out: zipfile.ZipFile, name: str, text: str, mode: int) -> None:
    entry = zipfile.ZipInfo(name, date_time=(2026, 1, 1, 0, 0, 0))
    entry.external_attr = mode << 16
    out.writestr(entry, text)


def results(grade: Grade) -> dict:
    """results.json: one test an automatic exercise. Nothing that a student printed is shown."""
    tests = [
        {
            "name": name,
            "score": verdict.points,
            "max_score": verdict.max_points,
            "output": "\n".join(f"{f.code}: {f.message}" for f in verdict.findings) or "All checks passed.",
            "visibility": "visible",
        }
        for name, verdict in grade.verdicts.items()
    ]
    lines = [*(f"Repaired: {line}." for line in grade.repairs), *grade.problems]
    if grade.manual:
        lines.append(f"Graded by a person: {', '.join(grade.manual)}.")
    return {"score": grade.points, "output": "\n".join(lines), "stdout_visibility": "hidden", "tests": tests}


def no_results(why: str) -> dict:
    return {"score": 0.0, "output": why, "stdout_visibility": "hidden", "tests": []}


def handed_in(folder: Path, lab: Lab, scratch: Path) -> Path:
    """The one notebook that is graded: of this lab's name if there are more, also from the zip that `make_submission` wrote.

    Raises:
        NotANotebook: there is none.
    """
    notes = Collected()
    found = [
        p
        for p in sorted(folder.rglob("*.ipynb"))
        if p.is_file() and not p.is_symlink() and not is_rubbish(str(p.relative_to(folder)))
    ]
    for path in sorted(folder.rglob("*.zip")):
        if path.is_symlink() or path.stat().st_size > MAX_ZIP:
            continue
        for name, data in inside(path.name, path.read_bytes(), notes):
            place = scratch / f"{len(found)}-{student_id(Path(name).name)}"
            place.write_bytes(data)
            found.append(place)
    if not found:
        raise NotANotebook(" ".join(["Neither a notebook nor a zip with one was handed in.", *notes.left]))
    # from a zip the names begin with a number
    return max(found, key=lambda p: likeness(p.name.split("-", 1)[-1] if p.parent == scratch else p.name, lab))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="autograder.gradebook.gradescope", description=__doc__)
    parser.add_argument("lab")
    parser.add_argument("submission", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--sandbox", choices=("bwrap", "none"), default="bwrap")
    options = parser.parse_args(arguments)
    lab, code = find_lab(options.lab), 0
    with tempfile.TemporaryDirectory() as scratch:
        try:
            submission = open_submission(handed_in(options.submission, lab, Path(scratch)), lab)
            with Sandbox(protected=options.sandbox == "bwrap") as sandbox:
                document = results(grade_submission(submission, sandbox, read_secret()))
        except NotANotebook as error:
            document = no_results(f"Not graded: {error}")
        except SandboxError as error:
            print(error, file=sys.stderr)
            document, code = no_results("Not graded: the grader's machine failed. Your instructor has to look."), 1
    replace_file(options.results, json.dumps(document, indent=1, ensure_ascii=False))
    return code


if __name__ == "__main__":
    sys.exit(main())
