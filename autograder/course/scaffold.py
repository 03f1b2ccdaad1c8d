"""Write the files of a new exercise or a new lab. They build, validate and pass their own tests as they are.

The example asks for the identity. Replace it step by step; CONTRIBUTING.md walks through one.
"""

from __future__ import annotations

import ast
import keyword
import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from autograder import ROOT
from autograder.course.labs import Lab, find_lab
from autograder.errors import ScaffoldError
from utils.checks.exercise import load
from utils.labs import LABS

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    undefined=StrictUndefined,
    keep_trailing_newline=True,
    autoescape=False,  # Python, not HTML
)
NAME = re.compile(r"[a-z][a-z0-9_]*")
LAB_NAME = re.compile(r"(lab[0-9]+)_[a-z0-9_]+")
POINTS = 1
REGISTRY = Path("utils", "labs.py")


def new_exercise(name: str, root: Path = ROOT) -> list[Path]:
    """Write the four files of an exercise and its cells at the end of the lab's source.

    Args:
        name: Lab and exercise, such as `lab4.energy`.
        root: The repository.

    Returns:
        The files that were written or extended.

    Raises:
        ScaffoldError: The name cannot be used, or a file of that name exists. Nothing was written.
        NoSuchLab: There is no such lab.
    """
    short, _, exercise = name.partition(".")
    lab = find_lab(short)
    if not NAME.fullmatch(exercise) or keyword.iskeyword(exercise):
        raise ScaffoldError(
            f"'{name}' is not the name of an exercise; use lowercase letters, digits and _: {short}.energy"
        )
    number = len(load(lab.short)) + 1
    return write_exercise(lab, exercise, f"{lab.short[3:]}.{number}", root)


def new_lab(name: str, root: Path = ROOT) -> list[Path]:
    """Write the source of a lab, the line that registers it, and a first exercise named `identity`.

    Args:
        name: Such as `lab5_latents`.
        root: The repository.

    Returns:
        The files that were written or extended.

    Raises:
        ScaffoldError: The name cannot be used, or the lab exists. Nothing was written.
    """
    match = LAB_NAME.fullmatch(name)
    if not match:
        raise ScaffoldError(f"'{name}' is not the name of a lab; it looks like lab5_latents")
    if match[1] in LABS:
        raise ScaffoldError(f"{match[1]} exists already: {LABS[match[1]]}")
    lab = Lab(name)
    title = name.partition("_")[2].replace("_", " ").capitalize()
    source = root / "solutions" / name / f"{name}.py"
    values = {"lab": lab.short, "lab_name": name, "title": title, "points": POINTS}
    files = {
        source: TEMPLATES.get_template("lab.py.j2").render(values),
        root
        / "utils"
        / "checks"
        / lab.short
        / "__init__.py": f'"""The exercises of lab {lab.short[3:]}, in the order of the '
        'notebook."""\n\nEXERCISES = [\n]\n',
        root
        / "autograder"
        / "exercises"
        / lab.short
        / "__init__.py": f'"""The hidden halves of lab {lab.short[3:]}."""\n',
    }
    write_new(files)
    register_lab(root / REGISTRY, lab)
    return [*files, root / REGISTRY, *write_exercise(lab, "identity", f"{lab.short[3:]}.1", root)]


def write_exercise(lab: Lab, name: str, number: str, root: Path) -> list[Path]:
    """Write the files of one exercise, then add it to the lab's list and to its source."""
    title = name.replace("_", " ").capitalize()
    values = {"lab": lab.short, "name": name, "title": title, "points": POINTS, "number": number}
    places = {
        "public.py.j2": root / "utils" / "checks" / lab.short / f"{name}.py",
        "hidden.py.j2": root / "autograder" / "exercises" / lab.short / f"{name}.py",
        "mutants.py.j2": root / "autograder" / "exercises" / lab.short / f"{name}_mutants.py",
        "test.py.j2": root / "tests" / "exercises" / lab.short / f"test_{name}.py",
    }
    write_new({place: TEMPLATES.get_template(template).render(values) for template, place in places.items()})
    listed = root / "utils" / "checks" / lab.short / "__init__.py"
    append_to_list(listed, "EXERCISES", name)
    source = root / "solutions" / lab.name / f"{lab.name}.py"
    with source.open("a", encoding="utf-8") as file:
        file.write(TEMPLATES.get_template("cells.py.j2").render(values))
    return [*places.values(), listed, source]


def write_new(files: dict[Path, str]) -> None:
    """Write files that do not exist yet.

    Raises:
        ScaffoldError: One of them exists. Nothing was written.
    """
    if existing := [place for place in files if place.exists()]:
        raise ScaffoldError(f"{existing[0]} exists already; nothing was written")
    for place, text in files.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")


def append_to_list(path: Path, variable: str, name: str) -> None:
    """Add a string to the list that a module assigns to `variable`."""
    text = path.read_text(encoding="utf-8")
    assignment = next(
        node
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == variable
    )
    lines = text.splitlines(keepends=True)
    end = assignment.value.end_lineno or assignment.lineno
    lines.insert(end - 1, f'    "{name}",\n')
    path.write_text("".join(lines), encoding="utf-8")


def register_lab(path: Path, lab: Lab) -> None:
    """Add a lab to the registry, the one place that names it."""
    text = path.read_text(encoding="utf-8")
    start = text.index("LABS = {")
    end = text.index("\n}", start) + 1
    path.write_text(f'{text[:end]}    "{lab.short}": "{lab.name}",\n{text[end:]}', encoding="utf-8")
