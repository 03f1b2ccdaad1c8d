"""Submission: the running notebook's file, its damaged cells, and one zip with everything."""

from __future__ import annotations

import json
import os
import sys
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from utils.checks import AFTER_CHECK_ALL
from utils.checks.exercise import Exercise, load
from utils.labs import LABS
from utils.runtime import grading, in_colab

if TYPE_CHECKING:  # nbformat takes seconds to import, so only the functions that read a notebook do it
    from nbformat import NotebookNode

__all__ = ["damaged_cells", "make_submission", "running_notebook", "unsaved_answers"]

EMPTY_ANSWER = "*Your answer here.*"


def running_notebook(lab: str) -> tuple[NotebookNode, Path | None] | None:
    """Find the notebook that runs this code.

    In Colab it is what is on the screen. JupyterLab and VS Code name the file. Elsewhere, it is the newest notebook of
    this lab in the working directory.

    Args:
        lab: the lab, such as "lab4".

    Returns:
        The notebook, and its file (None in Colab); or None if no notebook was found.

    Raises:
        KeyError: there is no such lab.
    """
    import nbformat

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
    """Yield the files that may be the running notebook, the most probable one first.

    Args:
        lab: the lab, such as "lab4".

    Yields:
        Paths, which may be missing or damaged.
    """
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is not None and "__vsc_ipynb_file__" in shell.user_ns:
        yield Path(shell.user_ns["__vsc_ipynb_file__"])
    if session := os.environ.get("JPY_SESSION_NAME", ""):
        # JupyterLab gives the path of the file; some versions with an id after it.
        yield from (Path(session), Path(session).parent / f"{full_name(lab)}.ipynb")
    yield from notebooks_here(lab)


def notebooks_here(lab: str) -> list[Path]:
    """Return the notebooks of a lab in the working directory, the newest first.

    Args:
        lab: the lab, such as "lab4".

    Returns:
        The files.
    """
    name = full_name(lab)
    files = [path for path in Path.cwd().glob("*.ipynb") if name in path.read_text(encoding="utf-8", errors="ignore")]
    return sorted(files, key=lambda path: path.stat().st_mtime, reverse=True)


def full_name(lab: str) -> str:
    """Return the lab's full name, under which notebooks are collected.

    Args:
        lab: the lab, such as "lab4" or "lab4_mnist_cfg".

    Returns:
        The name, such as "lab4_mnist_cfg".

    Raises:
        KeyError: there is no such lab.

    Example:
        >>> full_name("lab4")
        'lab4_mnist_cfg'
    """
    load(lab)
    return LABS[lab.split("_")[0]]


def grade_id(cell: NotebookNode) -> str | None:
    """Return the id that nbgrader gave a cell.

    Args:
        cell: any cell.

    Returns:
        The id, or None if the cell has none.
    """
    data = cell.metadata.get("nbgrader")
    return data.get("grade_id") if isinstance(data, dict) else None


def marker(entry: Exercise) -> str:
    """Return the first line of an answer's cell.

    Args:
        entry: the exercise.

    Returns:
        A comment that names the exercise, in Python or in markdown.
    """
    return f"<!-- GRADED: {entry.name} -->" if entry.manual else f"# GRADED: {entry.name}"


def answer_cells(notebook: NotebookNode, entry: Exercise) -> list[NotebookNode]:
    """Find the cells that answer an exercise, by their metadata or by the marker in their first lines.

    Args:
        notebook: the student's notebook.
        entry: the exercise.

    Returns:
        The cells in the order of the notebook.
    """
    kind = "markdown" if entry.manual else "code"
    return [
        cell
        for cell in notebook.cells
        if grade_id(cell) == entry.answer_id
        or (cell.cell_type == kind and marker(entry) in cell.source.splitlines()[:3])
    ]


def damaged_cells(notebook: NotebookNode, lab: str) -> list[str]:
    """Describe what happened to the cells that the grader looks for.

    Args:
        notebook: the student's notebook.
        lab: the lab, such as "lab4".

    Returns:
        For each damaged cell, a message that says what to do about it.

    Raises:
        KeyError: there is no such lab.
    """
    found: list[str] = []
    ids = [grade_id(cell) for cell in notebook.cells]
    if "setup" not in ids:
        found.append("The set-up cell has lost its mark. The grader uses its own copy, so nothing is lost.")
    for entry in load(lab):
        answers = answer_cells(notebook, entry)
        if not answers:
            found.append(
                f"{entry.name}: no cell answers it any more. "
                f"Make `{marker(entry)}` the first line of the cell that does."
            )
        elif len(answers) > 1:
            found.append(
                f"{entry.name}: {len(answers)} cells claim to be the answer, and the grader takes the first. "
                "Delete the others."
            )
        elif grade_id(answers[0]) != entry.answer_id:
            found.append(
                f"{entry.name}: its cell was retyped or copied and lost its mark. "
                "The grader still recognises it by its first line, so leave that line as it is."
            )
        if not entry.manual and entry.grade_id not in ids:
            found.append(f"{entry.name}: its test cell is gone. The grader restores it, so nothing is lost.")
    return found


def open_essays(notebook: NotebookNode, lab: str) -> list[str]:
    """Find the written questions whose box is still empty.

    Args:
        notebook: the student's notebook.
        lab: the lab, such as "lab4".

    Returns:
        The names of the exercises.

    Raises:
        KeyError: there is no such lab.
    """
    return [
        entry.name
        for entry in load(lab)
        if entry.manual
        and any(written(cell, entry) in ("", EMPTY_ANSWER) for cell in answer_cells(notebook, entry)[:1])
    ]


def written(cell: NotebookNode, entry: Exercise) -> str:
    """Return the text of a written answer.

    Args:
        cell: the answer's cell.
        entry: the exercise.

    Returns:
        The cell's text without the marker.
    """
    return cell.source.replace(marker(entry), "").strip()


def unsaved_answers(notebook: NotebookNode, lab: str, history: Iterable[str]) -> list[str]:
    """Find the exercises whose answer in the file is not the one that was run last.

    Args:
        notebook: the notebook as it was saved.
        lab: the lab, such as "lab4".
        history: the sources of the cells that were run, in their order.

    Returns:
        The names of the exercises.

    Raises:
        KeyError: there is no such lab.
    """
    history = [source.strip() for source in history]
    unsaved = []
    for entry in load(lab):
        last_run = next((source for source in reversed(history) if source.startswith(marker(entry))), None)
        saved = [cell.source.strip() for cell in answer_cells(notebook, entry)]
        if last_run is not None and saved and last_run not in saved:
            unsaved.append(entry.name)
    return unsaved


def inspect(lab: str) -> tuple[NotebookNode, Path | None] | None:
    """Print what is open, damaged or unsaved in the running notebook.

    Args:
        lab: the lab, such as "lab4".

    Returns:
        The notebook and its file, as in `running_notebook`; or None if it was not found or must be saved first.

    Raises:
        KeyError: there is no such lab.
    """
    found = running_notebook(lab)
    if found is None:
        print(
            "\nThe notebook's file was not found, so its cells could not be checked. "
            "Save the notebook, and start Jupyter in its folder."
        )
        return None
    notebook, path = found
    for name in open_essays(notebook, lab):
        print(f"Open: {name}. The written answer is empty.")
    where = f" in {path.name}" if path else ""
    damaged = damaged_cells(notebook, lab)
    print(f"\nDamaged cells{where}:" if damaged else f"\nNo cell is damaged{where}.")
    here = notebooks_here(lab)
    if path in here and len(here) > 1 and "JPY_SESSION_NAME" not in os.environ:  # so the newest was taken
        others = ", ".join(other.name for other in here if other != path)
        print(f"This folder holds other notebooks of this lab, too ({others}). Is {path.name} the one that you mean?")
    for line in damaged:
        print(f"  {line}")
    unsaved = [] if path is None else unsaved_answers(notebook, lab, session_history())
    if path is not None and unsaved:
        print(f"\nNot saved: {path.name} holds an older version of {', '.join(unsaved)}.")
        print("Save it, and run this cell again.")
        return None
    return found


def session_history() -> list[str]:
    """Return the sources of the cells that this session ran.

    Returns:
        The sources in their order; nothing outside of IPython.
    """
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return list(shell.user_ns.get("In", [])) if shell is not None else []


def make_submission(lab: str, *files: str | Path, pdf: bool = True, author: str = "") -> Path | None:
    """Write one zip with the notebook, a PDF of it, and the named files. In Colab, download it.

    The zip lies beside the notebook.

    Args:
        lab: the lab, such as "lab4".
        *files: further files for the zip, such as modules that the notebook imports.
        pdf: whether to add the PDF.
        author: your name, for the pages of the PDF.

    Returns:
        The zip's path; or None while grading, and if the notebook was not found or must be saved first.

    Raises:
        KeyError: there is no such lab.
        FileNotFoundError: a named file does not exist.
        ValueError: two different files have the same name.
    """
    name = full_name(lab)
    if grading():
        return None
    import nbformat

    from utils.pdf import draw_pages

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
    pages = draw_pages(notebook, page_file, author) if pdf else 0
    beside = target.with_name(f".{target.name}.part")
    try:
        with zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{name}.ipynb", path.read_bytes() if path else nbformat.v4.writes(notebook))
            for file in [page_file, *extra] if pages else extra:
                archive.write(file, file.name)
        os.replace(beside, target)
    finally:
        beside.unlink(missing_ok=True)
    size = f"{target.stat().st_size / 1024:,.0f} KB"
    if pages:
        print(f"\nWritten: {target.name}, {size}, with a PDF of {pages} pages inside.")
        print("Open the PDF once, then submit the zip.")
    else:
        print(f"\nWritten: {target.name}, {size}. Submit it.")
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


def print_how_to_submit(lab: str) -> None:
    """Print what is damaged in the running notebook, and the call that submits it. While grading, print nothing.

    Args:
        lab: the lab, such as "lab4" or "lab4_mnist_cfg".
    """
    if not grading() and inspect(lab) is not None:
        call = f'make_submission("{lab.split("_")[0]}")'
        print(f"To submit: save the notebook, run `{call}`, and upload the zip that it writes.")


AFTER_CHECK_ALL.append(print_how_to_submit)
