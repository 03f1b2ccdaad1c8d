"""Handing in: the running notebook's file, the cells that were damaged, and one zip with everything."""

from __future__ import annotations

import json
import os
import sys
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from utils.checks.exercise import LABS, Exercise, load

__all__ = ["damaged_cells", "make_submission", "running_notebook", "unsaved_answers"]

EMPTY_ANSWER = "*Your answer here.*"


def in_colab() -> bool:
    return "google.colab" in sys.modules


def grading() -> bool:
    """True where nbgrader or the autograder runs this notebook: then there is nothing to hand in."""
    return "NBGRADER_EXECUTION" in os.environ or os.environ.get("LAB_BUDGET", "").lower() == "grade"


def running_notebook(lab: str) -> tuple[NotebookNode, Path | None] | None:
    """The notebook that runs this code, and its file; None where it cannot be found.

    Colab is asked for what is on the screen. JupyterLab and VS Code say where the file is; elsewhere the newest notebook
    of this lab in the working directory is taken.
    """
    if in_colab():
        from google.colab import _message

        answer = _message.blocking_request("get_ipynb", timeout_sec=120)
        return nbformat.v4.reads(json.dumps(answer["ipynb"])), None  # unchecked: Colab drops the cells' ids
    for path in candidates(lab):
        try:
            return nbformat.read(path, as_version=4), path
        except Exception:  # missing, half written, not a notebook: try the next
            continue
    return None


def candidates(lab: str) -> Iterable[Path]:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is not None and "__vsc_ipynb_file__" in shell.user_ns:
        yield Path(shell.user_ns["__vsc_ipynb_file__"])
    if session := os.environ.get("JPY_SESSION_NAME", ""):
        # JupyterLab gives the path of the file; some versions with an id after it.
        yield from (Path(session), Path(session).parent / f"{full_name(lab)}.ipynb")
    files = [p for p in Path.cwd().glob("*.ipynb") if full_name(lab) in p.read_text(encoding="utf-8", errors="ignore")]
    yield from sorted(files, key=lambda p: p.stat().st_mtime, reverse=True)


def full_name(lab: str) -> str:
    """`lab4` -> `lab4_mnist_cfg`, the name under which notebooks are collected."""
    load(lab)
    return LABS[lab.split("_")[0]]


def grade_id(cell: NotebookNode) -> str | None:
    data = cell.metadata.get("nbgrader")
    return data.get("grade_id") if isinstance(data, dict) else None


def marker(entry: Exercise) -> str:
    """The first line of an answer's cell."""
    return f"<!-- GRADED: {entry.name} -->" if entry.manual else f"# GRADED: {entry.name}"


def answer_cells(notebook: NotebookNode, entry: Exercise) -> list[NotebookNode]:
    """The cells that answer an exercise, by their metadata or by the marker in their first line."""
    kind = "markdown" if entry.manual else "code"
    return [
        cell
        for cell in notebook.cells
        if grade_id(cell) == entry.answer_id
        or (cell.cell_type == kind and marker(entry) in cell.source.splitlines()[:3])
    ]


def damaged_cells(notebook: NotebookNode, lab: str) -> list[str]:
    """What happened to the cells that the grader looks for: one sentence each, and what to do about it."""
    found: list[str] = []
    ids = [grade_id(cell) for cell in notebook.cells]
    if "setup" not in ids:
        found.append("The set-up cell has lost its mark. The grader uses its own; nothing is lost.")
    for entry in load(lab):
        answers = answer_cells(notebook, entry)
        if not answers:
            found.append(
                f"{entry.name}: no cell answers it any more. Begin the cell that does with the line `{marker(entry)}`."
            )
        elif len(answers) > 1:
            found.append(
                f"{entry.name}: {len(answers)} cells claim to be the answer, and the grader takes the first. Delete the others."
            )
        elif grade_id(answers[0]) != entry.answer_id:
            found.append(
                f"{entry.name}: its cell was retyped or copied and lost its mark. "
                "The grader still knows it by its first line; leave that line as it is."
            )
        if not entry.manual and entry.grade_id not in ids:
            found.append(f"{entry.name}: its test cell is gone. The grader puts it back; nothing is lost.")
    return found


def open_essays(notebook: NotebookNode, lab: str) -> list[str]:
    """Written questions whose box is still empty."""
    return [
        entry.name
        for entry in load(lab)
        if entry.manual
        and any(written(cell, entry) in ("", EMPTY_ANSWER) for cell in answer_cells(notebook, entry)[:1])
    ]


def written(cell: NotebookNode, entry: Exercise) -> str:
    return cell.source.replace(marker(entry), "").strip()


def unsaved_answers(notebook: NotebookNode, lab: str, history: Iterable[str]) -> list[str]:
    """Exercises whose answer, as it was last run, is not the one in the file: the notebook was not saved since."""
    history = [source.strip() for source in history]
    unsaved = []
    for entry in load(lab):
        last_run = next((source for source in reversed(history) if source.startswith(marker(entry))), None)
        saved = [cell.source.strip() for cell in answer_cells(notebook, entry)]
        if last_run is not None and saved and last_run not in saved:
            unsaved.append(entry.name)
    return unsaved


def inspect(lab: str) -> tuple[NotebookNode, Path | None] | None:
    """Say what is open, damaged or unsaved in the running notebook. Returns it if it can be handed in as it is."""
    found = running_notebook(lab)
    if found is None:
        print(
            "\nThe notebook's file was not found, so its cells could not be looked at. "
            "Save it, and start Jupyter in its folder."
        )
        return None
    notebook, path = found
    for name in open_essays(notebook, lab):
        print(f"Open: {name}. The written answer is empty.")
    damaged = damaged_cells(notebook, lab)
    print("\nDamaged cells:" if damaged else "\nNo cell is damaged.")
    for line in damaged:
        print(f"  {line}")
    unsaved = [] if path is None else unsaved_answers(notebook, lab, session_history())
    if unsaved:
        print(f"\nNot saved: {path.name} holds an older version of {', '.join(unsaved)}. Save it, and run this again.")
        return None
    return found


def session_history() -> list[str]:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return list(shell.user_ns.get("In", [])) if shell is not None else []


def make_submission(lab: str, *files: str | Path, pdf: bool = True) -> Path | None:
    """Write `lab4_mnist_cfg.zip` beside the notebook: the notebook, a PDF of it, and the files you name. In Colab it is downloaded.

    Returns the zip's path, or None if the notebook must be saved first or cannot be found.

    Raises:
        KeyError: no such lab.
        FileNotFoundError: a file that you named.
    """
    name = full_name(lab)
    if grading():
        return None
    for file in files:
        if not Path(file).is_file():
            raise FileNotFoundError(f"{file} is not a file in {Path.cwd()}")
    if (found := inspect(lab)) is None:
        return None
    notebook, path = found
    folder = path.parent if path else Path.cwd()
    target, page_file = folder / f"{name}.zip", folder / f"{name}.pdf"
    own = {f"{name}.ipynb": path} | ({page_file.name: page_file} if pdf else {})
    extra = extra_files(files, own)
    pages = draw_pages(notebook, page_file) if pdf else 0
    beside = target.with_name(f".{target.name}.part")
    try:
        with zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{name}.ipynb", path.read_bytes() if path else nbformat.v4.writes(notebook))
            for file in [page_file, *extra] if pages else extra:
                archive.write(file, file.name)
        os.replace(beside, target)
    finally:
        beside.unlink(missing_ok=True)
    print(
        f"\nWritten: {target.name}, {target.stat().st_size / 1024:,.0f} KB"
        + (f", a PDF of {pages} pages inside.\nOpen the PDF once, then hand in the zip." if pages else ". Hand it in.")
    )
    if in_colab():
        from google.colab import files as colab_files

        colab_files.download(str(target))
    return target


def extra_files(files: Iterable[str | Path], own: Mapping[str, Path | None]) -> list[Path]:
    """Return the named files that go into the zip beside the notebook, each once.

    The notebook and its PDF are in the zip already, so naming one of them adds nothing.

    Args:
        files: what the student named.
        own: the notebook and the PDF: name in the zip -> file, or None for a notebook that is only on Colab's screen.

    Returns:
        The files to add, in their order.

    Raises:
        ValueError: two different files have the same name, so one would replace the other in the zip.
    """
    own_files = {file.resolve() for file in own.values() if file is not None}
    chosen: dict[str, Path] = {}
    for file in map(Path, files):
        if file.resolve() in own_files or (file.name in own and own[file.name] is None):
            continue
        if file.name in own or (file.name in chosen and chosen[file.name].resolve() != file.resolve()):
            raise ValueError(f"two files are called {file.name}, and the zip has no folders: rename one of them")
        chosen[file.name] = file
    return list(chosen.values())


def draw_pages(notebook: NotebookNode, page_file: Path) -> int:
    """Write the PDF, and return its number of pages; 0 and one line where that fails, for the notebook is what is graded."""
    from utils.pdf import notebook_to_pdf

    try:
        return notebook_to_pdf(notebook, page_file, page_file.stem)
    except Exception as error:  # a program that has the old one open, a full disk, a letter that nobody thought of
        print(f"\nThe PDF could not be made ({type(error).__name__}: {error}). The zip holds your notebook without it.")
        return 0
