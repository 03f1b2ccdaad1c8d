"""Write the zip that Gradescope's autograder is set up with."""

from __future__ import annotations

import secrets
import zipfile
from fnmatch import fnmatch
from pathlib import Path

from autograder import ROOT
from autograder.course.labs import Lab
from autograder.course.releases import archive_folder

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
# PyTorch without CUDA has a tenth of the size.
install --index-url https://download.pytorch.org/whl/cpu \\
  $(grep -oE '"torch(vision)?[<>=0-9.,]+"' "$AUTOGRADER/source/pyproject.toml" | tr -d '"')
install "$AUTOGRADER/source"
"""
RUN = """\
#!/usr/bin/env bash
# Gradescope runs this for each submission. Set the variables to try it on another machine.
AUTOGRADER="${{AUTOGRADER:-/autograder}}"
PYTHON="${{PYTHON:-$AUTOGRADER/venv/bin/python}}"
cd "$AUTOGRADER/source" || exit 1
mkdir -p "$AUTOGRADER/results"
chmod 600 .secret 2>/dev/null  # unzip may have made it readable for others
PYTHONPATH="$AUTOGRADER/source" exec "$PYTHON" -m autograder.exports.gradescope_run {lab} \\
  "$AUTOGRADER/submission" "$AUTOGRADER/results/results.json" --sandbox {sandbox}
"""
LEFT_OUT = ("__pycache__", ".ipynb_checkpoints", "*_mutants.py")  # names of files and folders


def write_autograder(lab: Lab, target: Path, sandbox: str) -> None:
    """Write the zip: `setup.sh`, `run_autograder`, the code that they need, and a secret made for this zip.

    Args:
        lab: The lab that it grades.
        target: The zip to write; it will be readable for its owner only, because it holds answers and a secret.
        sandbox: "bwrap", or "none" to run notebooks unprotected.
    """
    files = [ROOT / "pyproject.toml", ROOT / "README.md", ROOT / "nbgrader_config.py", lab.source, lab.student]
    for folder in (ROOT / "utils", ROOT / "autograder"):
        files += [path for path in sorted(folder.rglob("*")) if path.is_file() and is_needed(path)]
    archived = [path for path in sorted((archive_folder() / lab.name).glob("*")) if path.is_file()]
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as out:
        add_text(out, "setup.sh", SETUP, 0o755)
        add_text(out, "run_autograder", RUN.format(lab=lab.short, sandbox=sandbox), 0o755)
        # Not the course's secret: on Gradescope, the student's code and the grader share a container.
        add_text(out, ".secret", secrets.token_hex(32), 0o600)
        for path in files:
            out.write(path, path.relative_to(ROOT))
        for path in archived:  # the archive may be elsewhere here; in the container it is in the course's folder
            out.write(path, Path("archive", lab.name, path.name))
    target.chmod(0o600)


def is_needed(path: Path) -> bool:
    """Tell whether a file of the project is needed for grading."""
    return not any(fnmatch(part, pattern) for part in path.relative_to(ROOT).parts for pattern in LEFT_OUT)


def add_text(out: zipfile.ZipFile, name: str, text: str, mode: int) -> None:
    """Add a text file with these permissions to a zip."""
    entry = zipfile.ZipInfo(name, date_time=(2026, 1, 1, 0, 0, 0))
    entry.external_attr = mode << 16
    out.writestr(entry, text)
